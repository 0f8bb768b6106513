"""Two things at once, where another thread has nothing better to do."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")


def both(beside: Executor | None, one: Callable[[], S], other: Callable[[], T]) -> tuple[S, T]:
    """What ``one`` and ``other`` return; ``one`` is computed by ``beside``, unless no thread there has begun with it
    when ``other`` is done. May be called from a thread of ``beside`` itself: nobody waits for what has not begun."""
    if beside is None:
        return one(), other()
    future = beside.submit(one)
    second = other()
    return one() if future.cancel() else future.result(), second
