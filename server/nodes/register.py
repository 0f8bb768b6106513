"""Which nodes there are: each says every second in the database that it lives, and who has not for three is dead.

Times are the database's, so that nodes need not agree on theirs. Blocking; the heartbeat has a thread and a connection
of its own, so that no long transaction makes a node look dead.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

import sqlalchemy as sa

from server.nodes.node import Node
from server.settings import StartError
from server.storage.nodes import Row, beat, leave, read

logger = logging.getLogger(__name__)

EVERY = 1.0  # seconds between two heartbeats
DEAD = 3.0  # … after the last of which a node is dead
SURE = 2.0  # … for which a node may act on what it read with its last
SETTLED = 2.5  # … a node has to be there before it takes work on: by then whoever acts knows of it
FORGOTTEN = 24 * 3600.0  # … after which a dead node is no longer listed

T = TypeVar("T")
Changed = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Load:
    """What a node says of itself with each heartbeat."""

    sessions: int = 0
    draining: bool = False


class Register:
    """The nodes as of the last heartbeat. Open with ``await Register.open(…)``, end with :meth:`close`.

    ``load`` is asked before each heartbeat; ``changed`` is called after each that brought something new.
    """

    def __init__(
        self, engine: sa.Engine, node: Node, version: str, load: Callable[[], Load], clock: Callable[[], float]
    ) -> None:
        self._engine = engine
        self.node = node
        self._version = version
        self._load = load
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="nodes")
        self._rows: tuple[Row, ...] = ()
        self._read = -1e9
        self._task: asyncio.Task[None] | None = None
        self._failing = False
        self._listeners: list[Changed] = []

    @classmethod
    async def open(
        cls,
        engine: sa.Engine,
        node: Node,
        version: str,
        load: Callable[[], Load] = Load,
        clock: Callable[[], float] = time.monotonic,
    ) -> Register:
        """Say that this node is there. Raises :class:`server.settings.StartError` where another bears its name or
        tag."""
        register = cls(engine, node, version, load, clock)
        try:
            await register._run(lambda: _require_own(read(engine), node))
            await register.beat(started=True)
        except BaseException:
            register._thread.shutdown(wait=False)
            raise
        register._task = asyncio.create_task(register._work(), name="nodes: heartbeat")
        return register

    async def close(self) -> None:
        """Say that this node has gone."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        with contextlib.suppress(sa.exc.SQLAlchemyError):
            await self._run(lambda: leave(self._engine, self.node.tag))
        self._thread.shutdown(wait=False)
        self._engine.dispose()

    def when_changed(self, changed: Changed) -> None:
        """Call this when nodes came or went."""
        self._listeners.append(changed)

    # -- who is there ------------------------------------------------------------------------------------------------

    @property
    def all(self) -> tuple[Row, ...]:
        """Every node that is listed, with the seconds since it was last seen as of now."""
        since = max(0.0, self._clock() - self._read)
        return tuple(replace(row, silent=row.silent + since, up=row.up + since) for row in self._rows)

    @property
    def others(self) -> tuple[Row, ...]:
        """The other nodes that lived when the database could last be asked."""
        return tuple(row for row in self._rows if row.tag != self.node.tag and row.silent < DEAD)

    def other(self, tag: str) -> Row | None:
        """One of them."""
        return next((row for row in self.others if row.tag == tag), None)

    def mine(self, work: str) -> bool:
        """Whether this node is the one that does a piece of work now; never two at a time.

        Each work goes to one of the nodes that live, by the hash of both, so that few change hands when one comes or
        goes. A node that could not say that it lives does nothing before the others take it for dead.
        """
        return self._owner(work) == self.node.tag

    def theirs(self, work: str) -> bool:
        """Whether another node does it now, for sure."""
        return self._owner(work) not in (None, self.node.tag)

    def _owner(self, work: str) -> str | None:
        if self._clock() - self._read > SURE:
            return None
        able = [row for row in self.all if row.silent < DEAD and not row.draining and row.up >= SETTLED]
        return max(able, key=lambda row: _weight(work, row.tag)).tag if able else None

    # -- the heartbeat -----------------------------------------------------------------------------------------------

    async def beat(self, *, started: bool = False) -> None:
        """One of them. Raises ``sqlalchemy.exc.SQLAlchemyError``."""
        load, before = self._load(), self._clock()  # the time first: what others see of it is newer
        row = {
            "tag": self.node.tag, "name": self.node.name, "url": self.node.url, "version": self._version,
            "sessions": load.sessions, "draining": load.draining,
        }  # fmt: skip
        rows = await self._run(lambda: beat(self._engine, row, started=started, dead=DEAD, forget=FORGOTTEN))
        known = {one.tag for one in self.others}
        self._rows, self._read = rows, before
        if {one.tag for one in self.others} != known:
            for changed in self._listeners:
                changed()

    async def _work(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            try:
                await self.beat()
                if self._failing:
                    logger.warning("nodes: the database answers again")
                self._failing = False
            except Exception as error:  # a database that is away must not end this
                if not self._failing:
                    logger.error("nodes: no heartbeat, for the database does not answer: %s", type(error).__name__)
                self._failing = True

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _weight(work: str, tag: str) -> bytes:
    return hashlib.sha256(f"{work}\x1f{tag}".encode()).digest()


def _require_own(rows: tuple[Row, ...], node: Node) -> None:
    for row in rows:
        if row.silent >= DEAD:
            continue
        if row.tag != node.tag and row.name == node.name:
            raise StartError(f"node_name = {node.name}: another node bears this name; choose another")
        if row.tag == node.tag and row.url != node.url:
            raise StartError(
                f"the node at {row.url} runs with a copy of this data folder; give each node a folder of its own"
            )
