"""The threads that recognise: what is begun comes first, and nothing is lost."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future

import pytest

from server.live.threads import RecognisingThreads

SOON = 5.0  # seconds


@pytest.fixture
def threads() -> Iterator[RecognisingThreads]:
    threads = RecognisingThreads(1)
    yield threads
    threads.shutdown(cancel_futures=True)


def held(threads: RecognisingThreads) -> threading.Event:
    """Keep its one thread busy until the event is set."""
    began, free = threading.Event(), threading.Event()
    threads.submit(lambda: (began.set(), free.wait(SOON)))
    assert began.wait(SOON)
    return free


def test_what_is_begun_comes_before_what_is_new_and_each_in_its_order(threads: RecognisingThreads) -> None:
    free = held(threads)
    order: list[str] = []
    jobs: list[Future[None]] = [threads.submit(order.append, "new 1")]
    jobs.append(threads.continuing.submit(order.append, "begun 1"))
    jobs.append(threads.submit(order.append, "new 2"))
    jobs.append(threads.continuing.submit(order.append, "begun 2"))
    free.set()
    for job in jobs:
        job.result(SOON)
    assert order == ["begun 1", "begun 2", "new 1", "new 2"]


def test_everything_that_many_submit_at_once_is_run_once() -> None:
    threads = RecognisingThreads(4)
    ran: list[int] = []

    def submit(start: int) -> None:
        for number in range(start, start + 250):
            (threads.continuing if number % 3 else threads).submit(ran.append, number)

    writers = [threading.Thread(target=submit, args=(start,)) for start in range(0, 2000, 250)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    threads.shutdown()
    assert sorted(ran) == list(range(2000))


async def test_a_fault_is_for_whoever_waits_and_the_thread_goes_on(threads: RecognisingThreads) -> None:
    loop = asyncio.get_running_loop()
    with pytest.raises(ZeroDivisionError):
        await loop.run_in_executor(threads.continuing, lambda: 1 / 0)
    assert await loop.run_in_executor(threads, sum, (1, 2)) == 3


def test_what_was_cancelled_is_not_run(threads: RecognisingThreads) -> None:
    free = held(threads)
    order: list[str] = []
    dropped = threads.submit(order.append, "dropped")
    kept = threads.submit(order.append, "kept")
    assert dropped.cancel()
    free.set()
    kept.result(SOON)
    assert order == ["kept"]


def test_after_the_end_nothing_is_taken_and_what_waited_is_cancelled(threads: RecognisingThreads) -> None:
    free = held(threads)
    waiting = [threads.submit(int), threads.continuing.submit(int)]
    ending = threading.Thread(target=threads.shutdown, kwargs={"cancel_futures": True})
    ending.start()
    for job in waiting:
        with pytest.raises(CancelledError):
            job.result(SOON)
    free.set()
    ending.join(SOON)
    assert not ending.is_alive()
    for executor in (threads, threads.continuing):
        with pytest.raises(RuntimeError, match="shutdown"):
            executor.submit(int)
