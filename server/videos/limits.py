"""What a video may be, and what its process may take: held before the first picture is decoded, and as it goes on."""

from __future__ import annotations

import contextlib
import os
import sys

FILE_BYTES = 4 * 1024**3  # of one video
TOTAL_BYTES = 32 * 1024**3  # of all that are kept
SPARE_BYTES = 1024**3  # left free on the disk
VIDEOS = 500  # kept
SECONDS = 6 * 3600.0
PIXELS = 8192 * 4320  # of one picture
SIDE = 8192  # pixels
STREAMS = 32
TRACKS = 5_000  # faces followed in one video
MEMORY = 3 * 1024**3  # bytes of a worker's data
CPU_BASE, CPU_SHARE = 120, 10.0  # seconds of processor, and further ones for each second of video
SILENCE = 1800.0  # seconds without a word after which a worker is taken for hung
NICE = 10


class VideoRefused(ValueError):
    """A video that is not taken or cannot be read; the message says why, as a sentence."""


def check(width: int, height: int, seconds: float | None, streams: int) -> None:
    """Hold what a file says of itself against the limits. Raises :class:`VideoRefused`."""
    if streams > STREAMS:
        raise VideoRefused(f"The file holds {streams} streams; {STREAMS} are the most.")
    if width * height > PIXELS or max(width, height) > SIDE:
        raise VideoRefused(f"Its pictures have {width}×{height} pixels; 8192×4320 are the most.")
    if min(width, height) < 16:
        raise VideoRefused(f"Its pictures have {width}×{height} pixels; 16×16 are the least.")
    if seconds is not None and seconds > SECONDS:
        raise VideoRefused(f"The video is longer than {SECONDS / 3600:g} hours; cut it first.")


def be_modest() -> None:
    """Let live sessions go first, and bound this process's memory where the system can."""
    if hasattr(os, "nice"):
        os.nice(NICE)
    if sys.platform == "linux":
        import resource

        with contextlib.suppress(OSError, ValueError):  # a lower limit stands already
            resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))


def give_way() -> None:
    """From now on run only where nothing else wants to, on Linux: no live frame waits for this process."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def bound_time(seconds: float | None) -> None:
    """Bound what this process may compute for a video of so many seconds, the longest where that is unknown."""
    if sys.platform != "win32":
        import resource

        limit = round(CPU_BASE + CPU_SHARE * (SECONDS if seconds is None else seconds))
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
