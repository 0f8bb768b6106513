"""Consent mode without a network: who is masked, how well, what others are told, and that nothing is kept."""

from __future__ import annotations

import asyncio
import gc
import weakref
from dataclasses import replace
from typing import Any

import av
import numpy as np
import pytest

from pipeline.frame import Frame
from pipeline.frame_pipeline import FramePipeline
from pipeline.gallery import Gallery, Person
from pipeline.masking import Followed, Masker, alone, cover, covering, ellipse
from pipeline.results import Face
from pipeline.templates import fuse_template
from server.live.broadcast import Broadcast, Reader
from server.live.consent_mode import ConsentMode
from server.live.masked_pictures import MaskedPictures, covered
from server.live.messages import face_fields
from server.pixels import rgb
from server.relay.feed import Feed
from server.rooms.presence import Presence, views_of
from tests.packs import open_models
from tests.pictures import group_photo
from tests.server.test_live_session import portrait, samples
from tests.server.test_relay_feed import taken
from tracking import IdentityState, Opinion, TrackState, Verdict

ADA = Person("a" * 32, "Ada")


def picture(image: Any) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24").reformat(format="yuv420p")


def box(*numbers: float) -> Any:
    return np.array(numbers, np.float32)


def boxes(*all_of_them: Any) -> Any:
    return np.array(all_of_them, np.float32).reshape(-1, 4)


def gallery(*indices: int) -> Gallery:
    models = open_models()
    entries = [
        (Person(f"{index}" * 32, f"Person {index}"), fuse_template([s.embedding for s in samples(index)]), None)
        for index in indices
    ]
    return Gallery.build(entries, models.embedder.spec.dimension, models.manifest.digest, version=1)


# -- what is covered ---------------------------------------------------------------------------------------------------


def test_nobody_in_a_photo_is_found_or_recognised_under_the_masks() -> None:
    models = open_models()
    before = models.detector.detect(group_photo(), 640)
    assert len(before) == 6
    frame = picture(group_photo())
    untouched = frame.to_ndarray()
    masked, masking = MaskedPictures(models.detector).mask(frame, [], 0.0)
    assert len(masking.boxes) >= 6
    assert (frame.to_ndarray() == untouched).all()  # recognition works on this one
    covered_now = covering(masking.boxes, frame.height, frame.width)
    for x, y, w, h in before.boxes:
        assert covered_now[int(y) : int(y + h), int(x) : int(x + w)].mean() > 0.95
    image = rgb(masked)
    after = models.detector.detect(image, 640)
    for found in after.boxes:
        overlaps = [_overlap(found, true) for true in before.boxes]
        assert max(overlaps) < 0.3
    changed = np.abs(image.astype(int) - group_photo()).max(-1) > 60
    assert not changed[~np.asarray(_grown(covered_now))].any()  # what is no face stays as it is


def _grown(mask: Any) -> Any:
    import cv2

    return cv2.dilate(mask.astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool)


def _overlap(one: Any, other: Any) -> float:
    across = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    down = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    shared = max(across, 0) * max(down, 0)
    return float(shared / (one[2] * one[3] + other[2] * other[3] - shared))


def test_what_is_under_a_mask_depends_on_a_handful_of_averages() -> None:
    random = np.random.default_rng(0)
    one = random.integers(0, 256, (200, 200), np.uint8)
    other = one.copy()
    for row in range(0, 200, 2):  # pairs of neighbours change places: everything fine is another, averages are not
        other[[row, row + 1]] = other[[row + 1, row]]
    region = boxes([60, 60, 64, 64])
    empty = np.zeros((100, 100), np.uint8)
    for plane in (one, other):
        cover((plane, empty.copy(), empty.copy()), region)
    inside = covering(region, 200, 200)
    assert np.abs(one.astype(int) - other)[inside].max() <= 24
    assert len(np.unique(one[inside])) < 40


@pytest.mark.parametrize("at", [(-30, -30), (610, 440), (-400, 10), (300, 900), (100, 100)])
def test_faces_at_the_edges_are_covered_as_far_as_they_are_in_the_picture(at: tuple[int, int]) -> None:
    image = np.full((480, 640, 3), 255, np.uint8)
    image[::2] = 0
    region = boxes([*at, 80, 100])
    result = covered(picture(image), region).to_ndarray()[:480]
    x, y, across, down = ellipse(region[0])
    rows, columns = np.ogrid[:480, :640]
    inside = ((columns - x) / across) ** 2 + ((rows - y) / down) ** 2 < 0.9
    if inside.any():
        stripes = np.abs(np.diff(result.astype(int), axis=0))
        assert stripes[inside[1:] & inside[:-1]].max() < 30
    outside = ((columns - x) / (across + 3)) ** 2 + ((rows - y) / (down + 3)) ** 2 > 1
    assert np.abs(np.diff(result.astype(int), axis=0))[outside[1:] & outside[:-1]].min(initial=255) > 150


def test_odd_sides_and_other_formats_are_taken() -> None:
    for pixel_format in ("yuv420p", "yuvj420p", "nv12", "gray", "rgb24"):
        frame = av.VideoFrame.from_ndarray(np.zeros((98, 130, 3), np.uint8), "rgb24").reformat(
            width=131, height=99, format=pixel_format
        )
        masked, _ = MaskedPictures(open_models().detector).mask(frame, [], 0.0)
        assert (masked.width, masked.height, masked.format.name) == (130, 98, "yuv420p")
    with pytest.raises(ValueError, match="too small"):
        MaskedPictures(open_models().detector).mask(av.VideoFrame(8, 8, "yuv420p"), [], 0.0)


# -- who is covered ----------------------------------------------------------------------------------------------------


def masker() -> Masker:
    return Masker(open_models().detector)


def test_only_a_face_that_is_allowed_and_found_in_this_picture_is_shown() -> None:
    mask = masker()
    here, there = box(100, 100, 80, 100), box(300, 100, 80, 100)
    shown = mask.decide(boxes(here, there), [Followed(1, here, True, 3), Followed(2, there, False, 3)], 0.0)
    assert shown.clear == {1}
    assert (covering(shown.boxes, 480, 640)[110:190, 310:370]).all()
    assert not covering(shown.boxes, 480, 640)[100:200, 100:180].any()
    # A face that nobody follows is covered at once.
    assert len(masker().decide(boxes(here), [], 0.0).boxes) == 1
    # Optical flow alone is trusted for a moment only.
    assert mask.decide(boxes(there), [Followed(1, here, True, 3), Followed(2, there, False, 3)], 0.1).clear == {1}
    later = mask.decide(boxes(there), [Followed(1, here, True, 3), Followed(2, there, False, 3)], 0.5)
    assert (later.clear, later.doubted) == (frozenset(), {1})


def test_a_face_that_another_came_close_to_is_looked_at_again_before_it_is_shown() -> None:
    mask = masker()
    ada, other = box(100, 100, 80, 100), box(130, 100, 80, 100)
    assert mask.decide(boxes(ada), [Followed(1, ada, True, 3)], 0.0).clear == {1}
    met = mask.decide(boxes(ada, other), [Followed(1, ada, True, 3)], 0.07)
    assert (met.clear, met.doubted) == (frozenset(), {1})
    apart = mask.decide(boxes(ada), [Followed(1, ada, True, 3)], 0.9)
    assert (apart.clear, apart.doubted) == (frozenset(), {1})
    assert mask.decide(boxes(ada), [Followed(1, ada, True, 4)], 1.0).clear == {1}


def test_where_a_face_was_stays_covered_for_half_a_second_and_moves_on() -> None:
    mask = masker()
    for step in range(4):
        mask.decide(boxes([100 + 20 * step, 100, 80, 100]), [], step / 15)
    gone = mask.decide(boxes(), [], 4 / 15)
    assert covering(gone.boxes, 480, 640)[110:190, 185:255].all()  # further on by as much as before
    gone = mask.decide(boxes(), [], 3 / 15 + 0.5)
    assert len(gone.boxes) == 1
    assert gone.boxes[0, 2] > 80 * 1.5
    assert len(mask.decide(boxes(), [], 3 / 15 + 0.7).boxes) == 0


def test_a_face_that_gets_its_name_is_no_longer_covered() -> None:
    mask = masker()
    here = box(100, 100, 80, 100)
    assert len(mask.decide(boxes(here), [Followed(1, here, False, 1)], 0.0).boxes) == 2  # by detector and track
    named = mask.decide(boxes(here), [Followed(1, here, True, 2)], 0.07)
    assert (named.clear, len(named.boxes)) == ({1}, 0)


def test_a_portrait_shows_nobody_else() -> None:
    models = open_models()
    found = models.detector.detect(group_photo(), 640)
    own, others = found.boxes[0], list(found.boxes[1:])
    after = models.detector.detect(alone(group_photo(), own, others), 640)
    assert len(after) == 1
    assert _overlap(after.boxes[0], own) > 0.6


# -- what others are told ----------------------------------------------------------------------------------------------


def face(identity: IdentityState, person: str | None = ADA.id, track: int = 1, **more: Any) -> Face:
    opinion = None if person is None else Opinion(Verdict.KNOWN, person, 0.99, 0.95, 0.1)
    made = Face(
        track, box(10, 10, 80, 90), np.zeros((5, 2), np.float32), TrackState.CONFIRMED, identity, opinion,
        None if person is None else "Ada", 5, None, 0.0, template=np.ones(4, np.float32) / 2,
    )  # fmt: skip
    return replace(made, **more)


def test_of_whom_may_not_be_shown_others_are_told_a_box_alone() -> None:
    consent = ConsentMode({ADA.id}.__contains__, on=True)
    known, other = face(IdentityState.KNOWN), face(IdentityState.KNOWN, "b" * 32, 2)
    hers, theirs = (face_fields(one, 640, 480) for one in consent.told([known, other]))
    assert hers == face_fields(known, 640, 480)
    assert theirs["box"] == face_fields(other, 640, 480)["box"]
    assert theirs["identity"] == "unknown"
    told = {key for key, value in theirs.items() if value not in (None, [], 0)}
    assert told == {"track", "box", "state", "identity"} | ({"age"} if theirs["age"] else set())
    for unsure in (IdentityState.UNCERTAIN, IdentityState.PENDING, IdentityState.UNKNOWN, IdentityState.UNREADABLE):
        assert not consent.shows(face(unsure))
    assert not consent.shows(face(IdentityState.KNOWN, state=TrackState.TENTATIVE))
    assert consent.own([other])[0].name == "Ada"  # its own page sees its own picture
    consent.deny(1, ADA.id)
    assert not consent.shows(known)
    assert consent.own([known])[0].identity is IdentityState.UNKNOWN
    consent.on = False
    assert consent.told([other]) == (other,)


async def test_what_waits_to_be_read_says_nothing_after_the_mode_was_switched() -> None:
    broadcast = Broadcast()
    reader = Reader(broadcast)
    broadcast.tell("result", "with a name")
    broadcast.tell("consent_mode", "on")
    broadcast.tell("result", "without")
    assert [await reader.next(), await reader.next()] == [("consent_mode", "on"), ("result", "without")]


# -- what is handed on -------------------------------------------------------------------------------------------------


async def test_a_masked_feed_hands_on_none_of_the_cameras_own_pictures() -> None:
    feed = Feed()
    feed.publish("VP8", b"own 0", 0, True)
    watcher = feed.subscribe()
    told = []
    watcher.begun_anew = lambda: told.append(True)
    feed.publish("VP8", b"own 1", 3000, True)
    feed.mask(True, "VP8")
    assert told == [True]
    feed.publish("VP8", b"own 2", 6000, True)
    assert not feed.asks_for_key()  # the camera is not asked
    assert feed.asks_for_key(masked=True)
    feed.publish("VP8", b"masked 0", 90_000_000, False, masked=True)
    feed.publish("VP8", b"masked 1", 90_006_000, True, masked=True)
    pictures = await taken(watcher)
    assert [one.data for one in pictures] == [b"masked 1"]  # not even what was waiting
    feed.mask(False, "VP8")
    feed.publish("VP8", b"masked 2", 90_012_000, True, masked=True)
    feed.publish("VP8", b"own 3", 9000, True)
    later = await taken(watcher)
    assert [one.data for one in later] == [b"own 3"]
    assert later[0].time > pictures[0].time


async def test_who_watches_another_codec_watches_anew() -> None:
    feed = Feed()
    feed.publish("H264", b"own", 0, True)
    watcher = feed.subscribe()
    feed.mask(True, "VP8")
    with pytest.raises(Exception, match="codec changed"):
        await asyncio.wait_for(watcher.next(), 1)
    assert feed.codec == "VP8"
    feed.mask(False, "VP8")
    assert feed.codec == "H264"


# -- what is kept ------------------------------------------------------------------------------------------------------


def follow(pipeline: FramePipeline, pictures: list[Any], begin: float, count: int) -> float:
    for step in range(count):
        pipeline.process(Frame.from_image(pictures[step % len(pictures)], begin + step / 15))
    return begin + count / 15


def numbers_of(pipeline: FramePipeline) -> list[weakref.ref[Any]]:
    """Every array that tells whose face somebody has."""
    kept = [vector for track in pipeline.tracker.visible for vector in track.evidence._vectors]
    kept += [memory.template for memory in pipeline._memory.values() if memory.template is not None]
    assert kept
    return [weakref.ref(array) for array in kept]


@pytest.mark.parametrize("on", [True, False])
def test_nothing_a_face_is_recognised_by_outlives_its_track(on: bool) -> None:
    nobody = gallery()
    pipeline = FramePipeline(open_models(), lambda: nobody)
    pipeline.keep_lost((lambda person: False) if on else None)
    now = follow(pipeline, portrait(0), 0.0, 15)
    kept = numbers_of(pipeline)
    follow(pipeline, [np.full((480, 640, 3), 90, np.uint8)], now, 30)
    assert not pipeline.tracker.visible
    gc.collect()
    alive = sum(one() is not None for one in kept)
    assert (alive == 0) if on else (alive > 0)  # without the mode, whoever comes back is found again


def test_whoever_has_consented_is_found_again() -> None:
    known = gallery(0)
    pipeline = FramePipeline(open_models(), lambda: known)
    pipeline.keep_lost(lambda person: person == "0" * 32)
    now = follow(pipeline, portrait(0), 0.0, 15)
    (track,) = [face.track for face in pipeline.process(Frame.from_image(portrait(0)[0], now)).faces if face.name]
    now = follow(pipeline, [np.full((480, 640, 3), 90, np.uint8)], now, 30)
    assert [lost.number for lost in pipeline.tracker.lost] == [track]
    pipeline.forget_unkept()
    assert len(pipeline.tracker.lost) == 1
    pipeline.keep_lost(lambda person: False)  # consent is withdrawn
    pipeline.forget_unkept()
    assert pipeline.tracker.lost == []
    assert pipeline._memory == {}


def test_who_is_present_in_a_room_is_remembered_without_what_they_were_recognised_by() -> None:
    presence = Presence()
    template = np.ones(open_models().embedder.spec.dimension, np.float32)
    template /= np.linalg.norm(template)
    (one,) = presence.update(
        views_of("camera", [face(IdentityState.UNKNOWN, None, template=template)]), open_models().matcher, 0.0
    )
    assert [view.template for view in one.views] == [None]
