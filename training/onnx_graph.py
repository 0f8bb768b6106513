"""An ONNX graph in the making: nodes and weights, normalisation folded into what comes before it, half-size weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
_IR_VERSION = 8
_HALF_MAX = 65504.0


class ExportError(Exception):
    """A model that cannot be written as ONNX, in words for the person who trained it."""


class Graph:
    """Collects nodes; values are called by name. Weights are float32, or int64 where they are shapes."""

    def __init__(self) -> None:
        self.inputs: list[onnx.ValueInfoProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []
        self._nodes: list[onnx.NodeProto] = []
        self._weights: dict[str, NDArray[Any]] = {}

    def input(self, name: str, shape: Sequence[int | None]) -> str:
        """Declare an input; ``None`` is a dimension that is free."""
        self.inputs.append(_value(name, shape))
        return name

    def output(self, name: str, value: str, shape: Sequence[int | None]) -> None:
        """Declare ``value`` an output called ``name``."""
        self._nodes.append(helper.make_node("Identity", [value], [name]))
        self.outputs.append(_value(name, shape))

    def weight(self, array: NDArray[Any]) -> str:
        """A constant."""
        array = np.asarray(array, np.int64 if np.issubdtype(array.dtype, np.integer) else np.float32)
        name = f"w{len(self._weights)}"
        self._weights[name] = array
        return name

    def add(self, operator: str, *inputs: str | NDArray[Any], **attributes: Any) -> str:
        """One node with one output, whose name is returned. Arrays among the inputs become constants."""
        names = [self.weight(x) if isinstance(x, np.ndarray) else x for x in inputs]
        output = f"v{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, names, [output], **attributes))
        return output

    def affine(self, value: str, scale: NDArray[np.float64], offset: NDArray[np.float64], rank: int) -> str:
        """``value * scale + offset`` by channel (C,), folded into the convolution or product ``value`` comes from if
        nobody else reads it by the time the model is made (:meth:`to_model`)."""
        shape = (-1, 1, 1) if rank == 4 else (-1,)
        scaled = self.add("Mul", value, scale.reshape(shape))
        return self.add("Add", scaled, offset.reshape(shape))

    def to_model(self, half: bool) -> onnx.ModelProto:
        """The finished model; with ``half`` matrices and filters are kept as float16 and widened when it is loaded."""
        self._fold()
        shared: dict[tuple[Any, ...], str] = {}
        renamed: dict[str, str] = {}
        tensors, casts = [], []
        used = {name for node in self._nodes for name in node.input}
        for name, array in self._weights.items():
            if name not in used:
                continue
            key = (array.dtype.str, array.shape, array.tobytes())
            renamed[name] = shared.setdefault(key, name)
            if renamed[name] != name:
                continue
            if half and array.dtype == np.float32 and np.squeeze(array).ndim >= 2:
                tensors.append(numpy_helper.from_array(_halved(array), f"{name}_half"))
                casts.append(helper.make_node("Cast", [f"{name}_half"], [name], to=TensorProto.FLOAT))
            else:
                tensors.append(numpy_helper.from_array(array, name))
        for node in self._nodes:
            node.input[:] = [renamed.get(name, name) for name in node.input]
        graph = helper.make_graph([*casts, *self._nodes], "network", self.inputs, self.outputs, tensors)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="visavis")
        model.ir_version = _IR_VERSION
        onnx.checker.check_model(model)
        return model

    def _fold(self) -> None:
        """Take products and sums by channel into the filters before them."""
        readers: dict[str, int] = {}
        for node in self._nodes:
            for name in node.input:
                readers[name] = readers.get(name, 0) + 1
        made = {node.output[0]: node for node in self._nodes}
        kept: list[onnx.NodeProto] = []
        for node in self._nodes:
            source = made.get(node.input[0])
            constant = self._weights.get(node.input[1]) if len(node.input) == 2 else None
            by_channel = constant is not None and constant.ndim in (1, 3) and constant.size == max(constant.shape)
            if (
                node.op_type in ("Mul", "Add")
                and by_channel
                and source is not None
                and source.op_type in ("Conv", "Gemm")
                and readers[node.input[0]] == 1
                and self._channels(source) == constant.size  # type: ignore[union-attr]
            ):
                self._take_in(source, node.op_type, np.asarray(constant, np.float64).ravel())
                # What read the sum now reads the convolution.
                source.output[0] = node.output[0]
                made[node.output[0]] = source
            else:
                kept.append(node)
        self._nodes = kept

    def _channels(self, node: onnx.NodeProto) -> int:
        return int(self._weights[node.input[2]].size)

    def _take_in(self, node: onnx.NodeProto, operator: str, constant: NDArray[np.float64]) -> None:
        filters, bias = (np.asarray(self._weights[name], np.float64) for name in node.input[1:3])
        if operator == "Mul":
            # A convolution's filters begin with the output channel; a product's columns are the outputs.
            along = (-1, 1, 1, 1) if node.op_type == "Conv" else (1, -1)
            node.input[1] = self.weight((filters * constant.reshape(along)).astype(np.float32))
            bias = bias * constant
        else:
            bias = bias + constant
        node.input[2] = self.weight(bias.astype(np.float32))


def _halved(array: NDArray[Any]) -> NDArray[np.float16]:
    if float(np.abs(array).max(initial=0)) > _HALF_MAX:
        raise ExportError(f"a weight of {np.abs(array).max():.3g} does not fit float16; export with float32 weights")
    return array.astype(np.float16)


def _value(name: str, shape: Sequence[int | None]) -> onnx.ValueInfoProto:
    free = ["batch", *(f"side_{i}" for i in range(1, len(shape)))]
    dims: list[int | str] = [size if size is not None else free[i] for i, size in enumerate(shape)]
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)
