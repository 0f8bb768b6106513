"""Two things at once, without ever waiting for a thread that is not there."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from pipeline.beside import both
from pipeline.detect import look_wide
from tests.packs import open_models
from tests.pictures import group_photo


def test_another_thread_takes_one_of_them() -> None:
    with ThreadPoolExecutor(1) as pool:
        one, other = both(pool, threading.get_ident, threading.get_ident)
    assert one != other == threading.get_ident()


def test_a_pool_whose_only_thread_asks_does_not_wait_for_itself() -> None:
    with ThreadPoolExecutor(1) as pool:
        one, other = pool.submit(both, pool, threading.get_ident, threading.get_ident).result(5)  # type: ignore[arg-type]
    assert one == other


def test_an_error_is_that_of_whoever_failed() -> None:
    def fail() -> int:
        raise KeyError("here")

    with ThreadPoolExecutor(1) as pool, pytest.raises(KeyError):
        both(pool, fail, lambda: threading.Event().wait(0.05))


def test_faces_are_the_same_however_many_threads_look() -> None:
    detector = open_models().detector
    with ThreadPoolExecutor(2) as pool:
        together = look_wide(detector, group_photo(), 320, 640, pool)
    alone = look_wide(detector, group_photo(), 320, 640)
    assert np.array_equal(together.boxes, alone.boxes)
    assert np.array_equal(together.landmarks, alone.landmarks)
