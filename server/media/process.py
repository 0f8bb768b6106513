"""One process that decodes pictures, as its parent sees it; :mod:`server.media.worker` is the process itself.

Pictures come through memory that both share where the system has it for the asking (memfd on Linux), else through the
pipe. Each has memory of its own, which the parent keeps as the picture: nothing is copied.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from pipeline.frame import Image
from server import child
from server.media.decoding import PICTURE, SIDE, Unreadable, Verdict

COMMAND = child.command("server.media.worker")
START = 60.0  # seconds until one that does not say that it is ready is given up
_VERDICTS: dict[bytes, Verdict] = {b"N": "not_a_picture", b"L": "too_large"}

Cause = Literal["crashed", "too_long", "killed"]


class Ended(Exception):
    """The process ended or was ended: it crashed (or answered nonsense), computed too long, or was killed by somebody
    else, as a system does that is short of memory."""

    def __init__(self, cause: Cause, status: int | None) -> None:
        super().__init__(f"{cause}, exit status {status}")
        self.cause = cause
        self.status = status


class Process:
    """Started at once; :meth:`decode` waits until it is ready. Used by one thread at a time. Raises ``OSError``
    where it cannot be started."""

    def __init__(self, command: Sequence[str] = COMMAND) -> None:
        self._ready = False
        self._hand, theirs = _sockets()
        fds = () if theirs is None else (theirs.fileno(),)
        try:
            self._process = subprocess.Popen(
                (*command, *map(str, fds)),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=child.environment(),
                pass_fds=fds,
            )
        except OSError:
            if self._hand is not None:
                self._hand.close()
            raise
        finally:
            if theirs is not None:
                theirs.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def wait_ready(self) -> None:
        """Until it has loaded its libraries and confined itself. Raises :class:`Ended`."""
        if not self._ready:
            with self._within(START):
                if self._read(1) != b"R":
                    raise _Nonsense
            self._ready = True

    def decode(self, data: bytes, seconds: float) -> Image:
        """As :func:`server.media.decoding.decode`, in at most so many seconds. Raises :class:`Ended` too."""
        self.wait_ready()
        with self._within(seconds):
            memory = self._hand_memory()
            try:
                self._write(struct.pack(">I", len(data)), data)
                kind = self._read(1)
                if kind == b"P":
                    return self._picture(memory, *struct.unpack(">II", self._read(8)))
            finally:
                if memory is not None:
                    os.close(memory)
            (length,) = struct.unpack(">I", self._read(4))
            verdict = _VERDICTS.get(kind)
            if verdict is None or length > 1000:
                raise _Nonsense
            raise Unreadable(verdict, self._read(length).decode("utf-8", "replace"))

    def end(self) -> None:
        """Kill it; may be called twice."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._hand):
            if pipe is not None:
                with contextlib.suppress(OSError):  # what was half written to it
                    pipe.close()

    @contextlib.contextmanager
    def _within(self, seconds: float) -> Iterator[None]:
        """It is killed after so many seconds, and when it speaks nonsense: then it is not asked again."""
        late = threading.Event()

        def kill() -> None:
            late.set()
            self._process.kill()

        alarm = threading.Timer(seconds, kill)
        alarm.start()
        try:
            yield
        except (OSError, _Nonsense):
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(1.0)  # it is ending by itself, or mad
            status = self._process.poll()
            self.end()
            raise Ended(_cause(late.is_set(), status), status) from None
        finally:
            alarm.cancel()

    def _hand_memory(self) -> int | None:
        """Give it memory for one picture; returns our descriptor of it. It can neither grow nor be taken away."""
        if self._hand is None:
            return None
        memory = child.shared_memory("picture", PICTURE)
        assert memory is not None  # where there is a hand, there is memory
        try:
            socket.send_fds(self._hand, [b"M"], [memory])
        except BaseException:
            os.close(memory)
            raise
        return memory

    def _picture(self, memory: int | None, height: int, width: int) -> Image:
        if not (0 < height <= SIDE and 0 < width <= SIDE):
            raise _Nonsense
        size = height * width * 3
        shape = (height, width, 3)
        if memory is None:
            return np.frombuffer(self._read(size), np.uint8).reshape(shape)
        shared = mmap.mmap(memory, size, flags=mmap.MAP_SHARED | getattr(mmap, "MAP_POPULATE", 0))
        return np.frombuffer(shared, np.uint8).reshape(shape)  # which keeps the memory while it is wanted

    def _write(self, *parts: bytes) -> None:
        assert self._process.stdin is not None
        for part in parts:
            self._process.stdin.write(part)
        self._process.stdin.flush()

    def _read(self, length: int) -> bytes:
        assert self._process.stdout is not None
        data = self._process.stdout.read(length)
        if len(data) != length:
            raise _Nonsense
        return data


class _Nonsense(Exception):
    """What came is no answer, or not all of one."""


def _cause(late: bool, status: int | None) -> Cause:
    if late or (sys.platform != "win32" and status == -signal.SIGXCPU):
        return "too_long"
    return "killed" if sys.platform != "win32" and status == -signal.SIGKILL else "crashed"


def _sockets() -> tuple[socket.socket | None, socket.socket | None]:
    """Two ends that memory can be handed through; none where there is no such memory."""
    return socket.socketpair() if hasattr(os, "memfd_create") else (None, None)
