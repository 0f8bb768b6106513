from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from models import PackDamaged, load_manifest
from models.graph_digest import file_graph_digest, graph_digest


def small_model() -> Any:
    weights = helper.make_tensor("w", TensorProto.FLOAT, [1, 1, 2, 2], [1.0, 2.0, 3.0, 4.0])
    node = helper.make_node("Conv", ["x", "w"], ["y"], kernel_shape=[2, 2], strides=[1, 1], auto_pad="NOTSET")
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 1, 4, 4])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 1, 3, 3])
    graph = helper.make_graph([node], "small", [x], [y], [weights])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


def as_raw(model: Any) -> None:
    tensor = model.graph.initializer[0]
    values = np.array(tensor.float_data, "<f4")
    tensor.ClearField("float_data")
    tensor.raw_data = values.tobytes()


def reorder(model: Any) -> None:
    attributes = list(model.graph.node[0].attribute)[::-1]
    del model.graph.node[0].attribute[:]
    model.graph.node[0].attribute.extend(attributes)


@pytest.mark.parametrize(
    "change",
    [
        as_raw,
        reorder,
        lambda m: setattr(m, "producer_version", "9"),
        lambda m: setattr(m, "ir_version", 7),
        lambda m: setattr(m.graph, "name", "other"),
        lambda m: setattr(m.graph.node[0], "doc_string", "a convolution"),
        lambda m: setattr(m.graph.node[0], "name", "conv"),
    ],
)
def test_how_a_model_is_written_does_not_matter(change: Callable[[Any], None]) -> None:
    model = small_model()
    change(model)
    assert graph_digest(model) == graph_digest(small_model())


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.graph.initializer[0].float_data.__setitem__(3, np.nextafter(np.float32(4), np.float32(5))),
        lambda m: setattr(m.graph.initializer[0], "name", "v"),
        lambda m: setattr(m.graph.node[0], "op_type", "ConvTranspose"),
        lambda m: m.graph.node[0].input.__setitem__(0, "w"),
        lambda m: m.graph.node[0].attribute[1].ints.__setitem__(0, 3),
        lambda m: setattr(m.opset_import[0], "version", 18),
        lambda m: setattr(m.graph.input[0].type.tensor_type.shape.dim[2], "dim_value", 8),
        lambda m: setattr(m.graph.output[0], "name", "z"),
        lambda m: m.graph.node.append(m.graph.node[0]),
    ],
)
def test_what_a_model_computes_does(change: Callable[[Any], None]) -> None:
    model = small_model()
    change(model)
    assert graph_digest(model) != graph_digest(small_model())


def test_the_built_files_hold_the_models_of_the_manifest(cache: Path) -> None:
    for entry in load_manifest("open").files:
        assert file_graph_digest(cache / "open" / entry.name) == entry.digest


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x04\xff\xff\xff"])
def test_what_is_no_model_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.onnx"
    path.write_bytes(content)
    if content:
        with pytest.raises(PackDamaged, match=r"x\.onnx is not a readable ONNX model"):
            file_graph_digest(path)
    else:  # an empty file is an empty model to protobuf
        assert file_graph_digest(path) == graph_digest(onnx.ModelProto())
