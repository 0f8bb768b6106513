"""The CC0 networks are fed as they were trained; stand-ins of the same shape say what they are shown."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pipeline.attributes import AGES, conclude
from server.evaluation.cc0 import MEAN, Cc0Reader
from server.evaluation.labels import EvaluationError

LANDMARKS = np.array([[80, 90], [120, 90], [100, 112], [84, 132], [116, 132]], np.float32)


def network(side, weights, bias):
    """Mean colour (3,) → softmax of a linear map (classes, 3)."""
    classes = len(bias)
    nodes = [
        helper.make_node("GlobalAveragePool", ["images"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w", "b"], ["logits"], transB=1),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [None, 3, side, side])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, classes])],
        [
            numpy_helper.from_array(np.asarray(weights, np.float32), "w"),
            numpy_helper.from_array(np.asarray(bias, np.float32), "b"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)


@pytest.fixture
def folder(tmp_path):
    red = [[0, 0, 0], [20, 0, 0]]  # the redder, the more male
    onnx.save(network(32, red, [0, 0]), tmp_path / "gender-v1.onnx")
    ages = np.full(81, -30.0)
    ages[[3, 40]] = (0, 1)
    onnx.save(network(64, np.zeros((81, 3)), ages), tmp_path / "age-v1.onnx")
    return tmp_path


def picture(red):
    image = np.empty((240, 200, 3), np.uint8)
    image[:] = (red, 100, 100)
    return image


def test_colours_come_as_red_green_blue_less_their_mean(folder):
    reader = Cc0Reader(folder, "cpu")
    for red in (60, 123, 200):
        evidence = reader.read(picture(red), LANDMARKS, 90.0)
        assert evidence.log_odds == pytest.approx(20 * (red - MEAN[0]) / 256, abs=0.02)


def test_ages_of_children_count_for_the_youngest_year_there_is(folder):
    reader = Cc0Reader(folder, "cpu")
    ages = reader.read(picture(200), LANDMARKS, 90.0).ages
    assert ages.sum() == pytest.approx(1, abs=1e-4)
    assert AGES[ages > 0.01].tolist() == [15, 40]
    apparent = conclude([reader.read(picture(200), LANDMARKS, 90.0)], 90.0, reader)
    assert apparent.gender == "male"
    assert apparent.age == pytest.approx(40, abs=1)


def test_files_that_are_not_there_are_named(tmp_path):
    with pytest.raises(EvaluationError, match=r"gender-v1\.onnx is missing"):
        Cc0Reader(tmp_path)
