"""CenterFace with an input of any size.

The detector of Xu et al., 'CenterFace: Joint Face Detection and Alignment Using Face as Point' (2019), as it is
published declares an input of 10x3x32x32, though its graph is convolutional throughout. This gives it named, free
dimensions and speaking names, and drops what inference has no use for.
"""

from __future__ import annotations

from typing import Any

import onnx

from models.errors import PackDamaged
from models.graph_digest import read_model

_INPUT = ("input.1", "images", ("batch", 3, "height", "width"))
_OUTPUTS = (
    ("537", "heatmap", 1),
    ("538", "scale", 2),
    ("539", "offset", 2),
    ("540", "landmarks", 10),
)


def free_dimensions(data: bytes) -> onnx.ModelProto:
    """The published model's bytes as a model with input ``images`` and four outputs at a quarter of its size.

    ``images`` is RGB, float32 (batch, 3, height, width), 0–255; height and width are multiples of 32. The outputs, in
    order: ``heatmap`` (1 channel), ``scale`` (logarithm of height and width in units of 4 px), ``offset`` (y, x) and
    ``landmarks`` (five times y, x). Raises :class:`PackDamaged` if ``data`` is another model.
    """
    model = read_model(data, "CenterFace's source file")
    graph = model.graph
    names = {_INPUT[0]: _INPUT[1]} | {old: new for old, new, _ in _OUTPUTS}
    images = [value for value in graph.input if value.name == _INPUT[0]]
    if len(images) != 1 or [value.name for value in graph.output] != [old for old, _, _ in _OUTPUTS]:
        raise PackDamaged("CenterFace's source file has other inputs or outputs than the published model")

    # Old exports list weights as inputs as well, which keeps the runtime from folding them.
    del graph.input[1:]
    graph.input[0].CopyFrom(images[0])
    _set_shape(graph.input[0], _INPUT[2])
    for value, (_, _, channels) in zip(graph.output, _OUTPUTS, strict=True):
        _set_shape(value, ("batch", channels, "rows", "columns"))
    for value in (*graph.input, *graph.output):
        value.name = names[value.name]
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]

    # Training counters that no node reads.
    used = {name for node in graph.node for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    onnx.checker.check_model(model)
    return model


def _set_shape(value: Any, shape: tuple[int | str, ...]) -> None:
    dims = value.type.tensor_type.shape.dim
    del dims[:]
    for size in shape:
        if isinstance(size, int):
            dims.add().dim_value = size
        else:
            dims.add().dim_param = size
