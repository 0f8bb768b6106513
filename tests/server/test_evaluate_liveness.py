"""The challenge measured by the command line."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from server.commands.evaluate import evaluate
from server.evaluation.liveness import any_order, film, obeying
from server.evaluation.liveness_stage import Pose
from tests.packs import models_folder
from tests.server.video_files import write_video
from tracking.liveness import STEPS, ChallengeState


def run(*arguments: str) -> Result:
    return CliRunner().invoke(evaluate, ["liveness", *arguments, "--models-dir", str(models_folder())])


def test_a_film_of_somebody_who_hardly_moves_passes_nothing(tmp_path: Path) -> None:
    video = write_video(tmp_path / "one.mp4", [(0, 0.0, 3.0)], 3.0)
    result = run(str(video), "--tries", "1", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["turns of real heads"], found["median share of the expected parallax"]) == (0, None)
    (row,) = found["tries"]
    assert (row["before the camera"], row["tries"], row["passed"]) == ("films of people, as they are", 0, 0)
    assert "are not stopped" in found["note"]


@pytest.mark.parametrize("what", ["nothing", "no pictures", "no face", "no video"])
def test_what_cannot_be_measured_is_said(tmp_path: Path, what: str) -> None:
    picture = tmp_path / "grey.png"
    if what in ("no face", "no video"):
        cv2.imwrite(str(picture), np.full((64, 64, 3), 128, np.uint8))
    match what:
        case "nothing":
            result = run()
            assert "give videos of people, or --images" in result.output
        case "no video":
            (tmp_path / "broken.mp4").write_bytes(b"no video at all")
            result = run(str(tmp_path / "broken.mp4"))
            assert "broken.mp4" in result.output
        case _:
            result = run("--images", str(tmp_path))
            assert "no picture of a face that looks ahead" in result.output
    assert result.exit_code != 0
    assert "Traceback" not in result.output


def test_who_obeys_moves_after_being_asked_and_back() -> None:
    act = obeying(26)
    rest, left = ChallengeState(None, 1, 9), ChallengeState("left", 1, 6)
    assert act(0.0, rest) == Pose()
    assert act(2.0, left).yaw == 0
    assert 0 < act(2.7, left).yaw < 26
    assert act(4.0, left).yaw == 26
    assert act(4.1, ChallengeState(None, 2, 9)).yaw == 26
    assert act(6.0, ChallengeState(None, 2, 9)).yaw == 0


def test_a_film_knows_nothing_of_what_is_asked() -> None:
    assert sorted(any_order(1)) == sorted(STEPS)
    assert len({any_order(seed) for seed in range(40)}) == 6
    act = film(("right", "nearer", "left"), 26)
    states = [ChallengeState(step, 1, 6) for step in (None, "left", "nearer")]
    assert {act(1.0, state) for state in states} == {Pose()}
    assert {act(3.5, state).yaw for state in states} == {-26.0}
    assert {act(7.9, state).distance for state in states} == {0.46}
