"""One of several nodes: put together when a server starts, and taken apart when it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from aiohttp.typedefs import Middleware

from server.nodes.cameras import OtherNodes
from server.nodes.forwarding import Forwarding
from server.nodes.lines import Lines
from server.nodes.register import Register
from server.nodes.word import NodeKey

if TYPE_CHECKING:
    from pipeline.matcher import Matcher
    from server.rooms.rooms import Rooms


class Nodes:
    """This node among the others. End it with :meth:`close`; ``register`` is closed with it."""

    def __init__(self, register: Register, key: NodeKey) -> None:
        self.register = register
        self.tag = register.node.tag
        self._key = key
        self._forwarding = Forwarding(self.tag, key, register)
        self._lines: Lines | None = None

    def connect(self, rooms: Rooms, matcher: Callable[[], Matcher]) -> None:
        """Let rooms span all nodes."""
        self._lines = Lines(self.register, self._key, rooms.tell, rooms.asked)
        self._lines.start()
        rooms.join(OtherNodes(self._lines), matcher)

    def middlewares(self) -> list[Middleware]:
        """To stand before everything that looks at the visitor."""
        lines = [] if self._lines is None else [self._lines.middleware()]
        return [self._forwarding.middleware(), *lines]

    async def close(self) -> None:
        """Say that this node has gone, and hang up."""
        await self.register.close()
        if self._lines is not None:
            await self._lines.close()
        await self._forwarding.close()
