from __future__ import annotations

import dataclasses
import re
from importlib import resources

import numpy as np
import pytest

from models import (
    ManifestInvalid,
    ModelError,
    PackManifest,
    PackNotInstalled,
    UnknownPack,
    available_packs,
    load_manifest,
    parse_manifest,
)


def text_of(name: str) -> str:
    return resources.files("models").joinpath("packs", f"{name}.toml").read_text("utf-8")


def test_every_pack_is_readable_and_one_is_the_default() -> None:
    packs = available_packs()
    assert [pack.name for pack in packs if pack.default] == ["open"]
    assert packs[0].name == "open"
    assert {"buffalo_l", "buffalo_m", "buffalo_s", "buffalo_sc", "antelopev2"} < {pack.name for pack in packs}


def test_the_open_pack_needs_nobodys_permission() -> None:
    pack = load_manifest("open")
    assert {entry.licence for entry in pack.files} == {"MIT", "CC0-1.0"}
    assert pack.url is None
    # dlib's 68-point predictor comes in the same package; its training photos forbid commercial use.
    assert not any(entry.source and "68" in entry.source.path for entry in pack.files)


@pytest.mark.parametrize("pack", [p for p in available_packs() if not p.default], ids=lambda p: p.name)
def test_pulled_packs_say_that_they_are_for_research_only(pack: PackManifest) -> None:
    assert "non-commercial research only" in pack.licence
    assert pack.url is not None
    assert pack.url.endswith(f"/{pack.name}.zip")


def test_values_are_frozen() -> None:
    pack = load_manifest("open")
    with pytest.raises(dataclasses.FrozenInstanceError):
        pack.name = "other"  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        pack.embedder.template[0] = 0


def test_landmarks_of_templates_lie_as_a_face_has_them() -> None:
    for pack in available_packs():
        left_eye, right_eye, nose, left_mouth, right_mouth = pack.embedder.template
        assert left_eye[0] < nose[0] < right_eye[0], pack.name
        assert left_mouth[0] < nose[0] < right_mouth[0], pack.name
        assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1]), pack.name


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "open"', 'name = "Open!"', "open.toml: name is 'Open!', expected text like"),
        ('name = "open"', "", "open.toml: name is missing"),
        ('origin = "built"', 'origin = "found"', "origin is 'found', expected one of built, pulled"),
        ("default = true", "default = 1", "default is 1, expected true or false"),
        ("size = .*", "size = 0", "size is 0, expected a whole number of at least 1"),
        ("size = .*", "size = true", "size is True, expected a whole number"),
        ('licence = "MIT and CC0-1.0"', 'licence = " "', "licence is ' ', expected text"),
        ('name = "centerface.onnx"', 'name = "../centerface.onnx"', "files[0].name is '../centerface.onnx'"),
        ('path = "centerface.onnx"', 'path = "/etc/passwd"', "files[0].source.path is '/etc/passwd'"),
        ('path = "centerface.onnx"', 'path = "a/../../b"', "files[0].source.path is 'a/../../b'"),
        ('graph_sha256 = ".', 'graph_sha256 = "x', "files[0].graph_sha256 is 'x"),
        ('recipe = "centerface"', 'recipe = "bake"', "files[0].source.recipe is 'bake', expected one of"),
        ('name = "centerface.onnx"', 'name = "dlib_resnet.onnx"', "expected every name once"),
        ('kind = "centerface"', 'kind = "haar"', "detector.kind is 'haar', expected one of centerface, scrfd"),
        ('file = "centerface.onnx"', 'file = "c.onnx"', "detector.file is 'c.onnx', expected one of files: center"),
        ("score_threshold = .*", "score_threshold = 1.5", "score_threshold is 1.5, expected a number above 0 and"),
        ("score_threshold = .*", "score_threshold = nan", "detector.score_threshold is nan"),
        ("nms = .*", "nms = 0", "detector.nms is 0, expected a number above 0 and below 1"),
        ("stride = 32", "stride = 0", "detector.stride is 0, expected a whole number of at least 1"),
        ("stride = 32", "stride = 32.5", "detector.stride is 32.5, expected a whole number"),
        (r"\[detector\]", "[detektor]", "detector is missing, expected a table [detector]"),
        (
            'kind = "dlib"',
            'kind = "eigenfaces"',
            "embedder.kind is 'eigenfaces', expected one of dlib,",
        ),
        ('kind = "dlib"', 'kind = "facenet"', "embedder.mean is missing, expected a number"),
        (
            'kind = "dlib"',
            'kind = "facenet"\nmean = 127.5\nscale = 0',
            "embedder.scale is 0, expected",
        ),
        ('kind = "dlib"', 'kind = "dlib"\nscale = 1', "embedder.scale is not a field"),
        (r"(?<=template = \[)\[.*?\], ", "", "embedder.template is"),
        (r"(?<=template = \[)\[.*?\]", "[46.7, 450.3]", "pixels inside a chip of 150x150"),
        (r"(?<=template = \[)\[.*?\]", "[46.7]", "expected 5 pairs of numbers"),
        ("dimension = 128", 'dimension = "128"', "embedder.dimension is '128'"),
        ("mirror = true", 'mirror = "yes"', "embedder.mirror is 'yes', expected true or false"),
        ('metric = "cosine"', 'metric = "euclid"', "matching.metric is 'euclid', expected one of cosine"),
        ("fmr = .*", "fmr = [[0.001, 0.926], [0.01, 0.908]]", "expected falling rates with rising"),
        ("fmr = .*", "fmr = [[0.01, 1.908]]", "a similarity between -1 and 1"),
        ("fmr = .*", "fmr = []", "matching.fmr is [], expected one or"),
        ("target_fpir = .*", "target_fpir = 0", "matching.target_fpir is 0"),
        ("margin = .*", "margin = -0.1", "matching.margin is -0.1, expected a number at least 0 and below 2"),
        ("calibration_slope = .*", "calibration_slope = -1", "matching.calibration_slope is -1"),
        ("calibration_intercept = .*", "calibration_intercept = inf", "matching.calibration_intercept is inf"),
        ("same_face = .*", "same_face = 1", "matching.same_face is 1"),
        ("min_face = .*", "min_face = 0", "matching.min_face is 0"),
        ("min_face = .*", "min_face = 36\nmin_eye = 4", "matching.min_eye is not a field"),
        ("default = true", "default = true\ncolour = 1", "open.toml: colour is not a field"),
        (r"\[detector\]", "[detector", "open.toml: not valid TOML"),
    ],
)
def test_a_wrong_field_is_named_with_its_value(old: str, new: str, message: str) -> None:
    changed, times = re.subn(old, new, text_of("open"), count=1)
    assert times == 1
    with pytest.raises(ManifestInvalid, match=re.escape(message)) as caught:
        parse_manifest(changed, "open.toml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://example.org/buffalo_l.zip", "file:///buffalo_l.zip", "https://example.org/x"])
def test_a_pack_is_pulled_over_https_only(url: str) -> None:
    text = re.sub(r'url = ".*"', f'url = "{url}"', text_of("buffalo_l"))
    with pytest.raises(ManifestInvalid, match="url is"):
        parse_manifest(text, "buffalo_l.toml")


@pytest.mark.parametrize("name", ["nobody", "", "../open", "open.toml", "Open"])
def test_an_unknown_pack_is_told_with_those_there_are(name: str) -> None:
    with pytest.raises(UnknownPack, match=r"known are: antelopev2, buffalo_l, .*open"):
        load_manifest(name)


def test_the_digest_follows_name_embedder_and_template_and_nothing_else() -> None:
    pack = load_manifest("open")
    assert re.fullmatch("[0-9a-f]{64}", pack.digest)
    assert load_manifest("open").digest == pack.digest

    other_files = tuple(
        dataclasses.replace(f, digest="0" * 64) if f.name == pack.embedder.file else f for f in pack.files
    )
    template = pack.embedder.template + np.float32(0.5)
    changed = [
        dataclasses.replace(pack, name="mine"),
        dataclasses.replace(pack, files=other_files),
        dataclasses.replace(pack, embedder=dataclasses.replace(pack.embedder, template=template)),
    ]
    assert len({pack.digest, *(other.digest for other in changed)}) == 4
    same = dataclasses.replace(pack, matching=dataclasses.replace(pack.matching, margin=0.5), summary="Other words")
    assert same.digest == pack.digest


def test_a_pack_that_is_not_pulled_has_no_digest_and_says_how_to_get_one() -> None:
    with pytest.raises(PackNotInstalled, match="visavis models pull buffalo_s --accept-license"):
        _ = load_manifest("buffalo_s").digest


def test_all_errors_are_model_errors() -> None:
    assert issubclass(ManifestInvalid, ModelError)
    assert issubclass(PackNotInstalled, ModelError)
