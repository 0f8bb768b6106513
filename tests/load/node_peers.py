"""What a page does in the face of nodes that end: sends a camera, hears its names, and comes back by itself."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
from typing import Any

import aiohttp
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from server.transport import tune_sender
from tests.load.room import SDP, Encoded

BACKOFF = (0.5, 1.0, 2.0, 3.0)  # seconds, as static/reconnect.js
SILENT = 1.2  # … without a result, after which a page asks what has become of its session


class Page:
    """One camera behind a load balancer; begin with :meth:`start`, end with :meth:`close`. Times are ``monotonic``."""

    def __init__(self, url: str, client: aiohttp.ClientSession, room: str | None = None) -> None:
        self.results: list[tuple[float, frozenset[str], str]] = []  # when, which names, of which session
        self.messages: list[tuple[float, dict[str, Any]]] = []
        self.session = ""
        self.refused: list[int] = []  # statuses of offers that were not taken
        self._url, self._client = url, client
        self._room = f"room={room}" if room else ""
        self._resume = ""
        self._faces: list[dict[str, Any]] = []
        self._numbers = itertools.count(1)
        self._pc: RTCPeerConnection | None = None
        self._commands: Any = None
        self._task: asyncio.Task[None] | None = None
        self._broke = asyncio.Event()

    def start(self) -> None:
        """Connect, and again whenever it breaks."""
        self._task = asyncio.create_task(self._keep())

    async def close(self) -> None:
        """Go."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._hang_up()

    async def named(self, name: str, after: float, within: float) -> float:
        """Seconds from ``after`` (a time) until a result has this name. Raises ``TimeoutError``."""
        return await self._until(lambda at, names, _session: at >= after and name in names, after, within)

    async def live(self, after: float, within: float, before: str = "") -> float:
        """Seconds from ``after`` until there is a result of another session than ``before``."""
        return await self._until(lambda at, _names, session: at >= after and session != before, after, within)

    async def _until(self, wanted: Any, after: float, within: float) -> float:
        seen = 0
        async with asyncio.timeout(within + max(0.0, after - time.monotonic())):
            while True:
                for at, names, session in self.results[seen:]:
                    seen += 1
                    if wanted(at, names, session):
                        return at - after
                await asyncio.sleep(0.01)

    async def enrol(self, name: str, within: float = 20.0) -> dict[str, Any]:
        """Enrol the face before the camera: the message ``enrolled``, or the ``error``."""
        async with asyncio.timeout(within):
            while not self._faces:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            number, seen = next(self._numbers), len(self.messages)
            wish = {"v": 1, "type": "enrol", "id": number, "track": self._faces[0]["track"], "name": name}
            self._commands.send(json.dumps(wish))
            while True:
                for _, said in self.messages[seen:]:
                    seen += 1
                    if said["type"] == "error" or (said["type"] == "enrolled" and said["id"] == number):
                        return said
                await asyncio.sleep(0.02)

    # -- the connection ----------------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        tries = 0
        while True:
            self._broke.clear()
            try:
                await self._connect()
                if await self._stays():
                    tries = 0
            except (aiohttp.ClientError, TimeoutError, ConnectionError):
                pass
            await self._hang_up()
            await asyncio.sleep(BACKOFF[min(tries, len(BACKOFF) - 1)])
            tries += 1

    async def _connect(self) -> None:
        pc = self._pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        track = Encoded()
        track.sender = pc.addTrack(track)
        tune_sender(track.sender, track.want_key)
        pc.createDataChannel("results", ordered=False, maxRetransmits=0).on("message", self._result)
        self._commands = pc.createDataChannel("commands")
        self._commands.on("message", self._message)
        self._commands.on("close", self._broke.set)
        await pc.setLocalDescription(await pc.createOffer())
        asked = "&".join(filter(None, (self._room, f"resume={self._resume}" if self._resume else "")))
        timeout = aiohttp.ClientTimeout(total=8.0)
        where = f"{self._url}/api/v1/whip?{asked}"
        async with self._client.post(where, data=pc.localDescription.sdp, headers=SDP, timeout=timeout) as answer:
            if answer.status != 201:
                self.refused.append(answer.status)
                raise ConnectionError
            self.session = answer.headers["Location"].rpartition("/")[2]
            await pc.setRemoteDescription(RTCSessionDescription(await answer.text(), "answer"))

    async def _stays(self) -> bool:
        """Until it breaks; whether it ever worked."""
        mine, began = self.session, time.monotonic()
        while not self._broke.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._broke.wait(), 0.2)
            last = self.results[-1][0] if self.results and self.results[-1][2] == mine else None
            if last is None and time.monotonic() - began > 8.0:
                return False
            if last is not None and time.monotonic() - last > SILENT and await self._gone():
                return True
        return any(session == mine for _, _, session in self.results[-1:])

    async def _gone(self) -> bool:
        """What static/session.js asks when results stop."""
        try:
            timeout = aiohttp.ClientTimeout(total=1.0)
            where = f"{self._url}/api/v1/sessions/{self.session}"
            async with self._client.get(where, timeout=timeout) as answer:
                return answer.status != 200
        except (aiohttp.ClientError, TimeoutError):
            return True

    async def _hang_up(self) -> None:
        pc, self._pc = self._pc, None
        if pc is not None:
            await pc.close()

    def _result(self, raw: str) -> None:
        said = json.loads(raw)
        self._faces = said["faces"]
        names = frozenset(face["name"] for face in said["faces"] if face.get("name"))
        self.results.append((time.monotonic(), names, self.session))

    def _message(self, raw: str) -> None:
        said = json.loads(raw)
        self.messages.append((time.monotonic(), said))
        if said["type"] == "hello":
            self._resume = said.get("resume") or ""
