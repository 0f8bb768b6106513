"""Reports as files: complete, without scripts and styles that a policy forbids, without names unless asked for."""

import base64
import csv
import hashlib
import io
import json
import re
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest

from server.evaluation import Axis, Column, Plot, Report, Series, Table
from server.evaluation.drawing import HEIGHT, WIDTH, draw, label, ticks
from server.evaluation.page import content_policy, page
from server.evaluation.writing import report_files, write_report

TABLE = Table(
    "groups",
    "By <group>",
    (Column("group", "group", "text"), Column("n", "faces", "number"), Column("tar", "TAR", digits=2)),
    (("a & b", 1234, 0.98765), ("none", 0, None), ("odd", 2, float("nan"))),
    'Words "quoted".',
)
PLOT = Plot(
    "roc",
    "ROC",
    Axis("FMR", 1e-3, 1.0, log=True),
    Axis("TAR"),
    (Series("as it is", [0.0, 0.01, 1.0], [0.2, 0.9, 1.0]), Series("far <b>", [0.1, 1.0], [0.5, 1.0], dots=True)),
    'Higher is "better".',
    diagonal=True,
)
REPORT = Report(
    "Verification",
    (("pairs", np.int64(3)), ("TAR [%]", 98.7), ("falls", "yes"), ("none", None)),
    (TABLE, PLOT),
    ("Mind <this>.",),
    "Ada Lovelace.csv",
    {"without_face": ["Ada/1.jpg"]},
)


def test_the_page_needs_nothing_and_its_policy_allows_its_style_alone():
    text = page(REPORT, with_files=False)
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in content_policy()
    assert content_policy() in text
    assert "default-src 'none'" in content_policy()
    assert not re.search(r"<script|\sstyle=|\son\w+=|https?://|<link|@import|url\(", text)


def test_what_came_from_files_is_text_and_never_markup():
    text = page(REPORT, with_files=True)
    for raw in ("<group>", "<this>", "far <b>", 'is "better"'):
        assert raw not in text
    assert "By &lt;group&gt;" in text
    assert "Ada Lovelace.csv" in text


def test_names_are_written_only_on_request(tmp_path):
    for with_files in (False, True):
        everything = "".join(report_files(REPORT, with_files).values())
        assert ("Ada" in everything) is with_files


def test_cells_are_shown_for_people_and_kept_whole_for_machines():
    text = page(REPORT, with_files=False)
    assert "<td>1,234</td><td>98.77</td>" in text
    assert text.count("<td>–</td>") == 2
    files = report_files(REPORT)
    assert list(csv.reader(io.StringIO(files["groups.csv"]))) == [
        ["group", "n", "tar"],
        ["a & b", "1234", "0.98765"],
        ["none", "0", ""],
        ["odd", "2", ""],
    ]
    assert len(list(csv.reader(io.StringIO(files["roc.csv"])))) == 1 + 5
    written = json.loads(files["report.json"])
    assert written["figures"] == {"pairs": 3, "TAR [%]": 98.7, "falls": "yes", "none": None}
    assert written["tables"]["groups"][0] == {"group": "a & b", "n": 1234, "tar": 0.98765}
    assert written["curves"]["roc"]["as it is"]["x"] == [0.0, 0.01, 1.0]
    assert REPORT.printed()["without_face"] == ["Ada/1.jpg"]


def test_the_drawing_is_well_formed_and_stays_inside():
    svg = ElementTree.fromstring(draw(PLOT))
    assert svg.attrib["aria-label"] == PLOT.words
    curves = [path for path in svg.iter("path") if path.attrib["class"].startswith("curve")]
    assert [path.attrib["class"] for path in curves] == ["curve s0", "curve s1"]
    for path in curves:
        numbers = [float(n) for n in re.findall(r"[\d.]+", path.attrib["d"])]
        assert all(0 <= x <= WIDTH for x in numbers[::2])
        assert all(0 <= y <= HEIGHT for y in numbers[1::2])
    assert len(list(svg.iter("circle"))) == 2  # the second curve marks its points
    # FMR 0 is drawn at the left end of a logarithmic axis, FMR 1 at the right one.
    first = [float(n) for n in re.findall(r"[\d.]+", curves[0].attrib["d"])]
    assert first[0] < first[2] < first[4]


def test_steps_fall_where_the_threshold_is_passed():
    series = Series("FMR", [0.0, 0.5, 1.0], [1.0, 0.5, 0.0], steps=True)
    svg = ElementTree.fromstring(draw(Plot("p", "p", Axis("x"), Axis("y"), (series,), "w")))
    (curve,) = [path.attrib["d"] for path in svg.iter("path") if path.attrib["class"].startswith("curve")]
    numbers = [float(n) for n in re.findall(r"[\d.]+", curve)]
    places = list(zip(numbers[::2], numbers[1::2], strict=True))
    assert all(a[0] == b[0] or a[1] == b[1] for a, b in pairwise(places))
    assert places[1] == (places[0][0], places[2][1])  # at once down to what it is at the next threshold


def test_a_curve_of_very_many_points_is_drawn_small():
    x = np.linspace(0, 1, 50_000)
    plot = Plot("p", "p", Axis("x"), Axis("y"), (Series("s", list(x), list(x**0.3)),), "w")
    assert len(draw(plot)) < 15_000
    assert len(report_files(Report("t", (), (plot,)))["p.csv"].splitlines()) == 50_001


@pytest.mark.parametrize(
    ("axis", "labels"),
    [
        (Axis("share"), ["0 %", "20 %", "40 %", "60 %", "80 %", "100 %"]),
        (Axis("share", 0.5, 1.0), ["50 %", "60 %", "70 %", "80 %", "90 %", "100 %"]),
        (Axis("rate", 1e-4, 1.0, log=True), ["0.01 %", "0.1 %", "1 %", "10 %", "100 %"]),
        (Axis("pixels", 15, 110, percent=False), ["20", "40", "60", "80", "100"]),
        (Axis("similarity", 0.82, 0.9571, percent=False), ["0.85", "0.9", "0.95"]),
    ],
)
def test_ticks_are_round(axis, labels):
    assert [label(value, axis) for value in ticks(axis)] == labels


def test_a_report_fills_a_folder_and_says_where_it_cannot(tmp_path):
    paths = write_report(REPORT, tmp_path / "new" / "folder")
    assert sorted(path.name for path in paths) == ["groups.csv", "report.html", "report.json", "roc.csv"]
    assert all(path.stat().st_size for path in paths)
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        write_report(REPORT, tmp_path / "file")
