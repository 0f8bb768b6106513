"""Viewers of a room, as cheap as they come: what they are sent is counted by its packets' headers and not decoded."""

from __future__ import annotations

import random
from typing import Any

import aiohttp

from tests.server.viewing import Viewing

SDP = {"Content-Type": "application/sdp"}


class Watchers:
    """So many viewers of a room, each of one camera; one whose camera has gone is replaced."""

    def __init__(self, url: str, client: aiohttp.ClientSession) -> None:
        self._url, self._client = url, client
        self._there: dict[str, tuple[str, Viewing]] = {}  # a viewer's address: camera, viewing
        self._chance = random.Random(0)

    async def keep(self, room: str, number: int) -> dict[str, Any]:
        """Let there be so many; how many there are, and how many pictures came to them since the last time."""
        pictures = 0
        async with self._client.get(f"{self._url}/api/v1/rooms/{room}") as answer:
            cameras = [one["id"] for one in (await answer.json()).get("cameras", [])]
        for address, (camera, viewing) in tuple(self._there.items()):
            pictures += len(viewing.frames)
            viewing.frames.clear()
            viewing.results.clear()
            if camera not in cameras or viewing.pc.connectionState in ("failed", "closed"):
                del self._there[address]
                await viewing.close()
        while cameras and len(self._there) < number:
            camera = self._chance.choice(cameras)
            viewing = Viewing()
            viewing.only_headers()
            where = f"{self._url}/api/v1/rooms/{room}/cameras/{camera}/whep"
            async with self._client.post(where, data=await viewing.offer(), headers=SDP) as answer:
                if answer.status != 201:  # this camera has just gone, or has not shown anything yet
                    await viewing.close()
                    break
                await viewing.accept(await answer.text())
                self._there[answer.headers["Location"]] = camera, viewing
        return {"watching": len(self._there), "pictures": pictures}

    async def close(self) -> None:
        """Let all go."""
        for _, viewing in self._there.values():
            await viewing.close()
        self._there.clear()
