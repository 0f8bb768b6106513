"""What is counted of frames, and what that costs."""

from __future__ import annotations

import time
from dataclasses import replace

import av
import numpy as np
import pytest
from prometheus_client.core import HistogramMetricFamily

from pipeline.results import FrameResult
from server.observing.frames import MOST, Frames
from server.observing.histogram import Histogram
from server.received_frame import ReceivedFrame

PICTURE = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), "rgb24")
TIMING: dict[str, float | None] = {
    "queue": 1.0, "decode": 2.0, "flow": 3.0, "convert": 0.0, "detect": 0.0, "embed": 0.0, "attributes": 0.0,
    "total": 4.0, "received": 100.0, "sent": 100.01,
}  # fmt: skip
LOOKED = {**TIMING, "convert": 0.5, "detect": 40.0, "embed": 6.0}
RECEIVED = ReceivedFrame(PICTURE, 0.0, 7, 99.98, 100.0, 1.0, 2.0, 0)


def result(keyframe: bool = False) -> FrameResult:
    stages = {stage: LOOKED[stage] or 0.0 for stage in ("flow", "convert", "detect", "embed", "attributes")}
    return FrameResult(64, 48, 0.0, keyframe, (), stages if keyframe else dict.fromkeys(stages, 0.0), 0)


def test_every_frame_is_counted_where_it_went() -> None:
    frames = Frames()
    one, other = frames.watch(), frames.watch()
    one.answered(RECEIVED, result(), TIMING, True)
    one.answered(replace(RECEIVED, skipped=3), result(True), LOOKED, True)
    other.answered(RECEIVED, result(), TIMING, False)
    other.unreadable()
    assert (frames.received, frames.overtaken, frames.unreadable) == (7, 3, 1)
    assert (frames.answered, frames.unsent, frames.keyframes) == (3, 1, 1)
    assert frames.received == frames.overtaken + frames.unreadable + frames.answered
    assert frames.stages["flow"].count == 3
    assert frames.stages["detect"].count == 1
    assert frames.stages["detect"].sum == pytest.approx(0.040)
    assert frames.waits.sum == pytest.approx(0.03)
    assert frames.ages.sum == pytest.approx(0.09)


def test_an_age_by_a_clock_that_is_wrong_is_not_counted() -> None:
    frames = Frames()
    for capture in (None, 200.0, 10.0):  # not told, in the future, minutes ago
        frames.watch().answered(replace(RECEIVED, capture=capture), result(), TIMING, True)
    assert frames.ages.count == 0
    assert frames.waits.count == 3


def test_the_last_minute_is_of_what_was_answered_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    frames, now = Frames(), 1000.0
    monkeypatch.setattr("server.observing.frames.time.monotonic", lambda: now)
    assert frames.last_minute().p50 is None
    for _ in range(30):
        frames.watch().answered(RECEIVED, result(), {**TIMING, "sent": 103.0}, True)
    now += 61
    for _ in range(120):
        frames.watch().answered(RECEIVED, result(True), LOOKED, True)
    minute = frames.last_minute()
    assert minute.rate == 2.0
    assert minute.p95 == pytest.approx(10.0)
    assert minute.stages["embed"] == 6.0
    assert "attributes" not in minute.stages  # took place nowhere


def test_the_rate_is_right_where_more_were_answered_than_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    frames, now = Frames(), 1000.0
    monkeypatch.setattr("server.observing.frames.time.monotonic", lambda: now)
    for _ in range(MOST + 500):
        now += 0.01
        frames.count(RECEIVED, TIMING, False, True)
    assert frames.last_minute().rate == pytest.approx(100, rel=0.01)


def test_a_histogram_counts_each_duration_once_and_its_buckets_only_rise() -> None:
    histogram = Histogram((0.1, 1.0))
    for seconds in (0.05, 0.1, 0.5, 7.0):
        histogram.add(seconds)
    family = HistogramMetricFamily("x", "x")
    histogram.show(family)
    values = {sample.labels.get("le", sample.name): sample.value for sample in family.samples}
    assert values == {"0.1": 2, "1.0": 3, "+Inf": 4, "x_count": 4, "x_sum": pytest.approx(7.65)}


@pytest.mark.alone
def test_a_frame_pays_microseconds_for_being_counted() -> None:
    watch, seen = Frames().watch(), result()
    best = 1.0
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(2000):
            watch.answered(RECEIVED, seen, LOOKED, True)
        best = min(best, (time.perf_counter() - began) / 2000)
    print(f"{best * 1e6:.1f} µs")
    assert best < 50e-6  # a thousandth of a frame's time at 20 a second
