"""The open pack's face network as a beginning for the compact residual network.

It was trained on millions of faces and is in the public domain (CC0), and knows what is worth seeing in one; a network
that begins with nothing needs many times as many labelled pictures.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper


def begin_with_dlib(model: Any, graph: Path) -> int:
    """Copy the convolutions of an open pack's ``dlib_resnet.onnx`` into layers ``con_0``, ``con_1`` … of a model.

    Returns how many were copied. Raises ``ValueError`` if a shape differs.
    """
    weights = {w.name: numpy_helper.to_array(w) for w in onnx.load(str(graph)).graph.initializer}
    nodes = [node for node in onnx.load(str(graph)).graph.node if node.op_type == "Conv"]
    copied = 0
    for number, node in enumerate(nodes):
        name = f"con_{number}"
        if not any(layer.name == name for layer in model.layers):
            break
        kernel, bias = weights[node.input[1]].transpose(2, 3, 1, 0), weights[node.input[2]]
        layer = model.get_layer(name)
        if [w.shape for w in layer.get_weights()] != [kernel.shape, bias.shape]:
            raise ValueError(f"layer {name} does not fit the convolution {np.shape(kernel)}")
        layer.set_weights([kernel, bias])
        copied += 1
    return copied
