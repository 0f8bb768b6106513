"""One worker as its parent sees it; :mod:`server.inference.worker` is the process itself."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Sequence

import numpy as np

from server import child
from server.inference import wire
from server.inference.pictures import KEPT, Slot

COMMAND = child.command("server.inference.worker")
DEVICES = ("CUDA_", "NVIDIA_", "ORT_", "OPENVINO_")  # variables that say what networks run on


class Ended(Exception):
    """The process ended or was ended: it crashed, hung, was killed, or answered nonsense."""

    def __init__(self, status: int | None) -> None:
        super().__init__(f"exit status {status}")
        self.status = status


class Refused(Exception):
    """The worker could not do what it was asked; it goes on. The message says why."""


class WorkerProcess:
    """Started at once. Used by one thread at a time, but for :meth:`kill`. Raises ``OSError`` where it cannot be
    started."""

    def __init__(self, work: wire.Work, command: Sequence[str] = COMMAND) -> None:
        self._digest = work.digest
        self._slot = Slot.make()
        fds = () if self._slot is None else (self._slot.memory,)
        try:
            self._process = subprocess.Popen(
                (*command, *map(str, fds)),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=child.environment(DEVICES),
                pass_fds=fds,
            )
        except OSError:
            self._close_slot()
            raise
        with contextlib.suppress(OSError):  # it has ended already, as wait_ready() will say
            self._write(work.line())

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether it is gone."""
        return self._process.poll() is not None

    def wait_ready(self) -> None:
        """Until it has loaded its pack. Raises :class:`Ended`, and :class:`Refused` if it cannot."""
        kind, length, _ = self._answer()
        if kind != wire.READY or self._words(length) != self._digest:
            raise self._nonsense()

    def call(self, request: wire.Request) -> wire.Array:
        """What it answers: floats (N, columns). Raises :class:`Ended` and :class:`Refused`."""
        try:
            if self._slot is None:
                self._write(request.head(), *(np.ascontiguousarray(picture).data for picture in request.pictures))
            else:
                self._slot.put(request.pictures)
                self._write(request.head())
        except OSError:
            raise self._nonsense() from None
        kind, rows, columns = self._answer()
        if kind != wire.ANSWERED or rows * columns > wire.MOST_FLOATS:
            raise self._nonsense()
        data = self._read(rows * columns * wire.FLOATS.itemsize)
        if self._slot is not None and sum(picture.nbytes for picture in request.pictures) > KEPT:
            self._slot.spare()
        return np.frombuffer(data, wire.FLOATS).reshape(rows, columns).astype(np.float32)

    def kill(self) -> None:
        """End it, from any thread: who waits for it gets :class:`Ended`."""
        with contextlib.suppress(OSError):
            self._process.kill()

    def end(self) -> None:
        """Kill it and let go of what it had; may be called twice."""
        self.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # what was half written to it
                    pipe.close()
        self._close_slot()

    def _answer(self) -> tuple[bytes, int, int]:
        kind, one, other = wire.ANSWER.unpack(self._read(wire.ANSWER.size))
        if kind == wire.FAILED:
            raise Refused(self._words(one))
        return kind, one, other

    def _words(self, length: int) -> str:
        if length > wire.MOST_WORDS:
            raise self._nonsense()
        return self._read(length).decode("utf-8", "replace")

    def _write(self, *parts: bytes | memoryview) -> None:
        assert self._process.stdin is not None
        for part in parts:
            self._process.stdin.write(part)
        self._process.stdin.flush()

    def _read(self, length: int) -> bytes:
        assert self._process.stdout is not None
        data = self._process.stdout.read(length)
        if len(data) != length:
            raise self._nonsense()
        return data

    def _nonsense(self) -> Ended:
        """What came is no answer, or not all of one: it is not asked again."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(0.5)  # it is ending by itself, or mad
        status = self._process.poll()
        self.kill()
        return Ended(status)

    def _close_slot(self) -> None:
        if self._slot is not None:
            self._slot.close()
