"""Work a little ahead of whoever takes the results, in a thread of its own."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Generator, Iterator
from typing import TypeVar

T = TypeVar("T")

_END = object()


@contextlib.contextmanager
def ahead(items: Iterator[T], most: int, in_turn: Callable[[], bool]) -> Iterator[Iterator[T]]:
    """The same items, at most ``most`` of them made before they are taken; what making one raises is raised where it
    would have been taken. On leaving, no more are made: the thread has ended.

    While ``in_turn`` says so, an item is made or worked on, never both at once: one processor is left to others.
    """
    made: queue.SimpleQueue[object] = queue.SimpleQueue()  # bounded by what is wanted
    wanted = threading.Semaphore(most)
    over = threading.Event()
    turn = threading.Lock()
    failed: list[BaseException] = []

    def make() -> None:
        try:
            while wanted.acquire() and not over.is_set():
                with _held(turn, in_turn()):
                    item = next(items, _END)
                made.put(item)
                if item is _END:
                    return
        except BaseException as error:
            failed.append(error)
            made.put(_END)

    def take() -> Generator[T]:
        while (item := made.get()) is not _END:
            wanted.release()
            with _held(turn, in_turn()):
                yield item  # type: ignore[misc]
        if failed:
            raise failed[0]

    thread = threading.Thread(target=make, name="ahead", daemon=True)
    thread.start()
    taken = take()
    try:
        yield taken
    finally:
        over.set()
        taken.close()  # it may hold the turn
        wanted.release()
        thread.join()


def _held(lock: threading.Lock, wanted: bool) -> contextlib.AbstractContextManager[object]:
    return lock if wanted else contextlib.nullcontext()
