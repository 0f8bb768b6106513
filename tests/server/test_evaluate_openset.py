"""The table of rules, and the interval of what the rule in use gains."""

import json
import os

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from pipeline.face_models import read_photo
from server.commands.evaluate import evaluate
from server.commands.evaluate_openset import _Scores, gain_interval
from tests.packs import models_folder, open_models
from tests.pictures import group_photo


def scores(top, strangers):
    return _Scores(np.array(top, np.float32), np.ones(len(top), bool), np.array(strangers, np.float32))


def test_the_interval_holds_the_gain_and_is_nothing_for_the_same_rule():
    rng = np.random.default_rng(0)
    strangers = rng.normal(0, 1, 500)
    owners = np.repeat(np.arange(100), 3)
    base = scores(rng.normal(3, 1, 300), strangers)
    better = scores(base.top + 0.6, strangers)
    low, high = gain_interval(base, better, owners)
    threshold = np.sort(strangers)[-6]
    gain = (better.top > threshold).mean() - (base.top > threshold).mean()
    assert 0 < low < gain < high
    assert gain_interval(base, base, owners) == (0, 0)


@pytest.fixture
def folder(tmp_path):
    faces = sorted(read_photo(open_models(), group_photo()), key=lambda f: float(f.box[0]))
    for i, face in enumerate(faces):
        x, y, w, h = face.box
        side = int(1.8 * max(w, h))
        left, top = max(0, int(x + w / 2 - side / 2)), max(0, int(y + h / 2 - side / 2))
        crop = group_photo()[top : top + side, left : left + side, ::-1]
        for j, light in enumerate((1.0, 0.85, 1.15)):
            path = tmp_path / f"p{i}" / f"{j}.jpg"
            path.parent.mkdir(exist_ok=True)
            cv2.imwrite(str(path), np.clip(crop * light, 0, 255).astype(np.uint8))
    return tmp_path


def run(folder, rows, *more):
    table = folder / "protocol.csv"
    table.write_text("role,person,file\n" + "".join(f"{','.join(row)}\n" for row in rows))
    arguments = ["openset", str(table), "--images", str(folder), "--models-dir", str(models_folder()), *more]
    return CliRunner(env={**os.environ}).invoke(evaluate, [*arguments, "--provider", "cpu"])


def rows():
    known = [
        (role, f"p{i}", f"p{i}/{j}.jpg") for i in range(3) for j, role in enumerate(("enrol", "enrol", "probe_known"))
    ]
    return known + [("probe_unknown", f"p{i}", f"p{i}/0.jpg") for i in range(3, 6)]


def test_every_rule_is_judged_on_the_same_faces(folder):
    result = json.loads(run(folder, rows(), "--json").stdout)
    assert [r["rule"].split(":")[0] for r in result["rules"]][::6] == ["plain mean", "the rule in use"]
    assert {r["rank_1"] for r in result["rules"]} == {1.0}
    assert result["default: FPIR [%]"] == 0
    assert result["… 95 % interval, from"] <= result["… to"]
    text = run(folder, rows()).stdout
    assert "TPIR@0.1 %" in text
    assert "nearest sample" in text


def test_a_known_probe_of_somebody_not_enrolled_is_never_right(folder):
    table = [*rows(), ("probe_known", "nobody", "p4/1.jpg")]
    assert json.loads(run(folder, table, "--json").stdout)["rank-1 [%]"] == 75.0


def test_what_is_missing_is_named(folder):
    found = run(folder, [row for row in rows() if row[0] != "probe_unknown"])
    assert found.exit_code == 1
    assert "probe_unknown" in found.output
    cv2.imwrite(str(folder / "blank.jpg"), np.full((64, 64, 3), 90, np.uint8))
    only = [row for row in rows() if row[0] != "enrol"] + [("enrol", "x", "blank.jpg")]
    assert "role enrol with a face" in run(folder, only).output
