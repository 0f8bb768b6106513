"""A digest of what an ONNX model computes, not of how its file is written.

The models of a built pack are made on the user's machine. Their bytes depend on the installed ``onnx`` and ``protobuf``
(field order, producer, optional fields), so a SHA-256 of the file could not stand in a manifest that has to hold for
every version of them. What does not depend on them is the graph: operators with their attributes, the wiring, and the
weights bit for bit. This digest runs over exactly that in a fixed order. It is what the manifest records, and what
embeddings are bound to.

Two checks follow. After building, and in ``visavis models verify``, the graph digest is compared with the
manifest's: is this the right model? At each load the SHA-256 of the file's bytes is compared with the one written
beside the file when it was built (:mod:`models.lockfile`): has the file changed since? That needs neither ``onnx``
nor parsing.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from models.errors import PackDamaged


def graph_digest(model: onnx.ModelProto) -> str:
    """SHA-256 (hex) over operator sets, inputs, outputs, weights and nodes of ``model``."""
    graph = model.graph
    digest = hashlib.sha256()
    _feed(digest, "opset", sorted((item.domain, item.version) for item in model.opset_import))
    for kind, values in (("input", graph.input), ("output", graph.output)):
        for value in values:
            tensor = value.type.tensor_type
            _feed(digest, kind, [value.name, tensor.elem_type, [_dimension(d) for d in tensor.shape.dim]])
    for tensor in sorted(graph.initializer, key=lambda item: item.name):
        _feed(digest, "weights", [tensor.name, *_tensor(tensor)])
    for node in graph.node:
        attributes = [_attribute(item) for item in sorted(node.attribute, key=lambda item: item.name)]
        _feed(digest, "node", [node.domain, node.op_type, list(node.input), list(node.output), attributes])
    return digest.hexdigest()


def file_graph_digest(path: Path) -> str:
    """:func:`graph_digest` of the model in ``path``. Raises :class:`PackDamaged` if it is no ONNX model."""
    return graph_digest(read_model(path.read_bytes(), path.name))


def read_model(data: bytes, name: str) -> onnx.ModelProto:
    """The model in ``data``; ``name`` is for the error. Raises :class:`PackDamaged` if it is no ONNX model."""
    try:
        return onnx.load_model_from_string(data)
    except Exception as error:  # protobuf's own, from a package that is onnx's dependency and not ours
        raise PackDamaged(f"{name} is not a readable ONNX model ({type(error).__name__})") from None


def _feed(digest: Any, kind: str, value: object) -> None:
    # A line of JSON for each item: its strings are escaped, so no two different graphs give the same text.
    digest.update(json.dumps([kind, value], separators=(",", ":")).encode())
    digest.update(b"\n")


def _dimension(dim: Any) -> int | str:
    return str(dim.dim_param) if dim.HasField("dim_param") else int(dim.dim_value)


def _tensor(tensor: Any) -> list[Any]:
    array = numpy_helper.to_array(tensor)
    data = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False)).tobytes()
    return [int(tensor.data_type), list(array.shape), hashlib.sha256(data).hexdigest()]


def _attribute(attribute: Any) -> list[Any]:
    value = onnx.helper.get_attribute_value(attribute)
    if attribute.type == onnx.AttributeProto.TENSOR:
        value = _tensor(value)
    elif attribute.type in (onnx.AttributeProto.STRING, onnx.AttributeProto.STRINGS):
        value = [v.decode() for v in ([value] if isinstance(value, bytes) else value)]
    elif attribute.type in (onnx.AttributeProto.INTS, onnx.AttributeProto.FLOATS):
        value = list(value)
    elif attribute.type not in (onnx.AttributeProto.INT, onnx.AttributeProto.FLOAT):
        raise ValueError(f"attribute {attribute.name!r} of type {attribute.type} has no canonical form here")
    return [attribute.name, int(attribute.type), value]
