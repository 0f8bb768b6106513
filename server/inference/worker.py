"""The process that runs networks: ``python -m server.inference.worker``, started by :mod:`server.inference.process`.

It loads a pack, warms up, and answers calls (:mod:`server.inference.wire`) until nobody can ask any more: it ends with
its parent. The last argument, if there is one, is the descriptor of the memory that pictures come in.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import BinaryIO

import cv2
import numpy as np

from models import ModelError, load_attributes, load_pack
from pipeline.attributes import EnsembleReader, GenderAgeReader
from pipeline.detect import keener
from pipeline.face_models import FaceModels
from server.inference import wire
from server.inference.pictures import Pictures, Slot

NICENESS = 2  # what answers frames goes first, and what runs here goes before photos and videos


class Networks:
    """What calls are answered with."""

    def __init__(self, work: wire.Work) -> None:
        pack = load_pack(work.pack, work.models_dir, work.provider, lambda _line: None)
        if pack.manifest.digest != work.digest:
            raise ModelError(f"pack {work.pack!r} is another one now than when the server started: start it again")
        self._provider = work.provider
        self._models = FaceModels.from_pack(pack)
        self._models.warm_up(640, 480, work.near_side, work.far_side)
        self._shipped: EnsembleReader | None = None

    def answer(self, kind: bytes, pictures: Pictures, max_side: int, least: float) -> wire.Array:
        """Floats (N, columns) for pictures (N, H, W, 3)."""
        match kind:
            case wire.DETECT:
                detector = self._models.detector if np.isnan(least) else keener(self._models.detector, least)
                return wire.rows_of(detector.detect(pictures[0], max_side))
            case wire.EMBED:
                return self._models.embedder.embed(list(pictures))
            case wire.READ_OWN | wire.READ_SHIPPED:
                gender, ages = self._reader(kind).raw(pictures[0])
                return np.array([[gender, *ages]], np.float32)
        raise ValueError(f"a worker does not know what {kind!r} is")

    def _reader(self, kind: bytes) -> EnsembleReader | GenderAgeReader:
        if kind == wire.READ_OWN:
            if not isinstance(self._models.attributes, GenderAgeReader):
                raise ValueError("this pack has no network for gender and age")
            return self._models.attributes
        if self._shipped is None:  # few ask for it
            self._shipped = EnsembleReader(load_attributes(self._provider))
        return self._shipped


def main(load: Callable[[wire.Work], Networks] = Networks) -> None:
    """Answer until nobody asks any more."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what a library prints is no answer
    for ending in (signal.SIGINT, signal.SIGTERM):  # Ctrl-C and systemd mean the parent, whose sessions end in order
        signal.signal(ending, signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    cv2.setNumThreads(1)
    slot = Slot(int(sys.argv[-1])) if sys.argv[-1].isdigit() else None
    try:
        work = wire.Work.read(requests.readline())
        networks = load(work)
    except (ModelError, ValueError) as error:
        _say(answers, wire.FAILED, str(error))
        return
    _say(answers, wire.READY, work.digest)
    while len(head := requests.read(wire.REQUEST.size)) == wire.REQUEST.size:
        kind, count, height, width, max_side, least = wire.REQUEST.unpack(head)
        try:
            found = networks.answer(kind, _pictures(requests, slot, count, height, width), max_side, least)
        except Exception as error:  # a network that refuses; who asked is told, and others are served
            _say(answers, wire.FAILED, type(error).__name__)
            continue
        answers.write(wire.ANSWER.pack(wire.ANSWERED, *found.shape))
        answers.write(np.ascontiguousarray(found, wire.FLOATS).tobytes())
        answers.flush()


def _pictures(requests: BinaryIO, slot: Slot | None, count: int, height: int, width: int) -> Pictures:
    if slot is not None:
        return slot.view(count, height, width)
    return np.frombuffer(requests.read(count * height * width * 3), np.uint8).reshape(count, height, width, 3)


def _say(answers: BinaryIO, kind: bytes, text: str) -> None:
    words = text.encode()[: wire.MOST_WORDS]
    answers.write(wire.ANSWER.pack(kind, len(words), 0) + words)
    answers.flush()


if __name__ == "__main__":
    main()
