"""The process that decodes pictures: ``python -m server.media.worker``, started by :mod:`server.media.process`.

It says ``R`` when it is ready. A request is four bytes of length (big-endian) and the file. An answer is ``P``, height
and width (four bytes each) and the RGB pixels; or ``N`` (no picture) or ``L`` (too large), four bytes of length and the
words. Where the last argument is the descriptor of a socket, memory for the pixels comes through it with each request.
"""

from __future__ import annotations

import mmap
import os
import socket
import struct
import sys
from typing import BinaryIO

import cv2
import numpy as np

from pipeline.frame import Image
from server.media.decoding import FILE_BYTES, Unreadable, decode

MEMORY = 1 << 30  # bytes that this process may hold; a picture of the most pixels takes less than half
SECONDS = 20  # of processor for one picture
_VERDICTS = {"not_a_picture": b"N", "too_large": b"L"}


def main() -> None:
    """Decode until nobody asks any more."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what a library prints is no answer
    cv2.setNumThreads(1)
    hand = socket.socket(fileno=int(sys.argv[-1])) if sys.argv[-1].isdigit() else None
    _confine()
    answers.write(b"R")
    answers.flush()
    while head := _read(requests, 4):
        (length,) = struct.unpack(">I", head)
        if length > FILE_BYTES:
            break
        _bound_time()
        _answer(answers, hand, _read(requests, length))


def _answer(answers: BinaryIO, hand: socket.socket | None, data: bytes) -> None:
    memory = None if hand is None else socket.recv_fds(hand, 1, 1)[1][0]
    try:
        image = decode(data)
    except (Unreadable, MemoryError) as error:
        words = str(error) if isinstance(error, Unreadable) else "The picture takes more memory than a photo may."
        said = words.encode()
        kind = _VERDICTS[error.verdict] if isinstance(error, Unreadable) else b"L"
        answers.write(kind + struct.pack(">I", len(said)) + said)
    else:
        if memory is not None:
            _put(image, memory)
        answers.write(b"P" + struct.pack(">II", *image.shape[:2]))
        if memory is None:
            answers.write(image.data)
    if memory is not None:
        os.close(memory)
    answers.flush()


def _put(image: Image, memory: int) -> None:
    with mmap.mmap(memory, image.size, flags=mmap.MAP_SHARED | mmap.MAP_POPULATE) as shared:
        np.copyto(np.frombuffer(shared, np.uint8).reshape(image.shape), image)


def _read(stream: BinaryIO, length: int) -> bytes:
    """So many bytes, or none at the end."""
    data = stream.read(length)
    return data if len(data) == length else b""


def _confine() -> None:
    """No more memory than a picture needs, and no file written; where the system can."""
    if sys.platform == "win32":
        return
    import resource

    for limit, most in ((resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_DATA, MEMORY)):
        _, hard = resource.getrlimit(limit)
        resource.setrlimit(limit, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _bound_time() -> None:
    if sys.platform == "win32":
        return
    import resource

    used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used) + SECONDS + 1, hard))


if __name__ == "__main__":
    main()
