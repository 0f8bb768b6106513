"""dlib's face recognition network as an ONNX graph.

Affine layers are folded into the convolutions before them, and the input's mean and scale into the first one, which
is exact as that one has no padding. All folding is done in double precision with sums that do not depend on their
order, so every machine gets the same weights bit for bit.

The network is a chain of residual blocks (dlib's ``dnn_face_recognition_ex.cpp``)::

    plain:   mark, con, affine, relu, con, affine,                      add
    halving: mark, con, affine, relu, con, affine, mark, mark, avg_pool, add

The first mark tags the block's input; in a halving block the second tags the end of its convolutions and the third goes
back to the input. ``add`` adds the two paths.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from models.dlib_reader import (
    AddPrevious,
    Affine,
    Convolution,
    FullyConnected,
    Layer,
    Mark,
    Network,
    Pair,
    Pool,
    Relu,
)
from models.errors import PackDamaged

_OPSET = 17
_IR_VERSION = 8


def build_graph(network: Network) -> onnx.ModelProto:
    """A model from ``images``, RGB float32 (batch, 3, rows, columns) 0–255, to ``embedding``, float32 (batch, n).

    The embedding is not normalised. Raises :class:`PackDamaged` if the layers do not follow each other as above.
    """
    builder = _Builder()
    now = _Plane("images", (3, *network.size))
    block: list[_Plane] = []  # planes marked since the last addition: input, then end of the convolutions
    before: Layer | None = None
    dimension = 0
    for layer in _fold(network):
        match layer:
            case Convolution():
                now = builder.convolution(now, layer)
            case Relu():
                now = builder.node("Relu", now, now.shape)
            case Pool():
                now = builder.pool(now, layer)
            case Mark() if isinstance(before, Mark):
                now = _marked(block, 0)
            case Mark():
                block.append(now)
            case AddPrevious():
                now = builder.add(now, _marked(block, -1))
                block.clear()
            case FullyConnected():
                dimension = builder.fully_connected(now, layer)
            case _:
                raise PackDamaged(f"a {type(layer).__name__} layer where none belongs in a dlib network")
        before = layer
    if not dimension or not isinstance(before, FullyConnected):
        raise PackDamaged("the dlib network does not end in a fully connected layer")

    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, *network.size])
    embedding = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", dimension])
    graph = helper.make_graph(builder.nodes, "dlib_resnet", [images], [embedding], builder.weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], producer_name="visavis")
    model.ir_version = _IR_VERSION
    onnx.checker.check_model(model)
    return model


def _fold(network: Network) -> Iterator[Layer]:
    """The layers with every affine one merged into the convolution before it, and the input scaling into the first."""
    convolution: Convolution | None = None
    first = True
    for layer in network.layers:
        if isinstance(layer, Affine) and convolution is not None:
            if layer.gamma.shape != convolution.bias.shape:
                raise PackDamaged("an affine layer of the dlib network does not fit the convolution before it")
            yield _merge(convolution, layer, network.mean if first else None)
            convolution, first = None, False
        elif isinstance(layer, Affine) or convolution is not None:
            raise PackDamaged("convolutions and affine layers of the dlib network do not come in pairs")
        elif isinstance(layer, Convolution):
            convolution = layer
        else:
            yield layer


def _merge(convolution: Convolution, affine: Affine, mean: tuple[float, ...] | None) -> Convolution:
    gamma, beta = affine.gamma.astype(np.float64), affine.beta.astype(np.float64)
    weights = convolution.weights.astype(np.float64) * gamma[:, None, None, None]
    bias = convolution.bias.astype(np.float64) * gamma + beta
    if mean is not None:
        if convolution.padding != (0, 0):
            raise PackDamaged("the first convolution of the dlib network is padded; its input cannot be folded in")
        weights = weights / 256
        shift = weights * np.asarray(mean).reshape(1, -1, 1, 1)
        bias = bias - np.array([math.fsum(taps.ravel()) for taps in shift])
    return Convolution(weights.astype(np.float32), bias.astype(np.float32), convolution.stride, convolution.padding)


@dataclass(frozen=True, slots=True)
class _Plane:
    """A value in the graph: its name and its shape without the batch (channels, rows, columns)."""

    name: str
    shape: tuple[int, int, int]


def _marked(block: list[_Plane], index: int) -> _Plane:
    if not block:
        raise PackDamaged("an addition or a jump back in the dlib network refers to nothing")
    return block[index]


class _Builder:
    """Collects nodes and weights, each under a name that counts up."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def node(self, operator: str, plane: _Plane, shape: tuple[int, int, int], *more: str, **options: Any) -> _Plane:
        name = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, [plane.name, *more], [name], name=name, **options))
        return _Plane(name, shape)

    def weight(self, array: NDArray[Any]) -> str:
        name = f"weights_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def convolution(self, plane: _Plane, layer: Convolution) -> _Plane:
        filters, _, *window = layer.weights.shape
        return self.node(
            "Conv",
            plane,
            (filters, *_reduced(plane, (window[0], window[1]), layer.stride, layer.padding)),
            self.weight(layer.weights),
            self.weight(layer.bias),
            kernel_shape=window,
            strides=layer.stride,
            pads=layer.padding * 2,
        )

    def pool(self, plane: _Plane, layer: Pool) -> _Plane:
        channels = plane.shape[0]
        if layer.window == (0, 0) and not layer.maximum:
            return self.node("GlobalAveragePool", plane, (channels, 1, 1))
        return self.node(
            "MaxPool" if layer.maximum else "AveragePool",
            plane,
            (channels, *_reduced(plane, layer.window, layer.stride, layer.padding)),
            kernel_shape=layer.window,
            strides=layer.stride,
            pads=layer.padding * 2,
        )

    def add(self, a: _Plane, b: _Plane) -> _Plane:
        channels, rows, columns = (max(pair) for pair in zip(a.shape, b.shape, strict=True))
        shape = (channels, rows, columns)
        return self.node("Add", self._grown(a, shape), shape, self._grown(b, shape).name)

    def _grown(self, plane: _Plane, shape: tuple[int, int, int]) -> _Plane:
        if plane.shape == shape:
            return plane
        ends = [wanted - have for wanted, have in zip(shape, plane.shape, strict=True)]
        return self.node("Pad", plane, shape, self.weight(np.array([0, 0, 0, 0, 0, *ends], np.int64)))

    def fully_connected(self, plane: _Plane, layer: FullyConnected) -> int:
        inputs, outputs = (int(size) for size in layer.weights.shape)
        if plane.shape != (inputs, 1, 1):
            raise PackDamaged(f"the dlib network's last layer takes {inputs} values, but gets {plane.shape}")
        flat = self.node("Flatten", plane, plane.shape)
        self.nodes.append(helper.make_node("MatMul", [flat.name, self.weight(layer.weights)], ["embedding"]))
        return outputs


def _reduced(plane: _Plane, window: Pair, stride: Pair, padding: Pair) -> Pair:
    rows, columns = (
        (size + 2 * pad - extent) // step + 1
        for size, extent, step, pad in zip(plane.shape[1:], window, stride, padding, strict=True)
    )
    return rows, columns
