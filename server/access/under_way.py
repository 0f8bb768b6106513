"""Requests that are being answered, and by what their sender came: streams and downloads end with it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

from server.passes import Holds
from server.visitor import Visitor


class UnderWay:
    """All of them."""

    def __init__(self) -> None:
        self._tasks: dict[asyncio.Task[object], Visitor] = {}
        self._warned: set[asyncio.Task[object]] = set()

    @contextlib.contextmanager
    def by(self, visitor: Visitor | None) -> Iterator[None]:
        """This task answers them, while inside."""
        task = asyncio.current_task()
        if task is None or visitor is None:
            yield
            return
        self._tasks[task] = visitor
        try:
            yield
        finally:
            self._tasks.pop(task, None)
            self._warned.discard(task)

    def end(self, holds: Holds) -> None:
        """Break off what nobody may ask any more. At the second look: at the first, whoever else looks may end it with
        a word to the other side, and what is about to end does."""
        gone = {task for task, visitor in self._tasks.items() if not holds(visitor)}
        for task in gone & self._warned:
            task.cancel()
        self._warned = gone
