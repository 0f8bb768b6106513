"""Reading and following videos: pace, turned pictures, thinned boxes, best looks, and who somebody is."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import av
import click
import numpy as np
import pytest

from pipeline.gallery import Gallery, Person
from server.commands.recognise_video import is_video, recognise_video
from server.videos.appearances import appearances, merged
from server.videos.exports import as_csv, as_vtt, clock
from server.videos.files import Pick, ResultWriter, TrackRecord, read_boxes, read_tracks
from server.videos.job import follow_video
from server.videos.limits import VideoRefused
from server.videos.paths import LONGEST, TOLERANCE, BoxPath, box_at
from server.videos.reading import open_video
from server.videos.sealing import VideoSeal
from tests.packs import open_models
from tests.server.video_files import HEIGHT, WIDTH, lying_on_its_side, meeting, sound_only, write_video

SEAL = VideoSeal.passing()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    meeting(folder)
    return folder


@pytest.mark.parametrize("rate", [5.0, 10.0])
def test_frames_come_at_a_steady_pace_whatever_the_file_has(folder: Path, rate: float) -> None:
    with open_video(folder / "meeting.mp4") as video:
        assert (video.info.width, video.info.height, round(video.info.rate)) == (WIDTH, HEIGHT, 24)
        times = [frame.time for frame in video.frames(rate)]
    assert times[0] == pytest.approx(0, abs=0.05)
    assert len(times) == pytest.approx(6 * rate, rel=0.1)
    assert np.diff(times).min() > 0
    assert np.diff(times).max() < 2.2 / rate


def test_a_slow_video_is_looked_at_whole(tmp_path: Path) -> None:
    path = tmp_path / "slow.mkv"
    with av.open(str(path), "w", format="matroska") as out:
        stream = out.add_stream("mpeg4", rate=4)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(9):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 20 * index, np.uint8), "rgb24")
            frame.pts = index
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with open_video(path) as video:
        assert [frame.time for frame in video.frames()] == pytest.approx([index / 4 for index in range(9)], abs=0.01)


def test_a_phones_picture_is_turned_upright(folder: Path, tmp_path: Path) -> None:
    upright, turned = folder / "meeting.mp4", tmp_path / "turned.mp4"
    turned.write_bytes(lying_on_its_side(upright.read_bytes()))
    with open_video(upright) as one, open_video(turned) as other:
        first, second = next(one.frames()), next(other.frames())
    assert (second.width, second.height) == (HEIGHT, WIDTH)
    # The header says: a quarter clockwise.
    assert np.array_equal(second.gray, np.rot90(first.gray, -1))
    assert np.array_equal(second.image, np.rot90(first.image, -1))


@pytest.mark.parametrize("data", [b"", b"text", sound_only(), b"\x1aE\xdf\xa3" + bytes(200)])
def test_what_is_no_video_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(data)
    with pytest.raises(VideoRefused, match="no video"), open_video(path) as video:
        next(video.frames())
    assert not is_video(path)
    with pytest.raises(click.ClickException, match=r"a\.mp4: .*no video"):
        recognise_video(open_models(), nobody(), path, lambda done, total: None)


def test_a_file_cannot_make_others_be_read(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "list.mp4"
    path.write_text(f"ffconcat version 1.0\nfile '{folder / 'meeting.mp4'}'\n")
    with pytest.raises(VideoRefused), open_video(path):
        pass


def test_boxes_are_thinned_and_drawn_as_they_were(tmp_path: Path) -> None:
    rng, path = np.random.default_rng(1), BoxPath()
    times = np.arange(0, 20, 1 / 12)
    boxes = [
        np.array([0.3 + 0.2 * np.sin(t / 2), 0.2 + 0.05 * np.cos(t), 0.1, 0.15], np.float32)
        + rng.normal(0, 0.0005, 4).astype(np.float32)
        for t in times
    ]
    points = [point for time, box in zip(times, boxes, strict=True) for point in path.add(time, box)] + path.end()
    assert len(points) < len(times) / 3
    kept, values = np.array([t for t, _ in points], np.float32), np.array([b for _, b in points])
    assert np.diff(kept).max() <= LONGEST + 0.1
    for time, box in zip(times, boxes, strict=True):
        drawn = box_at(kept, values, np.float32(time))
        assert drawn is not None
        assert np.abs(drawn - box).max() < 1.2 * TOLERANCE * 0.15
    assert box_at(kept, values, 21) is None
    # Away and back: nothing is drawn in between.
    back = path.add(30.0, boxes[0])
    later = np.append(kept, [t for t, _ in back]).astype(np.float32)
    assert box_at(later, np.vstack([values, *(b[None] for _, b in back)]), 25.0) is None


def test_a_followed_video_is_written_down(folder: Path, tmp_path: Path) -> None:
    heard: list[float] = []
    done = follow_video(open_models(), folder / "meeting.mp4", tmp_path, lambda info: None, heard.append, seal=SEAL)
    assert done == {"width": WIDTH, "height": HEIGHT, "seconds": pytest.approx(6, abs=0.1)}
    assert heard == sorted(heard)
    tracks = read_tracks(tmp_path, SEAL)
    assert [track.votes > 1 for track in tracks] == [True, True]
    for track in tracks:
        assert track.template is not None
        assert float(np.linalg.norm(track.template)) == pytest.approx(1, abs=1e-4)
        qualities = [pick.quality for pick in track.picks]
        assert qualities[0] >= max(qualities) - 0.05  # size has a small say
        assert track.frame == f"{track.number}.jpg"
    numbers = {number for number, _ in read_boxes(tmp_path, 0, 6, 0, SEAL)}
    assert numbers == {track.number for track in tracks}
    assert {number for number, _ in read_boxes(tmp_path, 5, 6, 0, SEAL)} == {tracks[0].number}


def nobody() -> Gallery:
    models = open_models()
    return Gallery.empty(models.embedder.spec.dimension, models.manifest.digest)


def test_names_come_from_the_people_there_are(folder: Path, tmp_path: Path) -> None:
    models = open_models()
    said: list[tuple[float, float | None]] = []
    found = recognise_video(
        models, nobody(), folder / "meeting.mp4", lambda done, total: said.append((done, total)), tmp_path / "out"
    )
    assert [row[0] for row in found.rows()] == ["Unknown 1", "Unknown 2", "Unknown 1"]
    assert said[-1][0] > 5
    assert said[0][1] == pytest.approx(6, abs=0.1)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"meeting.csv", "meeting.json", "meeting.vtt", "meeting-pictures"}
    assert len(list((tmp_path / "out" / "meeting-pictures").iterdir())) >= 4
    assert found.body()["people"][0]["intervals"][0][0] < 0.3
    template = found.people[0].tracks[0].template
    assert template is not None
    gallery = Gallery.build([(Person("a" * 32, "Ada"), template, None)], len(template), models.manifest.digest)
    named = recognise_video(models, gallery, folder / "meeting.mp4", lambda done, total: None)
    assert [(row[0], bool(row[3])) for row in named.rows()] == [("Ada", True), ("Unknown 1", False), ("Ada", True)]


def track(number: int, template: np.ndarray | None, *intervals: tuple[float, float], votes: int = 4) -> TrackRecord:
    pick = Pick(f"{number}-0.jpg", intervals[0][0], 0.6, 0.0, 0.0, 90.0, (0.0,) * 10)
    return TrackRecord(number, intervals, votes, template, (pick,), None)


@pytest.fixture(scope="module")
def templates(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[np.ndarray, np.ndarray]:
    """Those of two people."""
    out = tmp_path_factory.mktemp("out")
    follow_video(open_models(), folder / "meeting.mp4", out, lambda info: None, lambda done: None, seal=SEAL)
    one, other = (record.template for record in read_tracks(out, SEAL))
    assert one is not None
    assert other is not None
    return one, other


def test_nobody_is_in_two_places_at_once(templates: tuple[np.ndarray, np.ndarray]) -> None:
    models, (one, other) = open_models(), templates
    gallery = Gallery.build([(Person("a" * 32, "Ada"), one, None)], len(one), models.manifest.digest)
    near = one + 0.02 * other
    near /= np.linalg.norm(near)
    records = [track(1, one, (0, 5)), track(2, near.astype(np.float32), (2, 6)), track(3, one, (7, 8))]
    found = appearances(records, gallery, models.matcher)
    assert [(f.person.name if f.person else None, [t.number for t in f.tracks]) for f in found] == [
        ("Ada", [1, 3]),
        (None, [2]),
    ]
    assert found[0].intervals == ((0, 5), (7, 8))
    strangers = appearances(records, nobody(), models.matcher)
    assert sorted(len(f.tracks) for f in strangers) == [1, 2]
    assert [f.stranger for f in strangers] == [1, 2]


def test_tracks_without_a_face_to_go_by_are_nobodys(templates: tuple[np.ndarray, np.ndarray]) -> None:
    found = appearances([track(1, None, (0, 9), votes=0)], nobody(), open_models().matcher)
    assert found == []
    assert as_vtt(found) == "WEBVTT\n"
    assert as_csv(found).splitlines() == ["person,from,to,seconds,from_time,to_time,probability"]


def test_times_as_subtitles_want_them() -> None:
    assert [clock(s) for s in (0, 0.0004, 59.9996, 3723.5, -1)] == [
        "00:00:00.000",
        "00:00:00.000",
        "00:01:00.000",
        "01:02:03.500",
        "00:00:00.000",
    ]
    assert merged([(5.5, 6), (0, 2), (2.5, 4)]) == ((0, 4), (5.5, 6))


def test_memory_is_not_held_by_what_is_over(tmp_path: Path) -> None:
    with ResultWriter(tmp_path, SEAL) as out:
        for index in range(3000):
            out.box(1, index / 12, np.array([0.1, 0.1, 0.2, 0.2], np.float32))
            assert len(out._buffer) < 512
    assert sum(len(rows) for _, rows in read_boxes(tmp_path, 0, 1e6, 0, SEAL)) == 3000


def test_a_video_with_nobody_in_it_is_a_result(tmp_path: Path) -> None:
    path = write_video(tmp_path / "empty.avi", [], 2, "avi", "mpeg4")
    found = recognise_video(open_models(), nobody(), path, lambda done, total: None)
    assert found.people == ()
    assert found.video.seconds == pytest.approx(2, abs=0.1)


def write_odd(path: Path, *, size: tuple[int, int] = (64, 48), sounds: int = 0, last: float = 0.1) -> Path:
    """A video of two pictures, the second at ``last`` seconds, with sounds beside it."""
    with av.open(str(path), "w", format="matroska") as out:
        stream = out.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = *size, "yuvj420p"
        for _ in range(sounds):
            out.add_stream("pcm_s16le", rate=8000)
        for time in (0.0, last):
            frame = av.VideoFrame.from_ndarray(np.zeros((size[1], size[0], 3), np.uint8), "rgb24")
            frame.pts = round(10 * time)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        ({"size": (8208, 48)}, "8208×48 pixels"),
        ({"size": (64, 8)}, "64×8 pixels"),
        ({"sounds": 40}, "41 streams"),
        ({"last": 7 * 3600.0}, "longer than 6 hours"),
    ],
)
def test_what_a_file_says_of_itself_is_held_against_the_limits(tmp_path: Path, odd: dict[str, Any], words: str) -> None:
    path = write_odd(tmp_path / "odd.mkv", **odd)
    with pytest.raises(VideoRefused, match=words), open_video(path):
        pytest.fail("it was opened")


def test_a_header_that_lies_is_found_out_on_the_way(tmp_path: Path) -> None:
    path = write_odd(tmp_path / "odd.mkv", last=7 * 3600.0)
    data = bytearray(path.read_bytes())
    at = data.index(b"\x44\x89\x88")  # Duration of a Matroska segment, a double in milliseconds
    data[at + 3 : at + 11] = struct.pack(">d", 1000.0)
    path.write_bytes(data)
    with open_video(path) as video:
        assert video.info.seconds == 1
        with pytest.raises(VideoRefused, match="longer than 6 hours"):
            list(video.frames())
