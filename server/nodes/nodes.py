"""One of several nodes: put together when a server starts, and taken apart when it ends."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from aiohttp.typedefs import Middleware

from server import __version__
from server.database import Database
from server.nodes.cameras import OtherNodes
from server.nodes.forgetting import HeldElsewhere, LetGo
from server.nodes.forwarding import Forwarding
from server.nodes.lines import Lines
from server.nodes.node import open_node
from server.nodes.register import Load, Register
from server.nodes.word import NodeKey
from server.settings import Settings, StartError
from server.storage.faults import fault

if TYPE_CHECKING:
    from pipeline.matcher import Matcher
    from server.people import People
    from server.rooms.rooms import Rooms

SECRET = "nodes"


class Nodes:
    """This node among the others. Open with ``await Nodes.open(…)``; end it with :meth:`leave` before everything that
    it stands before, and with :meth:`close` after."""

    def __init__(self, register: Register, key: NodeKey) -> None:
        self.register = register
        self.tag = register.node.tag
        self.load: Callable[[], Load] = Load
        """What this node says of itself."""
        self._key = key
        self._forwarding = Forwarding(self.tag, key, register)
        self._lines: Lines | None = None

    @classmethod
    async def open(cls, settings: Settings, people: People) -> Nodes | None:
        """Say that this node is there; ``None`` where it is the only one. Raises
        :class:`server.settings.StartError`."""
        node = open_node(settings)
        if node is None:
            return None
        secret = await people.run(lambda store: store.shared_secret(SECRET, lambda: secrets.token_bytes(32)))
        if secret is None:
            raise StartError("node_url has no use: nodes share a database, and the setting database names none")
        engine = Database(settings.database).engine()
        said: list[Callable[[], Load]] = [Load]
        try:
            register = await Register.open(engine, node, __version__, lambda: said[0]())
        except StartError:
            engine.dispose()
            raise
        except Exception as error:
            engine.dispose()
            if (found := fault(error)) is None:
                raise
            raise StartError(f"this node cannot be registered: {found.words}") from None
        nodes = cls(register, NodeKey(secret))
        said[0] = lambda: nodes.load()
        return nodes

    def connect(self, rooms: Rooms, matcher: Callable[[], Matcher], let_go: LetGo) -> HeldElsewhere:
        """Let rooms span all nodes, and forgetting reach them; the result is what they hold."""

        async def do(what: Mapping[str, Any]) -> Mapping[str, Any]:
            return await (let_go.do(what) if "forget" in what else rooms.asked(what))

        self._lines = Lines(self.register, self._key, rooms.tell, do)
        self._lines.start()
        rooms.join(OtherNodes(self._lines), matcher)
        return HeldElsewhere(self._lines)

    def middlewares(self) -> list[Middleware]:
        """To stand before everything that looks at the visitor."""
        lines = [] if self._lines is None else [self._lines.middleware()]
        return [self._forwarding.middleware(), *lines]

    async def leave(self) -> None:
        """Hang up."""
        if self._lines is not None:
            await self._lines.close()

    async def close(self) -> None:
        """Say that this node has gone."""
        await asyncio.gather(self.register.close(), self._forwarding.close())
