"""Each kind of Keras layer, and each of ``keras.ops`` that our networks use, as nodes of ONNX."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from training.onnx_graph import ExportError, Graph

Shape = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Value:
    """A value by its name in the graph. ``shape`` is as Keras has it; of four dimensions the graph has (N, C, H, W)."""

    name: str
    shape: Shape


Writer = Callable[[Graph, Any, list[Any], Shape], str]

# They act in training only.
PASSED_THROUGH = frozenset(
    {"Dropout", "SpatialDropout2D", "GaussianNoise", "GaussianDropout", "ActivityRegularization", "Identity"}
)


def to_channels_first(graph: Graph, name: str) -> str:
    """(N, H, W, C) → (N, C, H, W)."""
    return graph.add("Transpose", name, perm=[0, 3, 1, 2])


def to_channels_last(graph: Graph, name: str) -> str:
    """(N, C, H, W) → (N, H, W, C)."""
    return graph.add("Transpose", name, perm=[0, 2, 3, 1])


def _axis(axis: int, rank: int) -> int:
    """A Keras axis as it is in the graph."""
    axis %= rank
    return (0, 2, 3, 1)[axis] if rank == 4 else axis


def _as_keras(graph: Graph, value: Value) -> str:
    return to_channels_last(graph, value.name) if len(value.shape) == 4 else value.name


def _from_keras(graph: Graph, name: str, shape: Shape) -> str:
    return to_channels_first(graph, name) if len(shape) == 4 else name


def _array(variable: Any) -> NDArray[np.float64]:
    return np.asarray(keras.ops.convert_to_numpy(variable), np.float64)


def _pair(value: Any) -> tuple[int, int]:
    return (int(value), int(value)) if isinstance(value, int) else (int(value[0]), int(value[1]))


def _pads(padding: str, shape: Shape, window: tuple[int, int], stride: tuple[int, int], dilation: Any = 1) -> list[int]:
    """Top, left, bottom, right. TensorFlow's 'same' puts the odd pixel at the end, and depends on the size."""
    if padding == "valid":
        return [0, 0, 0, 0]
    if padding != "same":
        raise ExportError(f"padding {padding!r} is not supported")
    begin, end = [], []
    for size, w, s, d in zip(shape[1:3], window, stride, _pair(dilation), strict=True):
        reach = (w - 1) * d + 1
        if size is None and s > 1:
            raise ExportError("padding 'same' with a stride needs an input of fixed size")
        total = reach - 1 if size is None else max((math.ceil(size / s) - 1) * s + reach - size, 0)
        begin.append(total // 2)
        end.append(total - total // 2)
    return [*begin, *end]


def _activate(graph: Graph, name: str, function: Any, rank: int) -> str:
    """An activation as Keras names it."""
    kind = function if isinstance(function, str) else keras.activations.serialize(function)
    match kind:
        case "linear":
            return name
        case "relu" | "sigmoid" | "tanh":
            return graph.add(kind.capitalize(), name)
        case "relu6":
            return _clip(graph, name, 0.0, 6.0)
        case "silu":
            return graph.add("Mul", name, graph.add("Sigmoid", name))
        case "hard_sigmoid":
            return graph.add("HardSigmoid", name, alpha=1 / 6, beta=0.5)
        case "hard_silu":
            return graph.add("HardSwish", name)
        case "softmax":
            return graph.add("Softmax", name, axis=_axis(-1, rank))
    raise ExportError(f"activation {kind!r} is not supported")


def _clip(graph: Graph, name: str, low: float, high: float) -> str:
    return graph.add("Clip", name, np.array(low, np.float32), np.array(high, np.float32))


def _convolution(graph: Graph, layer: Any, given: list[Any], shape: Shape) -> str:
    """Conv2D and DepthwiseConv2D."""
    _channels_last(layer)
    depthwise = type(layer).__name__ == "DepthwiseConv2D"
    kernel = _array(layer.kernel)
    if depthwise:
        height, width, channels, multiple = kernel.shape
        filters = kernel.transpose(2, 3, 0, 1).reshape(channels * multiple, 1, height, width)
        groups = channels
    else:
        filters, groups = kernel.transpose(3, 2, 0, 1), layer.groups
    bias = _array(layer.bias) if layer.use_bias else np.zeros(len(filters))
    window, stride, dilation = (_pair(x) for x in (layer.kernel_size, layer.strides, layer.dilation_rate))
    name = graph.add(
        "Conv",
        given[0].name,
        filters,
        bias,
        kernel_shape=window,
        strides=stride,
        dilations=dilation,
        group=groups,
        pads=_pads(layer.padding, given[0].shape, window, stride, dilation),
    )
    return _activate(graph, name, layer.activation, 4)


def _channels_last(layer: Any) -> None:
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        raise ExportError("data_format is not channels_last")


def _dense(graph: Graph, layer: Any, given: list[Any], shape: Shape) -> str:
    kernel = _array(layer.kernel)
    bias = _array(layer.bias) if layer.use_bias else np.zeros(kernel.shape[1])
    if len(given[0].shape) == 2:
        name = graph.add("Gemm", given[0].name, kernel, bias)
    else:
        product = graph.add("MatMul", _as_keras(graph, given[0]), kernel)
        name = _from_keras(graph, graph.add("Add", product, bias), shape)
    return _activate(graph, name, layer.activation, len(shape))


def _batch_normalization(graph: Graph, layer: Any, given: list[Any], shape: Shape) -> str:
    if _axis(layer.axis if isinstance(layer.axis, int) else layer.axis[0], len(shape)) != 1:
        raise ExportError("only the last axis can be normalised")
    mean, variance = _array(layer.moving_mean), _array(layer.moving_variance)
    scale = 1 / np.sqrt(variance + layer.epsilon)
    if layer.scale:
        scale = scale * _array(layer.gamma)
    offset = (_array(layer.beta) if layer.center else 0) - mean * scale
    return graph.affine(given[0].name, scale, offset, len(shape))


def _rescaling(graph: Graph, layer: Any, given: list[Any], shape: Shape) -> str:
    scale, offset = np.asarray(layer.scale, np.float64), np.asarray(layer.offset, np.float64)
    channels = shape[-1]
    if channels is None or scale.size not in (1, channels) or offset.size not in (1, channels):
        raise ExportError("scale and offset are one number or one for each channel")
    scale, offset = (np.broadcast_to(x.ravel(), channels) for x in (scale, offset))
    return graph.affine(given[0].name, scale, offset, len(shape))


def _relu(graph: Graph, layer: Any, given: list[Any], shape: Shape) -> str:
    if layer.negative_slope or layer.threshold:
        raise ExportError("a slope or threshold is not supported")
    if layer.max_value is None:
        return graph.add("Relu", given[0].name)
    return _clip(graph, given[0].name, 0.0, float(layer.max_value))


def _leaky(graph: Graph, layer: Any, given: list[Any], shape: Shape) -> str:
    return graph.add("LeakyRelu", given[0].name, alpha=float(layer.negative_slope))


def _softmax(graph: Graph, layer: Any, given: list[Any], shape: Shape) -> str:
    return graph.add("Softmax", given[0].name, axis=_axis(layer.axis, len(shape)))


def _activation(graph: Graph, layer: Any, given: list[Any], shape: Shape) -> str:
    return _activate(graph, given[0].name, layer.activation, len(shape))


def _named_activation(kind: str) -> Writer:
    return lambda graph, layer, given, shape: _activate(graph, given[0].name, kind, len(shape))


def _joined(operator: str) -> Writer:
    """Sum, product and the like of two or more; numbers and arrays may be among them."""

    def write(graph: Graph, layer: Any, given: list[Any], shape: Shape) -> str:
        # (N, C, H, W) lines up with fewer dimensions otherwise than in Keras: then all are taken as Keras has them.
        alike = all(not isinstance(x, Value) or len(x.shape) == len(shape) for x in given)
        names: list[str | NDArray[Any]] = []
        for x in given:
            if isinstance(x, Value):
                names.append(x.name if alike else _as_keras(graph, x))
            else:
                constant = np.asarray(keras.ops.convert_to_numpy(x), np.float32)
                if alike and len(shape) == 4 and constant.ndim:
                    constant = np.moveaxis(constant.reshape((1,) * (4 - constant.ndim) + constant.shape), 3, 1)
                names.append(constant)
        result = names[0]
        for name in names[1:]:
            result = graph.add(operator, result, name)
        if not isinstance(result, str):
            raise ExportError("nothing of it depends on the input")
        return result if alike else _from_keras(graph, result, shape)

    return write


def _average(graph: Graph, layer: Any, given: list[Any], shape: Shape) -> str:
    total = _joined("Add")(graph, layer, given, shape)
    return graph.add("Div", total, np.array(len(given), np.float32))


def _concatenate(graph: Graph, layer: Any, given: list[Any], shape: Shape) -> str:
    return graph.add("Concat", *(x.name for x in given if isinstance(x, Value)), axis=_axis(layer.axis, len(shape)))


def _pooling(operator: str) -> Writer:
    def write(graph: Graph, layer: Any, given: list[Any], shape: Shape) -> str:
        _channels_last(layer)
        window, stride = _pair(layer.pool_size), _pair(layer.strides)
        pads = _pads(layer.padding, given[0].shape, window, stride)
        return graph.add(operator, given[0].name, kernel_shape=window, strides=stride, pads=pads)

    return write


def _global_pooling(operator: str) -> Writer:
    def write(graph: Graph, layer: Any, given: list[Any], shape: Shape) -> str:
        _channels_last(layer)
        return graph.add(operator, given[0].name, axes=[2, 3], keepdims=int(layer.keepdims))

    return write


def _reduction(operator: str) -> Writer:
    """``keras.ops.mean`` and ``max``."""

    def write(graph: Graph, layer: Any, given: list[Any], shape: Shape) -> str:
        rank, value = len(given[0].shape), given[0]
        axes = range(rank) if layer.axis is None else [layer.axis] if isinstance(layer.axis, int) else layer.axis
        if layer.keepdims:
            return graph.add(operator, value.name, axes=[_axis(a, rank) for a in axes], keepdims=1)
        name = graph.add(operator, _as_keras(graph, value), axes=[a % rank for a in axes], keepdims=0)
        return _from_keras(graph, name, shape)

    return write


def _reshape(graph: Graph, layer: Any, given: list[Any], shape: Shape) -> str:
    """Reshape and Flatten; in Keras's order of elements."""
    free = [i for i, size in enumerate(shape) if size is None]
    if free not in ([], [0]):
        raise ExportError("the new shape is not fixed")
    name = graph.add("Reshape", _as_keras(graph, given[0]), np.array([size or -1 for size in shape], np.int64))
    return _from_keras(graph, name, shape)


def _zero_padding(graph: Graph, layer: Any, given: list[Any], shape: Shape) -> str:
    (top, bottom), (left, right) = layer.padding
    return graph.add("Pad", given[0].name, np.array([0, 0, top, left, 0, 0, bottom, right], np.int64))


def _resized(graph: Graph, value: Value, shape: Shape, interpolation: str) -> str:
    if None in shape[1:3] or None in value.shape[1:3]:
        raise ExportError("resizing needs fixed sizes")
    modes = {"nearest": {"mode": "nearest", "nearest_mode": "round_prefer_ceil"}, "bilinear": {"mode": "linear"}}
    if interpolation not in modes:
        raise ExportError(f"interpolation {interpolation!r} is not supported")
    (rows, columns), (old_rows, old_columns) = shape[1:3], value.shape[1:3]
    scales = np.array([1, 1, rows / old_rows, columns / old_columns], np.float32)  # type: ignore[operator]
    options = {"coordinate_transformation_mode": "half_pixel", **modes[interpolation]}
    return graph.add("Resize", value.name, "", scales, **options)


def _resizing(graph: Graph, layer: Any, given: list[Any], shape: Shape) -> str:
    if layer.crop_to_aspect_ratio or layer.pad_to_aspect_ratio or layer.antialias:
        raise ExportError("cropping, padding and antialiasing are not supported")
    return _resized(graph, given[0], shape, layer.interpolation)


def _upsampling(graph: Graph, layer: Any, given: list[Any], shape: Shape) -> str:
    return _resized(graph, given[0], shape, layer.interpolation)


def _unit(graph: Graph, value: Value, axis: int, rank: int, epsilon: float | None = None) -> str:
    """Each vector along ``axis`` divided by its length, but by no less than ``epsilon`` (``None``: Keras's own)."""
    least = np.array((keras.config.epsilon() if epsilon is None else epsilon) ** 2, np.float32)
    squares = graph.add(
        "ReduceSum", graph.add("Mul", value.name, value.name), np.array([_axis(axis, rank)]), keepdims=1
    )
    length = graph.add("Sqrt", graph.add("Max", squares, least))
    return graph.add("Div", value.name, length)


def _unit_normalization(graph: Graph, layer: Any, given: list[Any], shape: Shape) -> str:
    axes: Sequence[int] = [layer.axis] if isinstance(layer.axis, int) else layer.axis
    if len(axes) != 1:
        raise ExportError("one axis can be normalised, not several")
    return _unit(graph, given[0], axes[0], len(shape), 1e-12)


def _normalize(graph: Graph, layer: Any, given: list[Any], shape: Shape) -> str:
    if layer.order != 2:
        raise ExportError("only vectors' Euclidean length can be made one")
    return _unit(graph, given[0], layer.axis, len(shape), layer.epsilon)


def _cosine_head(graph: Graph, layer: Any, given: list[Any], shape: Shape) -> str:
    """:class:`training.networks.CosineHead`."""
    directions = _array(layer.directions)
    directions = directions / np.maximum(np.linalg.norm(directions, axis=0, keepdims=True), 1e-12) * layer.scale
    return graph.add("MatMul", _unit(graph, given[0], -1, 2), directions)


LAYERS: Mapping[str, Writer] = {
    "Activation": _activation,
    "Add": _joined("Add"),
    "Average": _average,
    "AveragePooling2D": _pooling("AveragePool"),
    "BatchNormalization": _batch_normalization,
    "Concatenate": _concatenate,
    "Conv2D": _convolution,
    "CosineHead": _cosine_head,
    "Dense": _dense,
    "DepthwiseConv2D": _convolution,
    "Divide": _joined("Div"),
    "Flatten": _reshape,
    "GlobalAveragePooling2D": _global_pooling("ReduceMean"),
    "GlobalMaxPooling2D": _global_pooling("ReduceMax"),
    "LeakyReLU": _leaky,
    "Max": _reduction("ReduceMax"),
    "MaxPooling2D": _pooling("MaxPool"),
    "Maximum": _joined("Max"),
    "Mean": _reduction("ReduceMean"),
    "Multiply": _joined("Mul"),
    "Normalize": _normalize,
    "ReLU": _relu,
    "Relu": _named_activation("relu"),
    "Relu6": _named_activation("relu6"),
    "Rescaling": _rescaling,
    "Reshape": _reshape,
    "Resizing": _resizing,
    "Sigmoid": _named_activation("sigmoid"),
    "Silu": _named_activation("silu"),
    "Softmax": _softmax,
    "Subtract": _joined("Sub"),
    "UnitNormalization": _unit_normalization,
    "UpSampling2D": _upsampling,
    "ZeroPadding2D": _zero_padding,
}
