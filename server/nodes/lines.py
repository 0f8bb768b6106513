"""What nodes tell each other beside the database: a line from each to each, a WebSocket whose messages are sealed.

Over its line to another node a node says which rooms somebody looks at here, and what is to be done there; it is told,
whenever it changes, which cameras every room has there, and all about the rooms that were asked for. The database
would have to write each of that down; and what goes this way goes on while it is away. That a line broke says at once
that a node has ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import hdrs, web
from yarl import URL

from server.nodes.forwarding import BY_NODE
from server.nodes.register import Register
from server.nodes.word import HEADER, NodeKey, NotOurs, Word
from server.storage.nodes import Row

logger = logging.getLogger(__name__)

PATH = "/api/v1/nodes/line"
LOOK = 0.25  # seconds between two looks at what there is to tell
AGAIN = 0.5  # … before a broken line is tried again
HEARTBEAT = 2.0  # … between two signs of life; half of it without an answer ends a line
LARGEST = 16 * 1024 * 1024  # bytes of a message
Say = Callable[[frozenset[str]], Mapping[str, Any]]
"""What there is of these rooms here, as JSON has it."""
Do = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any] | None]]
"""Do what another node asks for, and answer."""


@dataclass(slots=True)
class Line:
    """To one other node, and what it last said."""

    node: Row
    task: asyncio.Task[None] | None = None
    socket: aiohttp.ClientWebSocketResponse | None = None
    bound: str = ""
    said: Mapping[str, Any] = field(default_factory=dict)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: dict[int, asyncio.Future[Mapping[str, Any] | None]] = field(default_factory=dict)  # for answers


@dataclass(slots=True)
class _Wanted:
    """Which rooms a node that has called wants to be told of."""

    rooms: frozenset[str] = frozenset()
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class Lines:
    """All of this node's. Open with :meth:`start`, end with :meth:`close`."""

    def __init__(self, register: Register, key: NodeKey, say: Say, do: Do) -> None:
        self._register = register
        self._me = register.node.tag
        self._key = key
        self._say = say
        self._do = do
        self._lines: dict[str, Line] = {}
        self._rooms: frozenset[str] = frozenset()
        self._sockets: set[web.WebSocketResponse] = set()
        self._numbers = itertools.count(1)  # of calls
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None, sock_connect=1.5))

    def start(self) -> None:
        """Call every node there is, and whoever comes."""
        self._register.when_changed(self._follow)
        self._follow()

    async def close(self) -> None:
        """Hang up."""
        tasks = [line.task for line in self._lines.values() if line.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for socket in tuple(self._sockets):
            await socket.close()
        await self._http.close()

    @property
    def said(self) -> dict[str, Mapping[str, Any]]:
        """What each node last said, of those whose line holds."""
        return {tag: line.said for tag, line in self._lines.items() if line.said}

    async def look_at(self, rooms: frozenset[str]) -> None:
        """Be told of these rooms from now on."""
        if rooms == self._rooms:
            return
        self._rooms = rooms
        await self.ask({"rooms": sorted(rooms)})

    async def ask(self, what: Mapping[str, Any]) -> None:
        """Ask every node for something; whoever cannot be reached misses it."""
        text = json.dumps(what)
        await asyncio.gather(*(self._send(line, text) for line in tuple(self._lines.values())))

    async def call(self, what: Mapping[str, Any], seconds: float) -> dict[str, Mapping[str, Any] | None]:
        """Ask every node for something and wait for their answers, by name; ``None``: it gave none in time. Nodes that
        are listed and have no line are among them."""
        there = {row.tag: row.name for row in self._register.all if row.tag != self._me}
        there |= {tag: line.node.name for tag, line in self._lines.items()}
        answers = await asyncio.gather(*(self._call_one(tag, what, seconds) for tag in there))
        return dict(zip(there.values(), answers, strict=True))

    async def _call_one(self, tag: str, what: Mapping[str, Any], seconds: float) -> Mapping[str, Any] | None:
        line = self._lines.get(tag)
        if line is None or line.socket is None:
            return None
        number = next(self._numbers)
        answer: asyncio.Future[Mapping[str, Any] | None] = asyncio.get_running_loop().create_future()
        line.waiting[number] = answer
        try:
            async with asyncio.timeout(seconds):
                await self._send(line, json.dumps({**what, "call": number}))
                return await answer
        except TimeoutError:
            return None
        finally:
            line.waiting.pop(number, None)

    async def hear(self, done: Callable[[Mapping[str, Any]], bool], seconds: float) -> None:
        """Wait until what every line said satisfies ``done``, and no longer than this."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                for line in tuple(self._lines.values()):
                    while line.socket is not None and not done(line.said):
                        line.news.clear()
                        await line.news.wait()

    # -- calling -----------------------------------------------------------------------------------------------------

    def _follow(self) -> None:
        there = {node.tag: node for node in self._register.others}
        for tag in self._lines.keys() - there.keys():
            # A line that holds is believed more than a heartbeat that is late.
            line = self._lines[tag]
            if line.socket is None and line.task is not None:
                line.task.cancel()
                del self._lines[tag]
        for tag, node in there.items():
            if tag not in self._lines:
                line = self._lines[tag] = Line(node)
                line.task = asyncio.create_task(self._keep(line), name=f"nodes: line to {tag}")

    async def _keep(self, line: Line) -> None:
        failing = False
        while True:
            try:
                await self._call(line)
                failing = False
            except (aiohttp.ClientError, TimeoutError, OSError, NotOurs) as error:
                if not failing:
                    logger.warning("nodes: no line to %s: %s", line.node.name, type(error).__name__)
                failing = True
            finally:
                line.socket, line.said = None, {}
                line.news.set()
                for waiting in line.waiting.values():
                    if not waiting.done():
                        waiting.set_result(None)
            known = self._register.other(line.node.tag)
            if known is None:  # called again when it is back
                self._lines.pop(line.node.tag, None)
                return
            line.node = known
            await asyncio.sleep(AGAIN)

    async def _call(self, line: Line) -> None:
        nonce = secrets.token_hex(16)
        word = Word(self._me, line.node.tag, hdrs.METH_GET, PATH, nonce=nonce)
        url = URL(line.node.url.rstrip("/") + PATH)
        headers = {HEADER: self._key.header(word)}
        async with self._http.ws_connect(url, headers=headers, heartbeat=HEARTBEAT, max_msg_size=LARGEST) as socket:
            line.bound = f"{self._me} {line.node.tag} {nonce}"
            line.socket = socket
            await self._send(line, json.dumps({"rooms": sorted(self._rooms)}))
            async for message in socket:
                if message.type is aiohttp.WSMsgType.BINARY:
                    said = json.loads(self._key.open(message.data, f"answer {line.bound}"))
                    if "call" in said:
                        waiting = line.waiting.get(said["call"])
                        if waiting is not None and not waiting.done():
                            waiting.set_result(said["answer"])
                        continue
                    line.said = said
                    line.news.set()

    async def _send(self, line: Line, text: str) -> None:
        if line.socket is not None:
            with contextlib.suppress(ConnectionError, aiohttp.ClientError):
                await line.socket.send_bytes(self._key.seal(text, f"ask {line.bound}"))

    # -- being called ------------------------------------------------------------------------------------------------

    def middleware(self) -> Any:
        """Takes calls of nodes; there is no route, so that for anybody else there is nothing."""

        @web.middleware
        async def take(request: web.Request, handler: Any) -> web.StreamResponse:
            word = request.get(BY_NODE)
            if request.path == PATH and word is not None and word.nonce and not word.client:
                return await self._taken(request, word)
            response: web.StreamResponse = await handler(request)
            return response

        return take

    async def _taken(self, request: web.Request, word: Word) -> web.StreamResponse:
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT, max_msg_size=LARGEST, timeout=1.0)
        await socket.prepare(request)
        self._sockets.add(socket)
        bound = f"{word.sender} {self._me} {word.nonce}"
        wanted = _Wanted()
        answers = f"answer {bound}"
        tasks = {asyncio.create_task(self._tell(socket, answers, wanted), name="nodes: tell")}
        try:
            async for message in socket:
                if message.type is not aiohttp.WSMsgType.BINARY:
                    continue
                asked = json.loads(self._key.open(message.data, f"ask {bound}"))
                if "rooms" in asked:
                    wanted.rooms = frozenset(asked["rooms"])
                    wanted.changed.set()
                else:
                    tasks.add(asyncio.create_task(self._done(socket, answers, asked), name="nodes: do"))
                    tasks = {task for task in tasks if not task.done()}
        except NotOurs:
            logger.warning("nodes: a message on a line was not sealed by a node of ours")
        finally:
            self._sockets.discard(socket)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await socket.close()
        return socket

    async def _tell(self, socket: web.WebSocketResponse, bound: str, wanted: _Wanted) -> None:
        before = ""
        while not socket.closed:
            wanted.changed.clear()
            text = json.dumps(self._say(wanted.rooms), separators=(",", ":"))
            if text != before:
                before = text
                await socket.send_bytes(self._key.seal(text, bound))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK):
                    await wanted.changed.wait()

    async def _done(self, socket: web.WebSocketResponse, bound: str, asked: Mapping[str, Any]) -> None:
        answer = None
        try:
            answer = await self._do(asked)
        except Exception as error:  # the line has to hold
            logger.error("nodes: what another node asked for failed: %s", type(error).__name__)
        if "call" in asked and not socket.closed:
            with contextlib.suppress(ConnectionError):
                await socket.send_bytes(self._key.seal(json.dumps({"call": asked["call"], "answer": answer}), bound))
