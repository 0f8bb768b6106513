"""The commands that measure, on small real files whose answer is known."""

import csv
import json

import av
import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from pipeline.face_models import read_photo
from server.commands.bench import bench
from server.commands.evaluate import evaluate
from server.commands.live_browser import make_camera
from tests.packs import models_folder, open_models
from tests.pictures import camera_frame, group_photo


def run(group, *args):
    done = CliRunner().invoke(group, [*map(str, args), "--models-dir", str(models_folder())], catch_exceptions=False)
    return done.exit_code, done.stdout if done.exit_code == 0 else done.output


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Six people, each cut from the photo in three ways, and a video that moves over them."""
    root = tmp_path_factory.mktemp("measured")
    faces = sorted(read_photo(open_models(), group_photo()), key=lambda f: float(f.box[0]))
    for number, face in enumerate(faces):
        x, y, w, h = face.box.astype(int)
        cut = group_photo()[max(0, y - h // 2) : y + 2 * h, max(0, x - w // 2) : x + 3 * w // 2]
        person = root / f"p{number}"
        person.mkdir()
        versions = (cut, cut[:, ::-1], cv2.convertScaleAbs(cut, alpha=0.8, beta=20))
        for version, picture in enumerate(versions):
            cv2.imwrite(str(person / f"{version}.jpg"), np.ascontiguousarray(picture)[..., ::-1])
    cv2.imwrite(str(root / "empty.jpg"), np.full((200, 200, 3), 90, np.uint8))
    (root / "text.jpg").write_text("no picture")
    with av.open(str(root / "camera.mp4"), "w") as sink:
        stream = sink.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        for index in range(60):
            picture, _ = camera_frame(group_photo(), index)
            sink.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        sink.mux(stream.encode(None))
    return root


def write(path, header, rows):
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(header)
        out.writerows(rows)
    return path


def test_pairs_that_are_easy_are_all_right(folder):
    same = [(f"p{i}/0.jpg", f"p{i}/{v}.jpg", 1) for i in range(6) for v in (1, 2)]
    different = [(f"p{i}/0.jpg", f"p{j}/0.jpg", 0) for i in range(6) for j in range(i)]
    table = write(folder / "pairs.csv", ("first", "second", "same"), [*same, *different, ("empty.jpg", "p0/0.jpg", 0)])
    code, output = run(evaluate, "pairs", table, "--images", folder, "--json")
    result = json.loads(output)
    assert code == 0
    assert result["pairs"] == len(same) + len(different)
    assert result["pairs left out (no face)"] == 1
    assert result["without_face"] == ["empty.jpg"]
    assert result["accuracy, 10 folds [%]"] == 100


def test_open_set_counts_right_names_and_strangers(folder):
    rows = [("enrol", f"p{i}", f"p{i}/0.jpg") for i in range(3)]
    rows += [("probe_known", f"p{i}", f"p{i}/2.jpg") for i in range(3)]
    rows += [("probe_unknown", f"p{i}", f"p{i}/0.jpg") for i in range(3, 6)]
    table = write(folder / "protocol.csv", ("role", "person", "file"), rows)
    code, output = run(evaluate, "openset", table, "--images", folder, "--json")
    result = json.loads(output)
    assert code == 0
    assert result["people enrolled"] == 3
    assert result["rank-1 [%]"] == 100
    assert result["default: TPIR [%]"] == 100
    assert result["default: FPIR [%]"] == 0
    assert "default threshold for this many" in run(evaluate, "openset", table, "--images", folder)[1]


def test_video_gets_names_and_counts_wrong_ones(folder, tmp_path):
    people = tmp_path / "people"
    people.mkdir()
    for i in (0, 2):
        cv2.imwrite(str(people / f"p{i}.jpg"), cv2.imread(str(folder / f"p{i}" / "0.jpg")))
    boxes = []
    faces = sorted(read_photo(open_models(), group_photo()), key=lambda f: float(f.box[0]))
    for frame in range(60):
        _, matrix = camera_frame(group_photo(), frame)
        for i, face in enumerate(faces):
            x, y = matrix[:, :2] @ face.box[:2] + matrix[:, 2]
            boxes.append((frame, f"p{i}", x, y, face.box[2] * matrix[0, 0], face.box[3] * matrix[0, 0]))
    truth = write(tmp_path / "truth.csv", ("frame", "person", "x", "y", "w", "h"), boxes)
    arguments = ("video", folder / "camera.mp4", "--gallery", people, "--truth", truth)
    code, output = run(evaluate, *arguments, "--json")
    result = json.loads(output)
    assert code == 0
    assert result["frames"] == 60
    assert result["visits that got the right name"] == 2
    assert result["frames with a wrong name"] == 0
    assert result["switches of track within a visit"] == 0
    assert result["… after at most [s]"] <= 1
    swapped = [(f, {"p0": "p2", "p2": "p0"}.get(p, p), *rest) for f, p, *rest in boxes]
    wrong = write(tmp_path / "wrong.csv", ("frame", "person", "x", "y", "w", "h"), swapped)
    _, output = run(evaluate, "video", folder / "camera.mp4", "--gallery", people, "--truth", wrong, "--json")
    assert json.loads(output)["frames with a right name"] == 0
    assert json.loads(output)["frames with a wrong name"] > 50


def test_the_pipeline_is_cheaper_than_every_frame_and_agrees_with_it(folder):
    code, output = run(bench, "video", folder / "camera.mp4", "--every-frame", "--json")
    result = json.loads(output)
    assert code == 0
    assert result["detected on [% of frames]"] <= 15
    assert result["overlap with them, median [IoU]"] >= 0.8
    assert result["CPU saved, times"] > 1


@pytest.mark.parametrize(
    ("header", "row", "says"),
    [
        (("first", "second"), ("a", "b"), "column same is missing"),
        (("first", "second", "same"), ("a", "b", "maybe"), "same must be 0 or 1"),
        (("first", "second", "same"), ("a", "", "1"), "line 2"),
        (("first", "second", "same"), ("none.jpg", "p0/0.jpg", "1"), "none.jpg"),
        (("first", "second", "same"), ("text.jpg", "p0/0.jpg", "1"), "text.jpg: not a picture"),
        (("first", "second", "same"), ("p0/0.jpg", "p0/1.jpg", "1"), "pairs of both kinds"),
    ],
)
def test_bad_tables_are_refused_in_one_line(folder, tmp_path, header, row, says):
    table = write(tmp_path / "pairs.csv", header, [row])
    code, output = run(evaluate, "pairs", table, "--images", folder)
    assert code == 1
    assert says in output
    assert "Traceback" not in output


def test_a_file_that_is_no_video_is_refused(folder):
    code, output = run(bench, "video", folder / "text.jpg")
    assert code == 1
    assert "text.jpg" in output


def test_a_camera_file_plays_at_thirty_frames_a_second(folder, tmp_path):
    target = tmp_path / "camera.mjpeg"
    assert make_camera(folder / "camera.mp4", target) == 60
    with av.open(str(target)) as container:
        frames = list(container.decode(video=0))
    assert (len(frames), frames[0].width, frames[0].height) == (60, 640, 480)


@pytest.mark.parametrize("rate", [[], ["--rate", "20"]])
def test_cores_are_measured_side_by_side(folder, rate):
    code, out = run(
        bench, "cores", "--video", folder / "camera.mp4", "--sessions", "2", "--workers", "1", "--rounds", "1",
        "--seconds", "1", "--json", *rate,
    )  # fmt: skip
    assert code == 0
    found = json.loads(out)
    assert (found["sessions"], found["workers"], found["pictures"], found["people"]) == (2, 1, 60, 6)
    for kind in ("threads", "threads, one a camera", "processes"):
        figures = found[kind]
        assert figures["frames a second"] > 5
        assert figures["faces with a name [%]"] > 50
        assert figures["looks lost"] == 0
        assert 0 < figures["CPU a frame [ms]"] < 1000
        assert figures["look, p50 [ms]"] > 0
    assert found["processes"]["memory of the workers [MB]"] > 20
    assert found["threads"]["faces embedded at once, mean"] is None


def test_cores_need_a_video_with_a_face(folder, tmp_path):
    with av.open(str(tmp_path / "empty.mp4"), "w") as sink:
        stream = sink.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for _ in range(5):
            sink.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((240, 320, 3), 90, np.uint8), "rgb24")))
        sink.mux(stream.encode(None))
    assert run(bench, "cores", "--video", tmp_path / "empty.mp4")[1].endswith("no face was found in these pictures\n")
    code, out = run(bench, "cores", "--video", folder / "text.jpg")
    assert code == 1
    assert "text.jpg" in out
