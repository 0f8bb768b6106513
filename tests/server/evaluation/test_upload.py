"""What somebody sent is measured by its table, or by its folders; what makes no sense is said in words."""

import numpy as np
import pytest

from pipeline.attributes import AGES, AttributeEvidence
from server.evaluation.labels import EvaluationError
from server.evaluation.photos import load_photos
from server.evaluation.upload import TABLE_BYTES, StoredPhotos, evaluate_upload
from server.media.decoding import Unreadable, decode
from tests.packs import open_models
from tests.server.photos import varied


class Reader:
    """Says the same of everybody."""

    name, sure, min_width = "fake", 0.8, 30.0
    embedder: str | None = None

    def read(self, image, landmarks, width, embedding=None):
        return AttributeEvidence(3.0, np.full(len(AGES), 1 / len(AGES), np.float32), 1.0)


def evaluate(folder, files, all_distances=False):
    for index, data in enumerate(files.values()):
        (folder / str(index)).write_bytes(data)
    photos = StoredPhotos(folder, list(files))
    return evaluate_upload(open_models(), Reader, photos, decode, all_distances, lambda done, total: None)


PICTURES = {f"set/images/{p}-{s}.jpg": varied(p, s) for p in range(3) for s in range(3)}


def table(*rows):
    return {"set/labels.csv": "\r\n".join(rows).encode("utf-8-sig")}


def test_a_table_of_gender_and_age(tmp_path):
    rows = [f"{p}-{s}.jpg,male,3{p}" for p in range(3) for s in range(3)]
    report = evaluate(tmp_path, {**PICTURES, **table("file,gender,age", *rows, "gone.jpg,female,20")})
    figures = dict(report.figures)
    assert report.title == "Apparent gender and age by fake"
    assert (figures["files"], figures["faces"], figures["files left out (unreadable)"]) == (10, 9, 1)
    assert figures["gender: accuracy, whatever the confidence [%]"] == 100


def test_a_protocol_with_groups(tmp_path):
    rows = [f"enrol,p{p},images/{p}-0.jpg,g{p % 2}" for p in range(2)]
    rows += [f"probe_known,p{p},images/{p}-{s}.jpg,g{p % 2}" for p in range(2) for s in (1, 2)]
    rows += [f"probe_unknown,p2,images/2-{s}.jpg," for s in range(3)]
    report = evaluate(tmp_path, {**PICTURES, **table("role,person,file,group", *rows)})
    assert dict(report.figures)["rank-1 [%]"] == 100
    (groups,) = [t for t in report.tables if t.name == "groups"]
    assert [row["group"] for row in groups.records()] == ["no group", "g0", "g1"]
    assert sum(row["known"] + row["strangers"] for row in groups.records()) == 7


def test_pairs_at_all_distances(tmp_path):
    rows = [f"{p}-0.jpg,{p}-1.jpg,1" for p in range(3)] + [
        "0-0.jpg,1-0.jpg,0",
        "0-0.jpg,2-0.jpg,0",
        "1-0.jpg,2-0.jpg,0",
    ]
    report = evaluate(tmp_path, {**PICTURES, **table("first,second,same", *rows)}, all_distances=True)
    (distance,) = [t for t in report.tables if t.name == "distance"]
    assert [row["same"] + row["different"] + row["left_out"] for row in distance.records()] == [6] * 4


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "two people are needed"),
        ({"Ada/1.jpg": b"", "Ada/2.jpg": b""}, "two people are needed"),
        ({"a.csv": b"name,photo\nx,y"}, "names no columns"),
        ({"a.csv": b""}, "names no columns"),
        ({"a.csv": b"\xff\xfe"}, "not UTF-8"),
        ({"a.csv": b" " * (TABLE_BYTES + 1)}, "8 MB"),
        ({"a.csv": b"file,gender\nx.jpg,male"}, "no face was found"),
        ({"a.csv": b"first,second,same\nx.jpg,y.jpg,1"}, "both kinds"),
        ({"a.csv": b"role,person,file\nenrol,p,x.jpg"}, "enrol, probe_known, probe_unknown"),
        ({"a.csv": b"file,gender", "b.csv": b"file,gender"}, "2 tables"),
    ],
)
def test_what_cannot_be_evaluated_is_said(tmp_path, files, words):
    with pytest.raises(EvaluationError, match=words):
        evaluate(tmp_path, files)


def test_files_are_found_by_the_end_of_their_paths_unless_that_is_two_files(tmp_path):
    for index in range(3):
        (tmp_path / str(index)).write_bytes(varied(index, 0))
    load = load_photos(StoredPhotos(tmp_path, ["set/a/1.jpg", "set/b/1.jpg", "set/b/2.jpg"]))
    assert (load("a/1.jpg") == load("set/a/1.jpg")).all()
    assert (load("2.jpg") == load(".\\b\\2.jpg".replace(".\\", "./"))).all()
    for name in ("1.jpg", "3.jpg", "../set/a/1.jpg", "/etc/passwd"):
        with pytest.raises(Unreadable):
            load(name)
