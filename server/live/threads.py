"""The threads that recognise."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
Queue = deque[tuple[Future[Any], Callable[[], Any]]]


class RecognisingThreads(Executor):
    """So many threads. What is submitted to :attr:`continuing` goes before everything else: a picture that is begun is
    finished before another one is, so that with many sessions none waits for the whole queue twice."""

    def __init__(self, threads: int) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="recognise")
        self._lock = threading.Lock()
        self._begun: Queue = deque()
        self._new: Queue = deque()
        self.continuing: Executor = _Continuing(self)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run it when what came before has begun. Raises ``RuntimeError`` after :meth:`shutdown`."""
        return self._put(self._new, partial(fn, *args, **kwargs))

    def submit_first(self, job: Callable[[], T]) -> Future[T]:
        """Run it before what :meth:`submit` was given. Raises ``RuntimeError`` after :meth:`shutdown`."""
        return self._put(self._begun, job)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=cancel_futures)
        with self._lock:
            waiting = [*self._begun, *self._new] if cancel_futures else []
        for future, _ in waiting:
            future.cancel()
        self._threads.shutdown(wait)

    def _put(self, queue: Queue, job: Callable[[], T]) -> Future[T]:
        future: Future[T] = Future()
        with self._lock:
            self._threads.submit(self._next)  # whose turn it is then is seen when a thread is free
            queue.append((future, job))
        return future

    def _next(self) -> None:
        with self._lock:
            future, job = (self._begun or self._new).popleft()
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(job())
            except BaseException as error:  # whoever waits for it is told, as by every executor
                future.set_exception(error)


class _Continuing(Executor):
    def __init__(self, threads: RecognisingThreads) -> None:
        self._threads = threads

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        return self._threads.submit_first(partial(fn, *args, **kwargs))
