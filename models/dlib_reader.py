"""Reads a network from dlib's serialisation, without dlib.

The format, from dlib's ``serialize.h`` and ``dnn/layers.h`` (Boost licence, http://dlib.net):

- an integer is a control byte (bit 7 the sign, low four bits the count) and that many bytes of magnitude, lowest first;
- a float is two integers, mantissa and binary exponent;
- a string is its length and its bytes, a boolean the character 0 or 1;
- a tensor is version 2, four dimensions and raw little-endian 32-bit floats;
- a network states the versions of its layers from the outermost to the innermost, then the input layer, then each
  layer's details from the innermost outwards, each followed by three flags and by scratch tensors, empty in a
  published network.

Only the layers of dlib's face recognition network are known here; anything else is refused by name and position.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.errors import PackDamaged

Floats = NDArray[np.float32]
Pair = tuple[int, int]  # rows, columns

_LAYER, _MARK, _INPUT_LAYER = (
    2,
    1,
    3,
)  # versions of add_layer, of add_tag_layer and add_skip_layer, of the innermost


@dataclass(frozen=True, slots=True, eq=False)
class Convolution:
    weights: Floats  # (filters, channels, rows, columns)
    bias: Floats  # (filters,)
    stride: Pair
    padding: Pair


@dataclass(frozen=True, slots=True, eq=False)
class Affine:
    """Batch normalisation, frozen: ``gamma * x + beta`` for each channel."""

    gamma: Floats
    beta: Floats


@dataclass(frozen=True, slots=True)
class Relu:
    pass


@dataclass(frozen=True, slots=True)
class Pool:
    """Maximum or mean over a window; a window of (0, 0) is the whole plane."""

    maximum: bool
    window: Pair
    stride: Pair
    padding: Pair


@dataclass(frozen=True, slots=True)
class Mark:
    """A point of the network with a name (tag), or a jump back to one (skip). The format does not say which."""


@dataclass(frozen=True, slots=True)
class AddPrevious:
    """Adds the output of a tagged layer; the smaller of the two is padded with zeros at the end of each axis."""


@dataclass(frozen=True, slots=True, eq=False)
class FullyConnected:
    weights: Floats  # (inputs, outputs), no bias


Layer = Convolution | Affine | Relu | Pool | Mark | AddPrevious | FullyConnected


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """Layers from the input outwards. The input is RGB of ``size``; ``(x - mean) / 256`` goes into the first layer."""

    size: Pair
    mean: tuple[float, float, float]
    layers: tuple[Layer, ...]


def read_network(data: bytes) -> Network:
    """Read a metric-loss network over RGB images. Raises :class:`PackDamaged` for anything else or less."""
    reader = _Reader(data)
    reader.expect(reader.integer(), 1, "version of the loss layer")
    reader.expect(reader.string(), "loss_metric_2", "loss layer")
    reader.skip_floats(2)  # margin and threshold: training's business
    versions = list(_layer_versions(reader))
    reader.expect(reader.string(), "input_rgb_image_sized", "input layer")
    mean = (reader.float(), reader.float(), reader.float())
    size = reader.pair()

    layers: list[Layer] = [_layer(reader)]
    _skip_state(reader)
    reader.integer()  # the sample expansion factor that follows the innermost layer
    for version in reversed(versions):
        if version == _MARK:
            layers.append(Mark())
        else:
            layers.append(_layer(reader))
            _skip_state(reader)
    if reader.position != len(data):
        raise reader.error(f"{len(data) - reader.position} bytes too many")
    return Network(size, mean, tuple(layers))


def _layer_versions(reader: _Reader) -> Iterator[int]:
    while (version := reader.integer()) != _INPUT_LAYER:
        if version not in (_LAYER, _MARK):
            raise reader.error(f"a layer of unknown version {version}")
        yield version


def _skip_state(reader: _Reader) -> None:
    for _ in range(3):
        reader.boolean()
    for _ in range(3):
        reader.tensor()


def _layer(reader: _Reader) -> Layer:
    name = reader.string()
    match name:
        case "con_4":
            values = reader.tensor()
            filters = reader.integer()
            window, stride, padding = reader.pair(), reader.stride(), reader.pair()
            weights, bias = reader.views(values)
            reader.skip_floats(4)  # learning rate and weight decay multipliers
            reader.expect((weights.shape[0], weights.shape[2:]), (filters, window), "shape of a convolution")
            return Convolution(weights, bias.reshape(-1), stride, padding)
        case "affine_":
            gamma, beta = reader.views(reader.tensor())
            reader.expect(reader.integer(), 0, "mode of an affine layer (0: by channel)")
            return Affine(gamma.reshape(-1), beta.reshape(-1))
        case "fc_2":
            outputs, inputs = reader.integer(), reader.integer()
            values = reader.tensor()
            reader.expect(values.size, inputs * outputs, "number of weights of a fully connected layer")
            reader.shape(), reader.shape()
            reader.expect(reader.integer(), 1, "bias mode of a fully connected layer (1: none)")
            reader.skip_floats(4)
            return FullyConnected(values.reshape(inputs, outputs))
        case "max_pool_2" | "avg_pool_2":
            return Pool(name == "max_pool_2", reader.pair(), reader.stride(), reader.pair())
        case "relu_":
            return Relu()
        case "add_prev_":
            return AddPrevious()
    raise reader.error(f"layer {name!r} is not known here")


class _Reader:
    """Takes one value after another off the data, never past its end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    def error(self, what: str) -> PackDamaged:
        return PackDamaged(f"not a dlib face recognition network: {what} at byte {self.position}")

    def expect(self, found: object, expected: object, what: str) -> None:
        if found != expected:
            raise self.error(f"{what} is {found!r}, expected {expected!r}")

    def take(self, count: int) -> bytes:
        end = self.position + count
        if end > len(self._data):
            raise self.error(f"{end - len(self._data)} bytes are missing")
        taken = self._data[self.position : end]
        self.position = end
        return taken

    def integer(self) -> int:
        control = self.take(1)[0]
        magnitude = int.from_bytes(self.take(control & 0x0F), "little")
        return -magnitude if control & 0x80 else magnitude

    def count(self) -> int:
        """An integer that sizes something: never negative."""
        value = self.integer()
        if value < 0:
            raise self.error(f"a size of {value}")
        return value

    def pair(self) -> Pair:
        return self.count(), self.count()

    def stride(self) -> Pair:
        rows, columns = self.pair()
        if not rows or not columns:
            raise self.error("a stride of 0")
        return rows, columns

    def float(self) -> float:
        mantissa, exponent = self.integer(), self.integer()
        try:
            return math.ldexp(mantissa, exponent)
        except OverflowError:  # dlib writes infinity and NaN as exponents from 32000 on
            raise self.error("a float that is not finite") from None

    def skip_floats(self, count: int) -> None:
        for _ in range(count):
            self.integer(), self.integer()

    def boolean(self) -> bool:
        value = self.take(1)
        if value not in (b"0", b"1"):
            raise self.error(f"a boolean of {value!r}")
        return value == b"1"

    def string(self) -> str:
        return self.take(self.count()).decode("latin-1")

    def shape(self) -> tuple[int, int, int, int]:
        """Version and dimensions of a view into a tensor."""
        self.expect(self.integer(), 1, "version of a tensor view")
        return self.count(), self.count(), self.count(), self.count()

    def tensor(self) -> Floats:
        """A tensor's values, flat."""
        self.expect(self.integer(), 2, "version of a tensor")
        size = math.prod((self.count(), self.count(), self.count(), self.count()))
        return np.frombuffer(self.take(4 * size), "<f4").astype(np.float32)

    def views(self, values: Floats) -> tuple[Floats, Floats]:
        """The two tensors that lie one after the other in ``values``, in the shapes that follow."""
        first, second = self.shape(), self.shape()
        split = math.prod(first)
        self.expect(values.size, split + math.prod(second), "number of a layer's parameters")
        return values[:split].reshape(first), values[split:].reshape(second)
