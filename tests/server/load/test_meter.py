"""What the processors are used for."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path

import pytest

from server.load.meter import Meter, processors


def burn(seconds: float) -> None:
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


def test_own_work_is_told_from_that_of_others() -> None:
    meter = Meter()
    burn(0.4)
    seen = meter.read(pictures=3, late=0.0)
    assert seen.own * seen.seconds == pytest.approx(0.4, abs=0.15)
    assert seen.pictures == 3


def test_workers_count_as_our_own() -> None:
    context = multiprocessing.get_context("spawn")
    child = context.Process(target=burn, args=(0.4,))
    child.start()
    assert child.pid is not None
    numbers = [child.pid]
    try:
        meter, own = Meter(lambda: numbers), 0.0
        while child.is_alive():
            time.sleep(0.02)
            seen = meter.read(0, 0.0)
            own += seen.own * seen.seconds
    finally:
        child.join()
    assert own > 0.3
    assert meter.read(0, 0.0).own >= 0, "one that is gone is no error"


@pytest.mark.parametrize(
    ("text", "most"), [("50000 100000", 0.5), ("max 100000", None), ("nonsense", None), ("1 0", None)]
)
def test_a_containers_quota_is_kept_to(tmp_path: Path, text: str, most: float | None) -> None:
    file = tmp_path / "cpu.max"
    file.write_text(text)
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    assert processors(file) == (there if most is None else most)
    assert processors(tmp_path / "missing") == there
