"""Keras models as ONNX files.

    export_onnx(model, path, fp16_weights=False, input_name="image") → largest difference from Keras

TensorFlow's own converters do not read Keras 3 models faithfully, and the networks trained here need few kinds of
layers, so each is written out here: :data:`LAYERS` holds one function per kind, by class name, for layers and for
``keras.ops`` alike. A layer of another kind is refused by name.

Inputs and outputs are laid out as in Keras, channels last. Inside, planes are channels first, as ONNX has it: a value
of four dimensions is always (N, C, H, W). Batch normalisation is folded into the convolution before it; what only acts
in training is left out. Everything is computed in float32, whatever precision the model was trained in.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from models import create_session
from models.lockfile import write_atomically
from training.onnx_graph import ExportError, Graph
from training.onnx_layers import LAYERS, PASSED_THROUGH, Value, to_channels_first, to_channels_last


def export_onnx(
    model: Any,
    path: Path,
    *,
    fp16_weights: bool = False,
    input_name: str = "image",
    output_names: Sequence[str] | None = None,
    input_range: tuple[float, float] = (0.0, 255.0),
) -> float:
    """Write a functional Keras model with one input; returns the largest absolute difference between Keras and ONNX
    Runtime on random inputs within ``input_range``, both computing in float32.

    ``output_names`` are in the order of the model's outputs; of a model with a dictionary of outputs they are its keys,
    and may be left out. With ``fp16_weights`` filters and matrices are stored in half the size and widened when the
    file is loaded; the difference then has their rounding in it. Raises :class:`ExportError` for a layer that cannot be
    written, and ``ValueError`` for names that do not fit.
    """
    model = in_float32(model)
    outputs = _named_outputs(model, output_names)
    if len(model.inputs) != 1:
        raise ValueError(f"the model has {len(model.inputs)} inputs; models with one can be exported")
    graph = Graph()
    shape = tuple(model.inputs[0].shape)
    name = graph.input(input_name, shape)
    start = Value(to_channels_first(graph, name) if len(shape) == 4 else name, shape)
    results = _write(graph, model, [start])
    for output, position in outputs.items():
        value = results[position]
        written = to_channels_last(graph, value.name) if len(value.shape) == 4 else value.name
        graph.output(output, written, value.shape)
    data = graph.to_model(fp16_weights).SerializeToString(deterministic=True)
    difference = _difference(model, data, input_name, outputs, input_range)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, data)
    return difference


def in_float32(model: Any) -> Any:
    """The same network with the same weights, computing in float32 throughout: what a model trained in mixed precision
    is exported as."""
    config = _with_float32(keras.saving.serialize_keras_object(model))
    config.pop("compile_config", None)
    copy = keras.saving.deserialize_keras_object(config)
    copy.set_weights(model.get_weights())
    return copy


def _with_float32(config: Any) -> Any:
    """A saved configuration with every precision policy replaced."""
    if isinstance(config, dict):
        if config.get("class_name") == "DTypePolicy":
            return {**config, "config": {**config["config"], "name": "float32"}}
        return {
            key: "float32" if key == "dtype" and isinstance(value, str) else _with_float32(value)
            for key, value in config.items()
        }
    return [_with_float32(item) for item in config] if isinstance(config, list | tuple) else config


def _named_outputs(model: Any, names: Sequence[str] | None) -> dict[str, int]:
    """Each output's name and its place among ``model.outputs``, in the order wanted."""
    keys = list(model.output) if isinstance(model.output, dict) else None
    # Keras flattens a dictionary in the order of its sorted keys.
    known = {key: i for i, key in enumerate(sorted(keys))} if keys else {}
    names = list(names if names is not None else keys or ["output"])
    if keys and sorted(names) != sorted(keys):
        raise ValueError(f"output_names are {names}, expected the model's own: {keys}")
    if len(names) != len(model.outputs) or len(set(names)) != len(names):
        raise ValueError(f"output_names are {names}, expected {len(model.outputs)} names, no two alike")
    return {name: known.get(name, i) for i, name in enumerate(names)}


def _write(graph: Graph, model: Any, inputs: Sequence[Value]) -> list[Value]:
    """Write a model's layers; returns its outputs, flat.

    Keras walks the graph itself while it copies the model; each layer is written as it comes by.
    """
    values: dict[int, Value] = {}
    alive: list[Any] = []  # symbolic tensors are known by their identity, which must not be used again

    def write(layer: Any, *arguments: Any, **options: Any) -> Any:
        symbolic = layer(*arguments, **options)
        given = [values.get(id(x), x) for x in keras.tree.flatten(arguments)]
        shapes = [tuple(t.shape) for t in keras.tree.flatten(symbolic)]
        for tensor, value in zip(
            keras.tree.flatten(symbolic), _layer(graph, layer, given, options, shapes), strict=True
        ):
            alive.append(tensor)
            values[id(tensor)] = value
        return symbolic

    def started(tensor: Any) -> Any:
        fresh = keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype)
        alive.append(fresh)
        return fresh

    symbols = keras.tree.map_structure(started, model.input)
    for tensor, value in zip(keras.tree.flatten(symbols), inputs, strict=True):
        values[id(tensor)] = value
    copy = keras.models.clone_model(
        model, input_tensors=symbols, clone_function=lambda layer: layer, call_function=write
    )
    return [values[id(tensor)] for tensor in copy.outputs]


def _layer(
    graph: Graph, layer: Any, given: list[Any], options: dict[str, Any], shapes: list[tuple[int | None, ...]]
) -> list[Value]:
    kind = type(layer).__name__
    if isinstance(layer, keras.Sequential):
        values = [x for x in given if isinstance(x, Value)]
        for inner in layer.layers:
            shape = tuple(inner.compute_output_shape(values[0].shape))
            values = _layer(graph, inner, values, {}, [shape])
        return values
    if isinstance(layer, keras.Model):
        return _write(graph, layer, [x for x in given if isinstance(x, Value)])
    if kind in PASSED_THROUGH or kind.startswith("Random"):
        return [given[0]]
    if kind not in LAYERS:
        raise ExportError(f"layer {layer.name!r} is a {kind}, which cannot be written as ONNX yet")
    if len(shapes) != 1:
        raise ExportError(f"layer {layer.name!r} has {len(shapes)} outputs; layers with one can be exported")
    try:
        name = LAYERS[kind](graph, layer, given, shapes[0])
    except ExportError as error:
        raise ExportError(f"layer {layer.name!r} ({kind}): {error}") from None
    return [Value(name, shapes[0])]


def _difference(
    model: Any, data: bytes, input_name: str, outputs: dict[str, int], limits: tuple[float, float]
) -> float:
    shape = [size or 64 for size in model.inputs[0].shape[1:]]
    images: NDArray[np.float32] = np.random.default_rng(0).uniform(*limits, (4, *shape)).astype(np.float32)
    expected = keras.tree.flatten(model(images, training=False))
    session = create_session(data, ("CPUExecutionProvider",))
    found = session.run(list(outputs), {input_name: images})
    pairs = [(np.asarray(expected[place]), answer) for place, answer in zip(outputs.values(), found, strict=True)]
    return max(float(np.abs(one - other).max()) for one, other in pairs)


def main() -> None:
    """Export a saved model."""
    parser = argparse.ArgumentParser(description="Write a saved Keras model (.keras) as ONNX.")
    parser.add_argument("model", type=Path)
    parser.add_argument("onnx", type=Path)
    parser.add_argument("--fp16-weights", action="store_true", help="half the size; computing stays in float32")
    parser.add_argument("--input-name", default="image")
    args = parser.parse_args()
    try:
        model = keras.saving.load_model(args.model, compile=False)
        difference = export_onnx(model, args.onnx, fp16_weights=args.fp16_weights, input_name=args.input_name)
    except (ExportError, ValueError, OSError) as error:
        raise SystemExit(f"{args.model}: {error}") from None
    print(f"{args.onnx}: {args.onnx.stat().st_size / 1e6:.1f} MB, differs from Keras by {difference:.2g} at most")


if __name__ == "__main__":
    main()
