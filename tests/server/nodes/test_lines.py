"""What nodes tell each other."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware

from server.nodes.cameras import OtherNodes
from server.nodes.forgetting import HeldElsewhere, LetGo
from server.nodes.lines import PATH, Lines
from server.nodes.register import Register
from server.nodes.word import HEADER, NodeKey, Word
from server.people import People
from server.people.gone import Found, Gone, remains
from tests.packs import open_models
from tests.server.nodes.fleet import SECRET, Listed, Served, browser, know, node, row

A, B = "aaaaaa", "bbbbbb"
CAMERA = {"id": f"{B}~x", "since": "2026-01-01T00:00:00+00:00", "number": 1, "viewers": 0, "state": "live"}
WALL = {"state": CAMERA, "views": []}


@dataclass
class End:
    """A node's end of all lines."""

    rooms: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    asked: list[Mapping[str, Any]] = field(default_factory=list)
    lines: Lines | None = None
    wanted: frozenset[str] = frozenset()
    answers: Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]] | None = None

    def say(self, rooms: frozenset[str]) -> dict[str, Any]:
        self.wanted = rooms
        cameras = {room: [(1, CAMERA["since"], CAMERA["id"]) for _ in there] for room, there in self.rooms.items()}
        return {"cameras": cameras, "rooms": {room: self.rooms.get(room, []) for room in rooms}}

    async def do(self, what: Mapping[str, Any]) -> Mapping[str, Any] | None:
        if self.answers is not None:
            return await self.answers(what)
        self.asked.append({name: value for name, value in what.items() if name != "call"})
        if what.get("break"):
            raise RuntimeError("what is asked for fails")
        return {}

    def middlewares(self, register: Listed, key: NodeKey) -> list[Middleware]:
        self.lines = Lines(cast(Register, register), key, self.say, self.do)
        return [self.lines.middleware()]

    @property
    def others(self) -> OtherNodes:
        assert self.lines is not None
        return OtherNodes(self.lines)


class Held:
    """A place of a node that holds somebody."""

    gone: Gone | None = None

    async def find(self, gone: Gone) -> Found:
        async def erase() -> Mapping[str, int]:
            self.gone = gone
            return {"faces in imports": 3}

        return Found({"films": 1}, erase, [remains("film", "video 1", "deleted")])


def nothing(_app: web.Application) -> None:
    """No routes."""


@contextlib.asynccontextmanager
async def pair(a: End, b: End, secret: bytes = SECRET) -> AsyncIterator[tuple[Served, Served]]:
    """Two nodes that have called each other."""
    async with node(A, nothing, a.middlewares) as one, node(B, nothing, b.middlewares, secret=secret) as two:
        know(one, two)
        for end in (a, b):
            assert end.lines is not None
            end.lines.start()
        try:
            yield one, two
        finally:
            for end in (a, b):
                assert end.lines is not None
                await end.lines.close()


async def until(holds: Callable[[], object], seconds: float = 3.0) -> None:
    """Wait for it. Raises ``TimeoutError``."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_node_is_told_of_the_rooms_it_asks_for_and_no_others() -> None:
    a, b = End(), End({"hall": [WALL], "shop": [WALL]})
    async with pair(a, b):
        others = a.others
        await until(others.counts)
        assert others.counts() == {"hall": 1, "shop": 1}
        assert others.numbers("hall") == {1: (CAMERA["since"], CAMERA["id"])}
        assert others.cameras("hall") == []
        await others.hear_of("hall")
        assert [camera.id for camera in others.cameras("hall")] == [CAMERA["id"]]
        assert others.cameras("shop") == []
        await others.look_at(["shop"])
        await until(lambda: others.cameras("shop"))
        b.rooms.clear()
        await until(lambda: not others.cameras("shop"))
        assert others.counts() == {}


async def test_what_is_asked_for_is_done_there_and_a_failure_ends_no_line() -> None:
    a, b = End(), End()
    async with pair(a, b):
        await until(lambda: a.lines is not None and a.lines.said)
        await a.others.ask({"break": True})
        await a.others.ask({"shut": "hall"})
        await until(lambda: len(b.asked) == 2)
        assert b.asked == [{"break": True}, {"shut": "hall"}]
        assert a.asked == []
        assert a.lines is not None
        assert await a.lines.call({"one": 1}, 2) == {f"node-{B}": {}}
        assert await a.lines.call({"break": True}, 2) == {f"node-{B}": None}


async def test_who_does_not_answer_in_time_or_ends_is_named() -> None:
    async def slow(_what: Mapping[str, Any]) -> Mapping[str, Any]:
        await asyncio.sleep(60)
        return {}

    a, b = End(), End(answers=slow)
    async with pair(a, b) as (one, two):
        assert a.lines is not None
        await until(lambda: a.lines is not None and a.lines.said)
        assert await a.lines.call({"one": 1}, 0.1) == {f"node-{B}": None}
        one.register.rows.append(row("cccccc", "http://localhost:1"))  # dead, and still listed
        calling = asyncio.create_task(a.lines.call({"one": 1}, 30))
        await asyncio.sleep(0.1)
        await two.runner.cleanup()
        assert await asyncio.wait_for(calling, 3) == {f"node-{B}": None, "node-cccccc": None}


async def test_somebody_who_is_forgotten_is_let_go_by_every_node(tmp_path: Path) -> None:
    models = open_models()
    people = await People.open(tmp_path / "p.sqlite3", "a" * 64, 128)
    faces = np.eye(128, dtype=np.float32)
    held = Held()
    let_go = LetGo(people, lambda: models.matcher, [held])
    a, b = End(), End(answers=let_go.do)
    try:
        async with pair(a, b):
            assert a.lines is not None
            await until(lambda: a.lines is not None and a.lines.said)
            gone = Gone("1" * 32, True, faces[0], "Ada", people.gallery, models.matcher)
            found = await HeldElsewhere(a.lines).find(gone)
            assert held.gone is not None
            assert (held.gone.person, held.gone.films, held.gone.name) == ("1" * 32, True, "Ada")
            assert [held.gone.alike(faces[0]), held.gone.alike(faces[1])] == [True, False]
            assert found.counts == {"films": 1, "faces in imports": 3}
            assert list(found.remains) == [remains("film", "video 1", "deleted")]
        # Who cannot be reached stands in the receipt.
        (left,) = (await HeldElsewhere(a.lines).find(gone)).remains
        assert left["where"] == f"node node-{B}"
    finally:
        await people.close()


async def test_a_dead_nodes_cameras_are_gone_at_once_and_back_with_it() -> None:
    a, b = End(), End({"hall": [WALL]})
    async with pair(a, b) as (_one, two):
        await until(a.others.counts)
        await two.runner.cleanup()  # though it is still listed as one that lives
        await until(lambda: not a.others.counts())
        # Whoever asks is not kept waiting for it.
        async with asyncio.timeout(0.2):
            await a.others.hear_of("hall")


async def test_a_node_with_another_secret_is_told_nothing() -> None:
    a, b = End({"hall": [WALL]}), End({"hall": [WALL]})
    async with pair(a, b, secret=b"not the secret of the other one.") as (one, _two):
        await asyncio.sleep(0.3)
        assert a.lines is not None
        assert b.lines is not None
        assert (a.lines.said, b.lines.said) == ({}, {})
        async with browser() as client:
            async with client.get(one.url + PATH) as answer:
                assert answer.status == 404
            # A word that was handed on for a visitor opens no line, whoever asks with it.
            word = Word(B, A, hdrs.METH_GET, PATH, client="127.0.0.1", scheme="http", host="localhost", nonce="x")
            async with client.get(one.url + PATH, headers={HEADER: NodeKey(SECRET).header(word)}) as answer:
                assert answer.status == 404
