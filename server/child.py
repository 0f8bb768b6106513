"""What processes that we start of our own packages have in common: how they are called, what they know of the
environment, and memory they share with us."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

HOME = Path(__file__).resolve().parents[1]  # where our packages lie
_PASSED_ON = ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR", "TEMP", "HOME")  # no secrets


def command(module: str) -> tuple[str, ...]:
    """What runs one of our modules; never of a folder `server` that happens to lie where this was started."""
    return (sys.executable, "-P", "-m", module)


def environment(prefixes: Sequence[str] = ()) -> dict[str, str]:
    """What a process may know: where libraries are, and the variables that begin with one of ``prefixes``."""
    known = {name: value for name, value in os.environ.items() if name in _PASSED_ON or name.startswith((*prefixes,))}
    return {**known, "PYTHONPATH": str(HOME), "OPENBLAS_NUM_THREADS": "1"}


def shared_memory(name: str, size: int) -> int | None:
    """A descriptor of ``size`` bytes that can neither grow nor be taken away, and that no file names: they are gone
    with the last who has them. ``None`` where the system has no such memory."""
    if not hasattr(os, "memfd_create"):
        return None
    import fcntl

    memory = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(memory, size)
        fcntl.fcntl(memory, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    except BaseException:
        os.close(memory)
        raise
    return memory
