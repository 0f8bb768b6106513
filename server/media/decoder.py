"""Decodes what strangers send in processes of its own: a file that makes a library crash, hang or swell ends its
process, which is replaced, and nothing else."""

from __future__ import annotations

import contextlib
import logging
import mmap
import os
import queue
import struct
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.frame import Image
from server.media.decoding import PICTURE, SIDE, Unreadable, Verdict, check

logger = logging.getLogger(__name__)

SECONDS = 30.0  # until a process that does not answer is ended; it may compute less (server/media/worker.py)
KEPT = 16 << 20  # bytes of shared memory that stay taken between two pictures
HOME = Path(__file__).resolve().parents[2]  # where our packages lie
# Never a folder `server` that happens to lie where this was started.
COMMAND = (sys.executable, "-P", "-m", "server.media.worker")
PASSED_ON = ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR", "TEMP", "HOME")  # no secrets
_VERDICTS: dict[bytes, Verdict] = {b"N": "not_a_picture", b"L": "too_large"}


class DecoderClosed(RuntimeError):
    """Decoding was asked for after the end."""


class Decoder:
    """``processes`` of them, started at once, used by as many threads at a time; further ones wait. Raises ``OSError``
    where none can be started. End with :meth:`close`."""

    def __init__(self, processes: int = 1, command: Sequence[str] = COMMAND, seconds: float = SECONDS) -> None:
        self._command = tuple(command)
        self._seconds = seconds
        self._closed = False
        self._free: queue.LifoQueue[_Process] = queue.LifoQueue()
        for _ in range(processes):
            self._free.put(self._start())
        self._processes = processes

    def decode(self, data: bytes) -> Image:
        """As :func:`server.media.decoding.decode`. Blocks. What ends its process is said to be unreadable."""
        check(data)
        process = self._free.get()
        try:
            if self._closed:
                raise DecoderClosed("pictures are no longer decoded")
            if process.ended:  # it ended while nobody asked
                process = self._replaced(process)
            try:
                return self._ask(process, data)
            except _Ended:
                logger.warning("a picture ended the process that decoded it")
                process = self._replaced(process)
                raise Unreadable(
                    "not_a_picture", "Decoding this picture took too long, or more memory than a photo may take."
                ) from None
        finally:
            self._free.put(process)

    def close(self) -> None:
        """End the processes; may be called twice."""
        if self._closed:
            return
        self._closed = True
        processes = [self._free.get() for _ in range(self._processes)]  # when each is done with its picture
        for process in processes:
            process.end()
            self._free.put(process)  # whoever waits for one is told

    def _start(self) -> _Process:
        return _Process(self._command)

    def _replaced(self, process: _Process) -> _Process:
        process.end()
        return self._start()

    def _ask(self, process: _Process, data: bytes) -> Image:
        alarm = threading.Timer(self._seconds, process.kill)
        alarm.start()
        try:
            process.write(struct.pack(">I", len(data)), data)
            kind = process.read(1)
            if kind == b"P":
                return process.picture(*struct.unpack(">II", process.read(8)))
            (length,) = struct.unpack(">I", process.read(4))
            verdict = _VERDICTS.get(kind)
            if verdict is None or length > 1000:
                raise _Ended
            raise Unreadable(verdict, process.read(length).decode("utf-8", "replace"))
        except OSError:
            raise _Ended from None
        finally:
            alarm.cancel()


class _Ended(Exception):
    """The process did not answer, or answered nonsense."""


class _Process:
    """One of them. Pictures come through memory that both share where the system has it for the asking (memfd on
    Linux), else through the pipe. Raises ``OSError`` where it cannot be started."""

    def __init__(self, command: Sequence[str]) -> None:
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        shared = _shared()
        fds = () if shared is None else (shared,)
        self._picture: mmap.mmap | None = None
        try:
            self._process = subprocess.Popen(
                (*command, *map(str, fds)),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**environment, "PYTHONPATH": str(HOME), "OPENBLAS_NUM_THREADS": "1"},
                pass_fds=fds,
            )
            if shared is not None:
                self._picture = mmap.mmap(shared, PICTURE)
        finally:
            if shared is not None:
                os.close(shared)
        self.kill = self._process.kill

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def write(self, *parts: bytes) -> None:
        assert self._process.stdin is not None
        for part in parts:
            self._process.stdin.write(part)
        self._process.stdin.flush()

    def read(self, length: int) -> bytes:
        assert self._process.stdout is not None
        data = self._process.stdout.read(length)
        if len(data) != length:
            raise _Ended
        return data

    def picture(self, height: int, width: int) -> Image:
        if not (0 < height <= SIDE and 0 < width <= SIDE):
            raise _Ended
        size = height * width * 3
        if self._picture is None:
            data = np.frombuffer(self.read(size), np.uint8)
            return data.reshape(height, width, 3)
        image = np.frombuffer(self._picture, np.uint8, size).reshape(height, width, 3).copy()
        if size > KEPT:
            self._picture.madvise(mmap.MADV_REMOVE)  # a large one's memory is given back
        return image

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # what was half written to it
                    pipe.close()
        if self._picture is not None:
            self._picture.close()


def _shared() -> int | None:
    """A descriptor of memory for one picture; ``None`` where that is not to be had."""
    if not hasattr(os, "memfd_create"):
        return None
    descriptor = os.memfd_create("picture")
    os.ftruncate(descriptor, PICTURE)
    return descriptor
