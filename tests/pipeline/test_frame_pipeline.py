"""The whole way of a frame, with real models on a real photo under a moving camera."""

import cv2
import numpy as np
import pytest

from pipeline.face_models import read_photo
from pipeline.frame import Frame
from pipeline.frame_pipeline import FramePipeline, PipelineConfig, _confusable
from pipeline.gallery import Gallery, Person
from tests.packs import open_models
from tests.pictures import camera_frame, group_photo
from tracking import IdentityState, iou_matrix

RATE = 30


class Folk:
    """A gallery that can change while a pipeline runs."""

    def __init__(self, *names):
        faces = sorted(read_photo(open_models(), group_photo()), key=lambda f: float(f.box[0]))
        self.faces = faces
        self.version = 0
        self.enrol(*names)

    def enrol(self, *names):
        """The leftmost face is the first name, and so on; ``None`` leaves one out."""
        pairs = [(n, f) for n, f in zip(names, self.faces, strict=False) if n]
        self.version += 1
        digest = open_models().manifest.digest
        entries = [(Person(n.lower(), n), f.embedding, None) for n, f in pairs]
        self.gallery = Gallery.build(entries, 128, digest, self.version)


def moving(count, start=0, image=None):
    for index in range(start, start + count):
        picture, _ = camera_frame(group_photo() if image is None else image, index)
        yield Frame.from_image(picture, index / RATE)


def run(pipeline, frames):
    return [pipeline.process(frame) for frame in frames]


def test_six_tracks_follow_six_faces_and_detection_is_rare():
    folk = Folk()
    pipeline = FramePipeline(open_models(), lambda: folk.gallery)
    results = run(pipeline, moving(90))
    assert sum(r.keyframe for r in results) <= 0.15 * len(results)
    assert {f.track for r in results for f in r.faces} == {1, 2, 3, 4, 5, 6}
    picture, _ = camera_frame(group_photo(), 89)
    found = open_models().detector.detect(picture, 640)
    overlap = iou_matrix(found.boxes, np.stack([f.box for f in results[-1].faces])).max(1)
    assert np.median(overlap) >= 0.8


def test_names_stay_with_their_faces_and_strangers_stay_strangers():
    folk = Folk("Ada", None, "Cleo")
    pipeline = FramePipeline(open_models(), lambda: folk.gallery)
    results = run(pipeline, moving(60))
    last = sorted(results[-1].faces, key=lambda f: float(f.box[0]))
    said = [(f.identity, f.name) for f in last]
    assert said[0] == (IdentityState.KNOWN, "Ada")
    assert said[2] == (IdentityState.KNOWN, "Cleo")
    assert all(identity is not IdentityState.KNOWN for i, (identity, _) in enumerate(said) if i not in (0, 2))
    assert last[0].opinion.probability > 0.9
    names = {(f.track, f.name) for r in results for f in r.faces if f.identity is IdentityState.KNOWN}
    assert len(names) == 2


def test_a_name_given_while_running_shows_on_the_next_frame():
    folk = Folk()
    pipeline = FramePipeline(open_models(), lambda: folk.gallery)
    before = run(pipeline, moving(45))[-1]
    assert all(f.name is None for f in before.faces)
    folk.enrol("Ada")
    after = run(pipeline, moving(1, start=45))[0]
    assert [f.name for f in after.faces if f.identity is IdentityState.KNOWN] == ["Ada"]
    folk.enrol()
    assert all(f.name is None for f in run(pipeline, moving(1, start=46))[0].faces)


def test_people_who_leave_and_return_keep_number_and_name():
    folk = Folk("Ada")
    pipeline = FramePipeline(open_models(), lambda: folk.gallery)
    first = run(pipeline, moving(45))[-1]
    ada = next(f.track for f in first.faces if f.name == "Ada")
    empty = [Frame.from_image(np.full((480, 640, 3), 90, np.uint8), 1.5 + i / RATE) for i in range(150)]
    assert run(pipeline, empty)[-1].faces == ()
    back = run(pipeline, moving(15, start=210))
    shown = next(r.time for r in back if any(f.name == "Ada" and f.track == ada for f in r.faces))
    assert shown - back[0].time <= 0.5


def test_a_face_too_small_to_say_is_said_to_be_so():
    folk = Folk("Ada")
    small = cv2.resize(group_photo(), (320, 222), interpolation=cv2.INTER_AREA)
    canvas = np.full((480, 640, 3), 120, np.uint8)
    canvas[100:322, 100:420] = small
    pipeline = FramePipeline(open_models(), lambda: folk.gallery)
    results = run(pipeline, (Frame.from_image(canvas, i / RATE) for i in range(45)))
    assert len(results[-1].faces) >= 5
    assert {f.identity for f in results[-1].faces} == {IdentityState.UNREADABLE}


def test_the_same_person_twice_is_named_once():
    folk = Folk("Ada")
    left = group_photo()[:, : group_photo().shape[1] // 2]
    twice = np.ascontiguousarray(np.concatenate([left, left], axis=1))
    pipeline = FramePipeline(open_models(), lambda: folk.gallery)
    results = run(pipeline, moving(40, image=twice))
    assert all(sum(f.identity is IdentityState.KNOWN and f.name == "Ada" for f in r.faces) <= 1 for r in results)


def test_size_and_orientation_may_change_in_mid_stream():
    folk = Folk("Ada")
    pipeline = FramePipeline(open_models(), lambda: folk.gallery)
    run(pipeline, moving(20))
    for step, size in enumerate([(320, 240), (1280, 720), (480, 640), (641, 479), (160, 120)]):
        pictures = [camera_frame(group_photo(), i, *size)[0] for i in range(5)]
        results = run(pipeline, (Frame.from_image(p, 1 + step + i / RATE) for i, p in enumerate(pictures)))
        assert (results[-1].width, results[-1].height) == size
    assert run(pipeline, moving(30, start=300))[-1].faces


def test_fifty_faces_are_followed_and_embedded_a_few_at_a_time():
    tile = cv2.resize(group_photo(), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    crowd = np.ascontiguousarray(np.tile(tile, (3, 3, 1)))
    folk = Folk("Ada")
    pipeline = FramePipeline(open_models(), lambda: folk.gallery, PipelineConfig(far_side=1280))
    results = run(pipeline, (Frame.from_image(crowd, i / RATE) for i in range(12)))
    assert len(results[-1].faces) >= 50
    assert max(r.embedded for r in results) <= PipelineConfig().max_embeddings


def test_watched_tracks_are_observed_until_they_are_not():
    folk = Folk()
    pipeline = FramePipeline(open_models(), lambda: folk.gallery)
    track = run(pipeline, moving(10))[-1].faces[0].track
    pipeline.watch(track)
    observed = [o for r in run(pipeline, moving(60, start=10)) for o in r.observations]
    assert len(observed) >= 4
    assert {o.track for o in observed} == {track}
    assert all(np.linalg.norm(o.embedding) == pytest.approx(1, abs=1e-4) for o in observed)
    pipeline.unwatch(track)
    assert not any(r.observations for r in run(pipeline, moving(30, start=70)))


def test_embeddings_of_another_pack_are_refused():
    other = Gallery.empty(128, "another pack")
    with pytest.raises(ValueError, match="pack"):
        FramePipeline(open_models(), lambda: other).process(next(moving(1)))


def test_frames_that_are_none_are_refused():
    with pytest.raises(ValueError, match="outside"):
        Frame.from_image(np.zeros((8, 200, 3), np.uint8))
    with pytest.raises(ValueError, match="uint8"):
        Frame(np.zeros((100, 100), np.float32), 0.0, lambda: np.zeros((100, 100, 3), np.uint8))


def before_camera(face, count, start):
    """One person of the photo alone before a camera held in the hand."""
    x, y, w, h = (float(v) for v in face.box)
    cut = group_photo()[max(0, int(y - 0.6 * h)) : int(y + 1.5 * h), max(0, int(x - 0.4 * w)) : int(x + 1.4 * w)]
    scale = 130 / w
    for index in range(start, start + count):
        canvas = np.full((480, 640, 3), 110, np.uint8)
        part = cv2.resize(cut, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)[:440, :600]
        left, top = 180 + int(6 * np.sin(index / 5)), 60 + int(4 * np.cos(index / 7))
        canvas[top : top + part.shape[0], left : left + part.shape[1]] = part
        yield Frame.from_image(canvas, index / RATE)


def test_whoever_takes_the_watched_face_s_place_is_seen_to_disagree():
    folk = Folk()
    pipeline = FramePipeline(open_models(), lambda: folk.gallery, PipelineConfig(crops=True))
    mine, other = folk.faces[0], folk.faces[3]
    track = run(pipeline, before_camera(mine, 20, 0))[-1].faces[0].track
    pipeline.watch(track)
    first = [o for r in run(pipeline, before_camera(mine, 60, 20)) for o in r.observations]
    after = [o for r in run(pipeline, before_camera(other, 60, 80)) for o in r.observations]
    same = open_models().matcher.threshold(1, 0.02)
    assert len(first) >= 4
    assert all(o.agreement > same and o.width > 80 and o.crop is not None for o in first)
    assert after
    assert all(o.agreement is not None and o.agreement < same for o in after)


def test_faces_side_by_side_crowd_each_other_and_small_ones_behind_do_not():
    ours = np.array([200, 200, 100, 100], np.float32)
    assert _confusable(ours, np.array([330, 200, 90, 90], np.float32))
    assert not _confusable(ours, np.array([400, 200, 90, 90], np.float32))
    assert not _confusable(ours, np.array([310, 180, 45, 45], np.float32))
