"""A user's own pack: a folder with a manifest and its files, in the models folder."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper

from models import (
    ManifestInvalid,
    ModelError,
    PackDamaged,
    UnknownPack,
    available_packs,
    is_installed,
    load_manifest,
    load_pack,
    parse_manifest,
    pull_pack,
    verify_pack,
)
from models.cli import models as command
from pipeline.face_models import FaceModels, read_photo
from tests.packs import models_folder
from tests.pictures import group_photo

MANIFEST = """
name = "mine"
summary = "A network of my own"
licence = "mine"
origin = "own"
default = false
size = 1000

[[files]]
name = "centerface.onnx"
licence = "MIT"
sha256 = "{detector}"

[[files]]
name = "net.onnx"
licence = "mine"
sha256 = "{embedder}"

[detector]
kind = "centerface"
file = "centerface.onnx"
score_threshold = 0.5
nms = 0.3
stride = 32

[embedder]
kind = "facenet"
file = "net.onnx"
size = 32
dimension = 12
mean = 127.5
scale = 0.0078125
mirror = true
template = [[10, 10], [22, 10], [16, 17], [11, 22], [21, 22]]

[matching]
metric = "cosine"
fmr = [[0.01, 0.5], [0.001, 0.6]]
target_fpir = 0.01
margin = 0.05
calibration_slope = 10.0
calibration_intercept = -5.0
same_face = 0.6
min_face = 24
"""


def network(channels_last: bool) -> bytes:
    """Means of 2×2 blocks of the picture by channel, with the layout Keras or PyTorch has."""
    shape = ["batch", 32, 32, 3] if channels_last else ["batch", 3, 32, 32]
    nodes = [helper.make_node("Transpose", ["image"], ["planes"], perm=[0, 3, 1, 2])] if channels_last else []
    nodes += [
        helper.make_node("AveragePool", ["planes" if channels_last else "image"], ["means"], kernel_shape=[16, 16],
                         strides=[16, 16]),
        helper.make_node("Reshape", ["means", "shape"], ["embedding"]),
    ]  # fmt: skip
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", 12])],
        [numpy_helper.from_array(np.array([-1, 12], np.int64), "shape")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return bytes(model.SerializeToString())


def write_pack(folder: Path, channels_last: bool = True, text: str = MANIFEST) -> Path:
    """The pack in ``folder``/mine; returns its manifest."""
    own = folder / "mine"
    own.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(models_folder() / "open" / "centerface.onnx", own / "centerface.onnx")
    (own / "net.onnx").write_bytes(network(channels_last))
    digests = [hashlib.sha256((own / name).read_bytes()).hexdigest() for name in ("centerface.onnx", "net.onnx")]
    (own / "pack.toml").write_text(text.format(detector=digests[0], embedder=digests[1]))
    return own / "pack.toml"


def test_it_is_among_the_packs_and_runs(tmp_path: Path) -> None:
    write_pack(tmp_path)
    assert [pack.name for pack in available_packs(tmp_path)][:2] == ["open", "antelopev2"]
    assert "mine" in {pack.name for pack in available_packs(tmp_path)}
    assert "mine" not in {pack.name for pack in available_packs()}
    assert is_installed("mine", tmp_path)
    models = FaceModels.from_pack(load_pack("mine", tmp_path, "cpu"))
    faces = read_photo(models, group_photo())
    assert len(faces) == 6
    assert faces[0].embedding.shape == (12,)
    assert np.linalg.norm(faces[0].embedding) == pytest.approx(1, abs=1e-5)


def test_both_layouts_give_the_scaled_picture_to_the_network(tmp_path: Path) -> None:
    chips = list(np.random.default_rng(0).integers(0, 256, (19, 32, 32, 3), dtype=np.uint8))
    blocks = (np.stack(chips).astype(np.float64) - 127.5).reshape(19, 2, 16, 2, 16, 3).mean((2, 4))
    expected = blocks.transpose(0, 3, 1, 2).reshape(19, 12)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    for channels_last in (True, False):
        write_pack(tmp_path, channels_last)
        embedder = FaceModels.from_pack(load_pack("mine", tmp_path, "cpu")).embedder
        np.testing.assert_allclose(embedder.embed(chips), expected, atol=1e-4)
        assert embedder.embed([]).shape == (0, 12)


def test_the_digest_follows_the_scaling(tmp_path: Path) -> None:
    write_pack(tmp_path)
    digest = load_manifest("mine", tmp_path).digest
    write_pack(tmp_path, text=MANIFEST.replace("127.5", "128"))
    assert load_manifest("mine", tmp_path).digest != digest


def test_a_population_is_read_from_beside_the_manifest(tmp_path: Path) -> None:
    text = MANIFEST + '\n[matching.population]\nfile = "faces.npz"\nscale = 0.1\noffset = 0.5\nlimit = 0.02\n'
    manifest = write_pack(tmp_path, text=text)
    with pytest.raises(ManifestInvalid, match="expected a file beside the manifest"):
        load_manifest("mine", tmp_path)
    np.savez(manifest.with_name("faces.npz"), mean=np.zeros(12), between=np.eye(12), within=np.float64(1))
    population = load_manifest("mine", tmp_path).matching.population
    assert population is not None
    assert population.mean.shape == (12,)


@pytest.mark.parametrize("damage", ["changed", "gone"])
def test_a_damaged_file_is_refused_with_what_to_do(damage: str, tmp_path: Path) -> None:
    net = write_pack(tmp_path).with_name("net.onnx")
    if damage == "gone":
        net.unlink()
        assert not is_installed("mine", tmp_path)
    else:
        net.write_bytes(net.read_bytes() + b"x")
    assert [status.state for status in verify_pack("mine", tmp_path)] == [
        "ok",
        "missing" if damage == "gone" else "damaged",
    ]
    with pytest.raises(PackDamaged, match=r"pack 'mine' in .* is not whole: net\.onnx .*pack\.toml"):
        load_pack("mine", tmp_path, "cpu")
    result = CliRunner().invoke(command, ["verify", "mine", "--cache-dir", str(tmp_path)])
    assert result.exit_code == 1
    assert "pack.toml" in result.stderr


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("size = 32", "size = 40", r"net.onnx of pack 'mine' takes \['batch', 32, 32, 3\]"),
        ("dimension = 12", "dimension = 128", r"says .* \(batch, 128\)"),
    ],
)
def test_a_network_of_another_shape_is_refused(old: str, new: str, message: str, tmp_path: Path) -> None:
    write_pack(tmp_path, text=MANIFEST.replace(old, new))
    with pytest.raises(PackDamaged, match=message):
        load_pack("mine", tmp_path, "cpu")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "mine"', 'name = "yours"', "name is 'yours', expected 'mine'"),
        ('origin = "own"', 'origin = "pulled"\nurl = "https://example.org/x.zip"', "files.0..sha256 is not a field"),
        ("default = false", "default = true", "expected false: choose the pack with --pack mine"),
        ('sha256 = "{embedder}"', 'sha256 = "?"', r"files\[1\].sha256 is '\?'"),
        ("[matching]", "[matching", "not valid TOML"),
    ],
)
def test_a_wrong_manifest_is_named_and_does_not_hide_the_others(
    old: str, new: str, message: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_pack(tmp_path, text=MANIFEST.replace(old, new))
    with pytest.raises(ManifestInvalid, match=message):
        load_manifest("mine", tmp_path)
    packs = {pack.name for pack in available_packs(tmp_path)}
    assert "open" in packs
    assert "mine" not in packs
    assert "left out a pack" in caplog.text


def test_a_pack_of_this_version_cannot_be_replaced(tmp_path: Path) -> None:
    write_pack(tmp_path).parent.rename(tmp_path / "open")
    assert load_manifest("open", tmp_path).origin == "built"
    assert [pack.name for pack in available_packs(tmp_path)].count("open") == 1


def test_an_unknown_pack_is_told_with_ones_own(tmp_path: Path) -> None:
    write_pack(tmp_path)
    with pytest.raises(UnknownPack, match=r"known are: .*open, mine"):
        load_manifest("nobody", tmp_path)
    with pytest.raises(UnknownPack):
        load_manifest("mine")


def test_it_is_listed_and_never_fetched(tmp_path: Path) -> None:
    write_pack(tmp_path)
    result = CliRunner().invoke(command, ["list", "--json", "--cache-dir", str(tmp_path)])
    (row,) = [row for row in json.loads(result.stdout) if row["name"] == "mine"]
    assert row["installed"]
    with pytest.raises(ModelError, match="your own"):
        pull_pack("mine", tmp_path, True, lambda line: None)


def test_the_manifest_in_the_documentation_is_one() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "training.md").read_text("utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    manifest = parse_manifest(example.replace("…", "0" * 64), "docs/training.md")
    assert manifest.embedder.kind == "facenet"
    assert manifest.origin == "own"
