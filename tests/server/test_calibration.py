"""Cameras are found out by what pages measure, and by nothing that makes no sense."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from pipeline.distance import BOX_WIDTH, EYES, EYES_TO_MOUTH, SWELL, USUAL, Distance
from pipeline.results import Face
from server.live.calibration import LEAST, SECONDS, Standing, camera_of
from server.live.messages import BadMessage, Command, parse_command
from tracking import IdentityState, TrackState


def _command(**fields: Any) -> Command:
    return parse_command(json.dumps({"v": 1, "type": "camera", "id": 1, **fields}))


def _face(eyes: float, age: float = 0.0) -> Face:
    eyes = float(np.hypot(eyes, SWELL)) if eyes else 0.0
    down = eyes * EYES_TO_MOUTH
    points = [(0, 0), (eyes, 0), (eyes / 2, down / 2), (0, down), (eyes, down)]
    return Face(
        track=4, box=np.array([0, 0, eyes * BOX_WIDTH, eyes * 3], np.float32), landmarks=np.array(points, np.float32),
        state=TrackState.CONFIRMED, identity=IdentityState.PENDING, opinion=None, name=None, votes=0, quality=None,
        age=age, distance=Distance(1.5, 1.2, 1.9, "near") if eyes else None,
    )  # fmt: skip


def test_a_card() -> None:
    camera = camera_of(_command(**{"from": "card", "pixels": 300, "metres": 0.297, "width": 1280, "height": 720}))
    assert camera.known == "card"
    assert camera.focal == pytest.approx(300 * 0.297 / 0.0856 / 1280)


def test_a_camera_found_out_earlier_and_the_usual_one() -> None:
    kept = camera_of(_command(**{"from": "kept", "focal": 0.9, "spread": 0.07, "known": "distance"}))
    assert (kept.focal, kept.spread, kept.known) == (0.9, 0.07, "distance")
    assert camera_of(_command(**{"from": "usual"})) == USUAL


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"from": "moon"},
        {"from": "card"},
        {"from": "card", "pixels": 300, "metres": 0.3, "width": 1280},
        {"from": "card", "pixels": "300", "metres": 0.3, "width": 1280, "height": 720},
        {"from": "card", "pixels": 9000, "metres": 0.3, "width": 1280, "height": 720},
        {"from": "card", "pixels": 300, "metres": -1, "width": 1280, "height": 720},
        {"from": "card", "pixels": 300, "metres": 0.3, "width": 1e9, "height": 720},
        {"from": "card", "pixels": True, "metres": 0.3, "width": 1280, "height": 720},
        {"from": "kept", "focal": 0.9, "spread": 0.07},
        {"from": "kept", "focal": 90, "spread": 0.07, "known": "card"},
        {"from": "kept", "focal": 0.9, "spread": 0, "known": "card"},
        {"from": "kept", "focal": 0.9, "spread": 0.07, "known": "usual"},
    ],
)
def test_nonsense_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(BadMessage):
        camera_of(_command(**fields))


@pytest.mark.parametrize("focal", ["1e999", "-1e999", "NaN", "1" + "0" * 400, "-1" + "0" * 400])
def test_what_is_no_finite_float_is_refused(focal: str) -> None:
    text = f'{{"v":1,"type":"camera","from":"kept","focal":{focal},"spread":0.1,"known":"card"}}'
    with pytest.raises(BadMessage, match="focal"):
        camera_of(parse_command(text))


def test_who_stands_still_finds_the_camera() -> None:
    standing = Standing(1, track=4, metres=1.5)
    random = np.random.default_rng(0)
    for i in range(45):
        standing.observe(_face(40 * random.uniform(0.95, 1.05)))
        assert standing.done(100 + i / 15) == (i / 15 >= SECONDS)
    camera = standing.camera((1280, 720))
    assert camera.focal == pytest.approx(40 * 1.5 / EYES / 1280, rel=0.02)


def test_who_walks_off_finds_nothing() -> None:
    standing = Standing(1, track=4, metres=1.5)
    for _ in range(LEAST - 1):
        standing.observe(_face(40))
    for _ in range(50):
        standing.observe(_face(40, age=0.5))  # not seen, only assumed
        standing.observe(_face(0))  # and what has no size says nothing
    with pytest.raises(ValueError, match="long enough"):
        standing.camera((1280, 720))


def test_a_clock_that_steps_back_ends_it() -> None:
    standing = Standing(1, track=4, metres=1.5)
    assert not standing.done(100.0)
    assert standing.done(99.0)
