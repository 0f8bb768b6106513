"""What is exported computes what Keras computes."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

keras = pytest.importorskip("keras", reason="the extra 'training' is not installed")

from keras import layers, ops  # noqa: E402

from models import create_session  # noqa: E402
from training.networks import ARCHITECTURES, build_network, without_face  # noqa: E402
from training.onnx_export import export_onnx, in_float32  # noqa: E402
from training.onnx_graph import ExportError, Graph  # noqa: E402

AGREES = 1e-4


def unsettle(model, seed=0):
    """Statistics as after training: fresh batch normalisation does nothing, and would not be missed."""
    random = np.random.default_rng(seed)
    for weight in model.weights:
        if weight.name in ("gamma", "moving_variance"):
            weight.assign(random.uniform(0.5, 1.5, weight.shape))
        elif weight.name in ("beta", "moving_mean", "bias"):
            weight.assign(random.normal(0, 0.3, weight.shape))
    return model


def network(*parts, shape=(13, 18, 3)):
    image = keras.Input(shape)
    value = layers.Rescaling(1 / 127.5, -1)(image)
    for part in parts:
        value = part(value)
    return unsettle(keras.Model(image, value))


@pytest.mark.parametrize(
    "parts",
    [
        [layers.Conv2D(5, 3, 2, padding="same")],
        [layers.Conv2D(5, (3, 2), 2, padding="same", activation="relu"), layers.BatchNormalization()],
        [layers.Conv2D(6, 4, padding="valid", use_bias=False), layers.BatchNormalization(), layers.ReLU(6)],
        [layers.Conv2D(6, 3, dilation_rate=2, padding="same", activation="swish")],
        [layers.Conv2D(6, 3, groups=3, padding="same")],
        [layers.DepthwiseConv2D(3, 2, padding="same", depth_multiplier=2), layers.BatchNormalization()],
        [layers.ZeroPadding2D(((0, 1), (2, 3))), layers.Conv2D(4, 3, 2)],
        [layers.MaxPooling2D(3, 2, padding="same")],
        [layers.MaxPooling2D(3, 2)],
        [layers.AveragePooling2D(3, 2, padding="same")],
        [layers.AveragePooling2D(4)],
        [layers.Resizing(8, 9)],
        [layers.UpSampling2D(2)],
        [layers.UpSampling2D((2, 3), interpolation="bilinear")],
        [layers.Flatten(), layers.Dense(7, activation="tanh"), layers.BatchNormalization()],
        [layers.Reshape((18, 13, 3)), layers.Conv2D(4, 3)],
        [layers.Reshape((9, 78)), layers.Dense(4), layers.Softmax()],
        [layers.Dense(4, activation="softmax")],
        [layers.GlobalAveragePooling2D(keepdims=True), layers.Conv2D(4, 1, activation="sigmoid")],
        [layers.GlobalMaxPooling2D(), layers.UnitNormalization()],
        [lambda x: ops.normalize(x, axis=-1), lambda x: ops.silu(x)],
        [lambda x: layers.Concatenate()([ops.mean(x, -1, keepdims=True), ops.max(x, -1, keepdims=True)])],
        [lambda x: ops.mean(x, axis=1), layers.Dense(3)],
        [lambda x: ops.max(x, axis=(1, 2))],
        [lambda x: 2 * x - 1.5, lambda x: x * np.array([0.1, 0.2, 0.3], np.float32)],
        [lambda x: layers.Add()([x, layers.Conv2D(3, 1)(x)]), layers.BatchNormalization()],
        [lambda x: x * layers.GlobalAveragePooling2D(keepdims=True)(x)],
        [layers.Dropout(0.5), layers.LeakyReLU(), layers.Activation("hard_silu")],
        [keras.Sequential([layers.Conv2D(4, 3), layers.BatchNormalization(), layers.ReLU()])],
        [layers.RandomFlip()],
    ],
    ids=lambda parts: "-".join(getattr(part, "name", "ops") for part in parts),
)
def test_a_layer_computes_the_same(parts, tmp_path):
    assert export_onnx(network(*parts), tmp_path / "model.onnx") < AGREES


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_networks_of_the_product_compute_the_same(architecture, tmp_path):
    model = unsettle(build_network(architecture, "compact", 64))
    path = tmp_path / "model.onnx"
    assert export_onnx(model, path) < AGREES
    session = create_session(path, ("CPUExecutionProvider",))
    assert [value.name for value in session.get_outputs()] == ["gender", "age"]
    assert session.get_inputs()[0].shape == ["batch", 64, 64, 3]


def test_what_was_imitated_does_not_ship(tmp_path):
    model = unsettle(build_network("multiscale", "compact", 64, imitated=16))
    assert model.output["face"].shape == (None, 16)
    path = tmp_path / "model.onnx"
    assert export_onnx(without_face(model), path) < AGREES
    assert [value.name for value in create_session(path, ("CPUExecutionProvider",)).get_outputs()] == ["gender", "age"]


def test_half_size_weights_halve_the_file_and_nearly_agree(tmp_path):
    model = unsettle(build_network("mobile", "compact", 64))
    export_onnx(model, tmp_path / "whole.onnx")
    difference = export_onnx(model, tmp_path / "half.onnx", fp16_weights=True)
    assert 0 < difference < 0.05
    assert (tmp_path / "half.onnx").stat().st_size < 0.55 * (tmp_path / "whole.onnx").stat().st_size
    written = onnx.load(tmp_path / "half.onnx")
    assert all(t.data_type == onnx.TensorProto.FLOAT16 for t in written.graph.initializer if len(t.dims) == 4)


def test_a_model_of_mixed_precision_is_exported_in_full_precision(tmp_path):
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        model = unsettle(build_network("multiscale", "compact", 64))
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert model.layers[2].compute_dtype == "bfloat16"
    assert export_onnx(model, tmp_path / "model.onnx") < AGREES
    assert {layer.compute_dtype for layer in in_float32(model).layers} == {"float32"}
    assert model.layers[2].compute_dtype == "bfloat16"  # the model itself is left as it is


def test_normalisation_is_folded_into_the_convolution_before_it(tmp_path):
    model = network(layers.Conv2D(4, 3, use_bias=False), layers.BatchNormalization(), layers.ReLU())
    export_onnx(model, tmp_path / "model.onnx")
    operators = [node.op_type for node in onnx.load(tmp_path / "model.onnx").graph.node]
    assert operators.count("Mul") == operators.count("Add") == 1  # of the input's rescaling


def test_normalisation_is_not_folded_into_what_others_read_too(tmp_path):
    image = keras.Input((8, 8, 3))
    plane = layers.Conv2D(3, 3)(image)
    model = unsettle(keras.Model(image, layers.Add()([plane, layers.BatchNormalization()(plane)])))
    assert export_onnx(model, tmp_path / "model.onnx", input_range=(-1, 1)) < AGREES


def test_outputs_have_the_names_and_the_order_asked_for(tmp_path):
    image = keras.Input((4, 4, 3))
    b, a = layers.Flatten()(image), layers.GlobalMaxPooling2D()(image)
    path = tmp_path / "model.onnx"
    export_onnx(keras.Model(image, {"b": b, "a": a}), path, input_name="picture", output_names=["a", "b"])
    session = create_session(path, ("CPUExecutionProvider",))
    found = session.run(None, {"picture": np.ones((2, 4, 4, 3), np.float32)})
    assert [value.shape for value in found] == [(2, 3), (2, 48)]
    export_onnx(keras.Model(image, [b, a]), path, output_names=["first", "second"])
    assert [v.name for v in create_session(path, ("CPUExecutionProvider",)).get_outputs()] == ["first", "second"]


def test_what_cannot_be_written_is_refused_by_name(tmp_path):
    with pytest.raises(ExportError, match=r"'odd' is a Conv2DTranspose, which cannot be written"):
        export_onnx(network(layers.Conv2DTranspose(3, 3, name="odd")), tmp_path / "model.onnx")
    with pytest.raises(ExportError, match=r"'odd' \(Conv2D\): activation 'elu'"):
        export_onnx(network(layers.Conv2D(3, 3, activation="elu", name="odd")), tmp_path / "model.onnx")
    with pytest.raises(ExportError, match="fixed size"):
        export_onnx(network(layers.Conv2D(3, 3, 2, padding="same"), shape=(None, None, 3)), tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_names_that_do_not_fit_are_refused(tmp_path):
    image = keras.Input((4, 4, 3))
    named = keras.Model(image, {"a": layers.Flatten()(image)})
    with pytest.raises(ValueError, match=r"expected the model's own: \['a'\]"):
        export_onnx(named, tmp_path / "model.onnx", output_names=["b"])
    with pytest.raises(ValueError, match="expected 1 names"):
        export_onnx(network(layers.Flatten()), tmp_path / "model.onnx", output_names=["a", "b"])
    other = keras.Input((4, 4, 3))
    with pytest.raises(ValueError, match="2 inputs"):
        export_onnx(keras.Model([image, other], layers.Add()([image, other])), tmp_path / "model.onnx")


def test_a_weight_too_large_for_half_size_is_refused():
    graph = Graph()
    graph.output("y", graph.add("MatMul", graph.input("x", (None, 2)), np.full((2, 2), 1e6)), (None, 2))
    with pytest.raises(ExportError, match="float16"):
        graph.to_model(half=True)
