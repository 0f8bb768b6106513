"""What a pipeline reads of faces beside their names: how far away they are, and what they appear to be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest

from pipeline.attribute_looks import MAX_FACES
from pipeline.attributes import AGES, MAX_LOOKS, AttributeEvidence
from pipeline.distance import Camera
from pipeline.frame import Frame, Image
from pipeline.frame_pipeline import FramePipeline
from pipeline.results import FrameResult
from tests.packs import open_models
from tests.pictures import group_photo
from tests.pipeline.test_frame_pipeline import RATE, Folk, before_camera, moving, run


class Reader:
    """Says of every face what it is told to, and notes at which it looked."""

    name, sure, min_width = "told", 0.8, 20.0
    embedder: str | None = None

    def __init__(self, log_odds: float = 3.0, age: int = 40) -> None:
        self.log_odds, self.age = log_odds, age
        self.looked: list[tuple[float, float]] = []  # the nose
        self.embeddings: list[np.ndarray | None] = []

    def read(self, image: Image, landmarks: np.ndarray, width: float, embedding=None) -> AttributeEvidence:
        assert image.shape == (480, 640, 3)
        self.looked.append((float(landmarks[2, 0]), float(landmarks[2, 1])))
        self.embeddings.append(embedding)
        ages = np.exp(-0.5 * ((AGES - self.age) / 4.0) ** 2)
        return AttributeEvidence(self.log_odds, (ages / ages.sum()).astype(np.float32), 1.0)


def pipeline_of(folk: Folk, reader: Reader | None = None) -> FramePipeline:
    pipeline = FramePipeline(open_models(), lambda: folk.gallery)
    pipeline.read_attributes(reader)
    return pipeline


def one_by_one(pipeline: FramePipeline, reader: Reader, frames: Iterator[Frame]) -> list[tuple[FrameResult, int]]:
    """Each result with how many looks its frame took."""
    out = []
    for frame in frames:
        before = len(reader.looked)
        out.append((pipeline.process(frame), len(reader.looked) - before))
    return out


def test_every_face_of_every_frame_has_a_distance() -> None:
    results = run(pipeline_of(Folk()), moving(30))
    distances = [face.distance for result in results for face in result.faces]
    assert distances
    for distance in distances:
        assert distance is not None
        assert 0.5 < distance.low < distance.metres < distance.high < 6


def test_a_camera_that_is_known_narrows_the_distances_from_the_next_frame_on() -> None:
    pipeline = pipeline_of(Folk())
    before = run(pipeline, moving(20))[-1].faces[0].distance
    pipeline.use_camera(Camera(1.54, 0.03, "card"))
    after = run(pipeline, moving(1, start=20))[0].faces[0].distance
    assert before is not None
    assert after is not None
    assert after.metres == pytest.approx(2 * before.metres, rel=0.05)
    assert after.high / after.low < 0.8 * before.high / before.low


def test_nothing_is_read_unless_it_is_asked_for() -> None:
    results = run(pipeline_of(Folk()), moving(20))
    assert all(face.apparent is None and face.looks == 0 for result in results for face in result.faces)


def test_looks_are_taken_on_keyframes_two_at_most_and_come_to_an_end() -> None:
    reader = Reader()
    pipeline = pipeline_of(Folk(), reader)
    seen = one_by_one(pipeline, reader, moving(60))
    assert all(looks == 0 or result.keyframe for result, looks in seen)
    assert max(looks for _, looks in seen) == MAX_FACES
    first = next(result for result, looks in seen if looks)
    assert first.timing["attributes"] > 0
    assert [result.timing["attributes"] for result, looks in seen if not result.keyframe] == pytest.approx(
        [0] * sum(not result.keyframe for result, _ in seen)
    )
    # Who was looked at least is next: nobody waits while another is looked at again and again.
    assert sum(face.looks > 0 for face in seen[-1][0].faces) >= 5


def test_looks_come_to_an_end() -> None:
    folk, reader = Folk(), Reader()
    pipeline = pipeline_of(folk, reader)
    face = run(pipeline, before_camera(folk.faces[0], 240, 0))[-1].faces[0]
    assert face.looks == len(reader.looked) >= MAX_LOOKS
    run(pipeline, before_camera(folk.faces[0], 120, 240))
    assert len(reader.looked) == face.looks


def test_a_reader_that_understands_the_pack_gets_what_the_track_has_shown() -> None:
    folk, stranger, friend = Folk(), Reader(), Reader()
    friend.embedder = open_models().manifest.digest
    for reader in (stranger, friend):
        run(pipeline_of(folk, reader), before_camera(folk.faces[0], 60, 0))
    assert stranger.embeddings
    assert all(embedding is None for embedding in stranger.embeddings)
    known = [embedding for embedding in friend.embeddings if embedding is not None]
    assert len(known) >= len(friend.embeddings) - 1  # the first look may come before the first embedding
    assert float(known[-1] @ folk.faces[0].embedding) > 0.9


def test_what_looks_say_together_is_said_of_the_face() -> None:
    reader = Reader(log_odds=-3.0, age=62)
    result = run(pipeline_of(Folk(), reader), moving(40))[-1]
    said = [face.apparent for face in result.faces if face.looks]
    assert said
    for apparent in said:
        assert apparent is not None
        assert apparent.gender == "female"
        assert apparent.age_low < 62 < apparent.age_high


def test_switched_off_nothing_is_kept() -> None:
    reader = Reader()
    pipeline = pipeline_of(Folk(), reader)
    assert any(face.apparent for face in run(pipeline, moving(30))[-1].faces)
    pipeline.read_attributes(None)
    assert all(face.apparent is None for face in run(pipeline, moving(1, start=30))[0].faces)
    pipeline.read_attributes(reader)
    assert all(face.apparent is None for face in run(pipeline, moving(1, start=31))[0].faces if not face.looks)


def test_who_comes_back_is_not_begun_anew() -> None:
    folk = Folk("Ada")
    reader = Reader()
    pipeline = pipeline_of(folk, reader)
    first = run(pipeline, moving(60))[-1]
    ada = next(face for face in first.faces if face.name == "Ada")
    empty = [Frame.from_image(np.full((480, 640, 3), 90, np.uint8), 2 + i / RATE) for i in range(150)]
    assert run(pipeline, empty)[-1].faces == ()
    reader.log_odds = -9.0  # how it would look now: what was seen before counts as well
    back = run(pipeline, moving(20, start=210))
    again = next(face for face in back[-1].faces if face.track == ada.track)
    assert again.looks >= ada.looks > 0
    kept = next(face.looks for result in back for face in result.faces if face.track == ada.track)
    assert kept >= ada.looks


def test_whoever_steps_in_front_is_looked_at_for_themselves() -> None:
    """One face takes another's place between two frames: what was seen of the first is not said of the second."""
    folk = Folk()
    reader = Reader(log_odds=4.0)
    pipeline = pipeline_of(folk, reader)

    def view(which: int, index: int) -> Frame:
        x, y, w, h = folk.faces[which].box
        scale = 120 / w
        shift = 4 * np.sin(index / 8)
        centre = np.array([320 - scale * (x + w / 2) + shift, 240 - scale * (y + h / 2)])
        matrix: Any = np.array([[scale, 0, centre[0]], [0, scale, centre[1]]])
        picture = cv2.warpAffine(group_photo(), matrix, (640, 480), flags=cv2.INTER_CUBIC)
        mask = np.zeros((480, 640), np.float32)
        cv2.ellipse(mask, (320, 240), (95, 130), 0, 0, 360, 1.0, -1)
        mask = cv2.GaussianBlur(mask, (0, 0), 7)[..., None]
        return Frame.from_image((picture * mask + 90 * (1 - mask)).astype(np.uint8), index / RATE)

    before = run(pipeline, [view(0, i) for i in range(60)])[-1].faces
    assert [face.apparent.gender for face in before if face.apparent] == ["male"]
    reader.log_odds = -4.0
    after = run(pipeline, [view(5, i) for i in range(60, 150)])[-1].faces
    assert len(after) == 1
    assert after[0].track != before[0].track
    assert after[0].apparent is not None
    assert after[0].apparent.gender == "female"


def test_far_small_faces_have_a_distance_and_no_gender() -> None:
    small = cv2.resize(group_photo(), (250, 173), interpolation=cv2.INTER_AREA)
    canvas = np.full((480, 640, 3), 120, np.uint8)
    canvas[100:273, 100:350] = small
    reader = Reader()
    reader.min_width = 36.0
    pipeline = pipeline_of(Folk(), reader)
    result = run(pipeline, (Frame.from_image(canvas, i / RATE) for i in range(45)))[-1]
    assert result.faces
    for face in result.faces:
        assert face.distance is not None
        assert face.distance.metres > 1.5
        assert face.apparent is None or (face.apparent.gender is None and face.apparent.reason == "too far")
