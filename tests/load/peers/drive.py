"""A process that holds many senders: ``python -m tests.load.peers.drive --url URL --rate 15 CLIP…``.

Reads a wish as a line of JSON and answers with one: ``open`` (sessions by number, so many a second), ``begin`` (count
from now on), ``report``, ``close``, ``watch`` (so many viewers of a room). Session N shows clip N modulo their number.
Times are ``time.perf_counter``, which is one clock for all processes of a machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp

from server.transport import TransportOptions, install
from tests.load.designs.clients import DrawnSender, JpegSender
from tests.load.peers.sender import Full, NotLetIn, Sender
from tests.load.peers.video import Clip
from tests.load.peers.watchers import Watchers

KINDS: dict[str, type[Sender] | type[JpegSender]] = {"whip": Sender, "drawn": DrawnSender, "jpeg": JpegSender}


class Senders:
    """Those of this process."""

    def __init__(self, url: str, clips: list[Clip], client: aiohttp.ClientSession, kind: str = "whip") -> None:
        self._url, self._clips, self._client = url, clips, client
        self._kind = KINDS[kind]
        self._there: dict[int, Sender | JpegSender] = {}
        self._watchers = Watchers(url, client)

    async def open(self, numbers: list[int], pace: float, loss: float = 0.0, query: str = "") -> dict[str, Any]:
        """Connect these, ``pace`` of them a second; which are there, which were turned away as full, and why others
        did not get in."""
        began = time.perf_counter()
        full, failed = [], {}

        async def one(index: int, number: int) -> None:
            await asyncio.sleep(max(0.0, began + index / pace - time.perf_counter()))
            sender = self._kind(number, self._url, self._clips[number % len(self._clips)], loss=loss, query=query)
            try:
                await sender.connect(self._client)
            except Full:
                full.append(number)
            except NotLetIn as why:
                failed[number] = str(why)
            else:
                self._there[number] = sender
                return
            await sender.close()

        await asyncio.gather(*(one(index, number) for index, number in enumerate(numbers)))
        return {"open": sorted(set(numbers) & self._there.keys()), "full": sorted(full), "failed": failed}

    def begin(self) -> dict[str, Any]:
        """Count from now on."""
        now = time.perf_counter()
        for sender in self._there.values():
            sender.heard.begin(now)
        return {"now": now}

    def report(self) -> dict[str, Any]:
        """What each session has counted."""
        return {"sessions": {number: _account(sender) for number, sender in self._there.items()}}

    async def close(self, numbers: list[int], goodbye: bool = True) -> dict[str, Any]:
        """Let these go; what they had counted."""
        gone = {number: self._there.pop(number) for number in numbers if number in self._there}
        said = {number: _account(sender) for number, sender in gone.items()}
        await asyncio.gather(*(sender.close(goodbye) for sender in gone.values()))
        return {"sessions": said}

    async def wish(self, wish: dict[str, Any]) -> dict[str, Any]:
        """Do what a line asks for. Raises ``KeyError`` where there is no such wish."""
        what = wish.pop("do")
        if what == "open":
            return await self.open(**wish)
        if what == "close":
            return await self.close(**wish)
        if what == "watch":
            return await self._watchers.keep(**wish)
        return {"begin": self.begin, "report": self.report}[what]()

    async def close_all(self) -> None:
        """Let everybody go."""
        await self._watchers.close()
        await self.close(list(self._there))


def _account(sender: Sender | JpegSender) -> dict[str, Any]:
    now, heard = time.perf_counter(), sender.heard
    heard.age(now)
    return {
        **heard.window.fields(),
        "lasts": now - heard.window.began,
        "names": sorted(heard.names),
        "session": sender.session,
        "ended": sender.ended,
        "last_result": heard.last_result,
        "budget": sender.budget,
    }


async def drive(url: str, clips: list[Clip], kind: str) -> None:
    """Answer wishes until standard input ends."""
    install(TransportOptions(bind_addresses=("127.0.0.1",), consent_interval=5.0, consent_failures=6))
    for clip in clips:
        clip.payloads(clip.rate, (640, 480))  # before anybody waits for this loop
    async with aiohttp.ClientSession() as client:
        senders = Senders(url, clips, client, kind)
        print(json.dumps({"ready": True}), flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps(await senders.wish(json.loads(line))), flush=True)
        await senders.close_all()


def main() -> None:
    """Drive."""
    parser = argparse.ArgumentParser(description="Holds many senders; see tests.load.sessions.")
    parser.add_argument("--url", required=True)
    parser.add_argument("--rate", type=int, required=True)
    parser.add_argument("--kind", choices=[*KINDS], default="whip", help="the design of the server")
    parser.add_argument("clips", type=Path, nargs="+")
    asked = parser.parse_args()
    asyncio.run(drive(asked.url, [Clip(folder, asked.rate) for folder in asked.clips], asked.kind))


if __name__ == "__main__":
    main()
