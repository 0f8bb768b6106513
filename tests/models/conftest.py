"""The open pack built once, a real photo, and small stand-ins with the signatures of InsightFace's models."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from models import ensure_pack

FEATURES = {"scores": 1, "boxes": 4, "landmarks": 10}


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder with the open pack in it; not to be changed."""
    folder = tmp_path_factory.mktemp("cache")
    ensure_pack("open", folder, lambda line: None)
    return folder


@pytest.fixture(scope="session")
def photo() -> NDArray[np.uint8]:
    """InsightFace's sample photo: six faces, RGB (886, 1280, 3)."""
    spec = importlib.util.find_spec("insightface")
    assert spec is not None
    assert spec.submodule_search_locations
    path = Path(spec.submodule_search_locations[0]) / "data" / "images" / "t1.jpg"
    image = cv2.imread(str(path))
    assert image is not None
    return np.ascontiguousarray(image[:, :, ::-1])


@pytest.fixture
def lines() -> list[str]:
    return []


def _save(path: Path, nodes: list[Any], weights: dict[str, Any], inputs: list[Any], outputs: list[Any]) -> None:
    initializers = [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, path.stem, inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    onnx.save(model, path)


def save_scrfd(path: Path) -> None:
    """Nine outputs as SCRFD's, two anchors a cell: what is bright is a face of two cells, landmarks in its middle."""
    nodes, weights, outputs = [], {}, []
    for feature, width in FEATURES.items():
        for stride in (8, 16, 32):
            name = f"{feature}_{stride}"
            channels = 2 * width
            kernel = np.zeros((channels, 3, 1, 1), np.float32)
            bias = np.ones(channels, np.float32) if feature == "boxes" else np.zeros(channels, np.float32)
            if feature == "scores":
                kernel[:] = 10 / 3
                bias[:] = -5.0  # a mean of (127.5 + 64) / 255 and more passes
            weights |= {f"{name}_w": kernel, f"{name}_b": bias, f"{name}_s": np.array([-1, width], np.int64)}
            pooled, conv, moved, flat = (f"{name}_{step}" for step in ("pooled", "conv", "moved", "flat"))
            nodes += [
                helper.make_node("AveragePool", ["input.1"], [pooled], kernel_shape=[stride] * 2, strides=[stride] * 2),
                helper.make_node("Conv", [pooled, f"{name}_w", f"{name}_b"], [conv], kernel_shape=[1, 1]),
                helper.make_node("Transpose", [conv], [moved], perm=[0, 2, 3, 1]),
                helper.make_node("Reshape", [moved, f"{name}_s"], [flat]),
                helper.make_node("Sigmoid" if feature == "scores" else "Identity", [flat], [name]),
            ]
            outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [f"n{stride}", width]))
    images = helper.make_tensor_value_info("input.1", TensorProto.FLOAT, [1, 3, "height", "width"])
    _save(path, nodes, weights, [images], outputs)


def save_arcface(path: Path, dimension: int = 512) -> None:
    """112x112 to an embedding of means over 16x16 blocks, mixed at random."""
    mix = np.random.default_rng(5).normal(size=(147, dimension)).astype(np.float32)
    nodes = [
        helper.make_node("AveragePool", ["input.1"], ["pooled"], kernel_shape=[16, 16], strides=[16, 16]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "mix"], ["683"]),
    ]
    images = helper.make_tensor_value_info("input.1", TensorProto.FLOAT, ["None", 3, 112, 112])
    _save(
        path,
        nodes,
        {"mix": mix},
        [images],
        [helper.make_tensor_value_info("683", TensorProto.FLOAT, ["None", dimension])],
    )


def save_genderage(path: Path) -> None:
    """96x96 to two scores and an age of 0.25 (hundred years)."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["data"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w", "b"], ["fc1"]),
    ]
    weights = {"w": np.zeros((3, 3), np.float32), "b": np.array([0.0, 1.0, 0.25], np.float32)}
    images = helper.make_tensor_value_info("data", TensorProto.FLOAT, ["None", 3, 96, 96])
    _save(path, nodes, weights, [images], [helper.make_tensor_value_info("fc1", TensorProto.FLOAT, ["None", 3])])


@pytest.fixture(scope="session")
def buffalo_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with stand-ins under the names of pack ``buffalo_l``; not to be changed."""
    folder = tmp_path_factory.mktemp("buffalo")
    save_scrfd(folder / "det_10g.onnx")
    save_arcface(folder / "w600k_r50.onnx")
    save_genderage(folder / "genderage.onnx")
    return folder


@pytest.fixture
def write_arcface() -> Callable[..., None]:
    return save_arcface
