"""What a running server does about its own memory: nothing that ended is kept, and nothing that is free."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import sys
from collections.abc import AsyncIterator

GIVEN_BACK = 30.0  # seconds between two times


def set_apart_what_stays() -> None:
    """Keep what a running server always has out of the collector's rounds, so that these take little. Sessions that
    ended (cycles, with a picture each) are found soon then: a full round comes as often as a small one, as long as a
    quarter is new."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(700, 10, 1)
    gc.collect()  # of nothing: a quarter of this is soon reached


def give_back() -> bool:
    """Give the system the memory that is free between what is used: where pictures come and go beside sessions that
    stay, it would grow for an hour otherwise. False where the C library cannot (``malloc_trim`` is glibc's)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is None:
        return False
    trim(0)
    return True


@contextlib.asynccontextmanager
async def lean(every: float = GIVEN_BACK) -> AsyncIterator[None]:
    """Set apart what there is now; meanwhile give back what becomes free, every so many seconds, in a thread."""
    set_apart_what_stays()
    task = asyncio.create_task(_giving_back(every), name="memory: give back")
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _giving_back(every: float) -> None:
    while True:
        if not await asyncio.to_thread(give_back):
            return
        await asyncio.sleep(every)
