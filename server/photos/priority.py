"""Photos step back where a live frame wants the processor."""

from __future__ import annotations

import contextlib
import os
import sys
import threading

NICE = 10


def step_back() -> None:
    """Lower the priority of the thread that calls, for good; on Linux, where threads have one of their own."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
