"""`visavis evaluate consent-mode`: what it finds on a short film, that it can find fault, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from pipeline.masking import Masking
from server.commands import evaluate_consent_mode as command
from server.evaluation import masked
from tests.packs import models_folder

HERE = ["--models-dir", str(models_folder()), "--json"]


def run(*more: str) -> Any:
    return CliRunner().invoke(command.consent_mode, [*more, *HERE])


def told(*more: str) -> dict[str, Any]:
    answer = run(*more)
    assert answer.exit_code == 0, answer.output
    return dict(json.loads(answer.stdout))


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "SECONDS", 2)


def test_a_panned_photo_shows_nobody_without_consent() -> None:
    found = told()
    assert found["pictures shown"] == 30
    assert found["faces without consent"] > 20
    assert found["… less than 95% covered [%]"] <= 2
    assert found["… recognised in what was sent"] == 0
    measures = {row["measure"]: row["video0"] for row in found["videos"]}
    assert float(measures["faces with consent shown [%]"]) > 50
    assert float(measures["masking [ms CPU]"]) > 0


def test_it_sees_what_is_not_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    def untouched(self: Any, frame: Any, faces: Any, now: float) -> Any:
        return frame, Masking(np.zeros((0, 4), np.float32))

    monkeypatch.setattr(masked.MaskedPictures, "mask", untouched)
    found = told()
    assert found["… less than 95% covered [%]"] == 100
    assert found["… recognised in what was sent"] > 10
    assert found["… of these not masked"] == found["… recognised in what was sent"]


def test_what_it_cannot_do_it_says(tmp_path: Path) -> None:
    words = tmp_path / "a.mp4"
    words.write_text("not a video")
    assert "Invalid data" in run(str(words)).output
    table = tmp_path / "truth.csv"
    table.write_text("frame,person,x,y,w,h\n1,Ada,1,2,3,wide\n")
    assert "give one" in run("--truth", str(table)).output
    assert "line 2" in run(str(words), "--truth", str(table)).output
    assert "give --gallery" in run("--consented", "Ada").output
