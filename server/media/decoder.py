"""Decodes what strangers send in processes of its own: a file that makes a library crash, hang or swell ends its
process, which is replaced, and nothing else."""

from __future__ import annotations

import contextlib
import logging
import queue
from collections.abc import Sequence

from pipeline.frame import Image
from server.media.decoding import Unreadable, check
from server.media.process import COMMAND, Cause, Ended, Process

logger = logging.getLogger(__name__)

SECONDS = 30.0  # until a process that does not answer is ended; it may compute less (server/media/worker.py)
_FAULTS: dict[Cause, Unreadable] = {
    "crashed": Unreadable("not_a_picture", "The program that decodes pictures crashed at this one: it is damaged."),
    "too_long": Unreadable("too_large", "Decoding this picture took longer than a photo may."),
}


class DecoderDown(RuntimeError):
    """No picture can be decoded at the moment, whatever it is; the message says why, as a sentence."""


class Decoder:
    """``processes`` of them, started at once, used by as many threads at a time; further ones wait. Raises
    :class:`DecoderDown` where one does not start. End with :meth:`close`."""

    def __init__(self, processes: int = 1, command: Sequence[str] = COMMAND, seconds: float = SECONDS) -> None:
        self._command = tuple(command)
        self._seconds = seconds
        self._closed = False
        self._free: queue.LifoQueue[Process] = queue.LifoQueue()
        self._processes = 0
        try:
            for _ in range(processes):  # all at once, then wait
                self._free.put(self._start())
                self._processes += 1
            for process in tuple(self._free.queue):
                _await(process)
        except DecoderDown:
            self.close()
            raise

    def decode(self, data: bytes) -> Image:
        """As :func:`server.media.decoding.decode`. Blocks. What ends its process is said to be unreadable.

        Raises :class:`DecoderDown` where that is not the picture's fault.
        """
        check(data)
        process = self._free.get()
        try:
            if self._closed:
                raise DecoderDown("Pictures are no longer decoded: the server ends.")
            if process.ended:  # while nobody asked
                process.end()
                process = self._start()
            _await(process)
            try:
                return process.decode(data, self._seconds)
            except Ended as ended:
                logger.warning("the process that decodes pictures ended at one: %s", ended)
                with contextlib.suppress(DecoderDown):  # then whoever comes next tries again
                    process = self._start()
                fault = _FAULTS.get(ended.cause)
                if fault is None:
                    raise DecoderDown("The program that decodes pictures was ended; send the picture again.") from None
                raise Unreadable(fault.verdict, str(fault)) from None
        finally:
            self._free.put(process)

    def look_after(self) -> None:
        """Start anew what ended while nobody asked, as the next picture would. Blocks for as long as that takes. Raises
        :class:`DecoderDown` where it does not start."""
        if self._closed:
            raise DecoderDown("Pictures are no longer decoded: the server ends.")
        with contextlib.suppress(queue.Empty):  # all are at work
            process = self._free.get_nowait()
            try:
                if process.ended:
                    process.end()
                    process = self._start()
                _await(process)
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

    def _start(self) -> Process:
        try:
            return Process(self._command)
        except OSError as error:
            raise DecoderDown(f"The program that decodes pictures cannot be started: {error.strerror}.") from error


def _await(process: Process) -> None:
    try:
        process.wait_ready()
    except Ended as ended:
        raise DecoderDown(
            "The program that decodes pictures ends as soon as it is started "
            f"(exit status {ended.status}); python -m server.media.worker says why."
        ) from ended
