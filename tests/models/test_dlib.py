"""The reader of dlib's format and the graph made from it, on the real network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from models import PackDamaged, create_session, load_manifest
from models.build import find_source
from models.dlib_graph import build_graph
from models.dlib_reader import (
    AddPrevious,
    Affine,
    Convolution,
    FullyConnected,
    Layer,
    Mark,
    Network,
    Pool,
    Relu,
    read_network,
)

Array = NDArray[np.float64]


@pytest.fixture(scope="module")
def data() -> bytes:
    source = load_manifest("open").file("dlib_resnet.onnx").source
    assert source is not None
    return find_source(source).read_bytes()


@pytest.fixture(scope="module")
def network(data: bytes) -> Network:
    return read_network(data)


def test_the_network_is_the_published_one(network: Network) -> None:
    assert network.size == (150, 150)
    assert network.mean == pytest.approx((122.782, 117.001, 104.298), abs=1e-3)
    kinds = [type(layer) for layer in network.layers]
    assert kinds.count(Convolution) == kinds.count(Affine) == 29
    assert kinds.count(AddPrevious) == 14
    assert isinstance(network.layers[-1], FullyConnected)
    assert network.layers[-1].weights.shape == (256, 128)


def test_the_graph_computes_what_the_layers_say(network: Network) -> None:
    """Against a plain walk through the layers in double precision, nothing folded."""
    image = np.random.default_rng(3).integers(0, 256, (3, 150, 150)).astype(np.float32)
    session = create_session(build_graph(network).SerializeToString(), ["CPUExecutionProvider"])
    (embedding,) = session.run(None, {"images": image[None]})
    assert embedding.shape == (1, 128)
    np.testing.assert_allclose(embedding[0], walk(network, image.astype(np.float64)), atol=2e-6)


def walk(network: Network, image: Array) -> Array:
    """Each layer as dlib defines it. A block has one mark, or three if it halves the plane."""
    x = (image - np.reshape(network.mean, (3, 1, 1))) / 256
    marks = [i for i, layer in enumerate(network.layers) if isinstance(layer, Mark)]
    ends = [i for i, layer in enumerate(network.layers) if isinstance(layer, AddPrevious)]
    roles: dict[int, str] = {}
    for start, end in zip([0, *ends], ends, strict=False):
        inside = [i for i in marks if start <= i < end]
        roles |= dict(zip(inside, ["input", "convolved", "back"], strict=False))
    kept: dict[str, Array] = {}
    for index, layer in enumerate(network.layers):
        match layer:
            case Mark():
                if roles[index] == "back":
                    x = kept["input"]
                else:
                    kept[roles[index]] = x
            case AddPrevious():
                x = add(x, kept.pop("convolved", kept["input"]))
            case _:
                x = apply(layer, x)
    return x


def apply(layer: Layer, x: Array) -> Array:
    match layer:
        case Convolution():
            windows = windows_of(x, layer.weights.shape[2:], layer.stride, layer.padding)
            return np.einsum("fcij,crsij->frs", layer.weights, windows, optimize=True) + layer.bias[:, None, None]
        case Affine():
            return layer.gamma[:, None, None] * x + layer.beta[:, None, None]
        case Relu():
            return np.maximum(x, 0)
        case Pool(window=(0, 0)):
            return x.mean((1, 2))
        case Pool():
            windows = windows_of(x, layer.window, layer.stride, layer.padding)
            return np.asarray(windows.max((3, 4)) if layer.maximum else windows.mean((3, 4)))
        case FullyConnected():
            return np.asarray(x @ layer.weights)
    raise AssertionError(layer)


def windows_of(x: Array, window: Sequence[int], stride: Sequence[int], padding: Sequence[int]) -> Array:
    x = np.pad(x, ((0, 0), (padding[0],) * 2, (padding[1],) * 2))
    return sliding_window_view(x, tuple(window), axis=(1, 2))[:, :: stride[0], :: stride[1]]


def add(a: Array, b: Array) -> Array:
    total = np.zeros([max(sizes) for sizes in zip(a.shape, b.shape, strict=True)])
    for x in (a, b):
        total[: x.shape[0], : x.shape[1], : x.shape[2]] += x
    return total


@pytest.mark.parametrize("length", [0, 1, 10, 500, 100_000, -1])
def test_a_cut_off_file_is_refused(data: bytes, length: int) -> None:
    with pytest.raises(PackDamaged, match=r"bytes are missing at byte \d+"):
        read_network(data[:length])


def test_bytes_after_the_end_are_refused(data: bytes) -> None:
    with pytest.raises(PackDamaged, match="2 bytes too many"):
        read_network(data + b"ab")


def test_another_kind_of_file_is_refused_by_name() -> None:
    with pytest.raises(PackDamaged, match=r"loss layer is 'loss_max_pool', expected 'loss_metric_2'"):
        read_network(b"\x01\x01\x01\x0dloss_max_pool")


@settings(deadline=None, max_examples=60)
@given(position=st.integers(0, 1500), value=st.integers(0, 255))
def test_a_damaged_file_raises_nothing_but_pack_damaged(data: bytes, position: int, value: int) -> None:
    changed = bytearray(data[:60_000])  # the head holds every kind of value; the cut-off tail bounds the work
    changed[position] = value
    with pytest.raises(PackDamaged):
        read_network(bytes(changed))


@pytest.mark.parametrize("kind", [Mark, Affine, Convolution, FullyConnected])
def test_layers_that_do_not_fit_together_are_refused(network: Network, kind: type) -> None:
    first = next(i for i, layer in enumerate(network.layers) if isinstance(layer, kind))
    layers = (*network.layers[:first], *network.layers[first + 1 :])
    with pytest.raises(PackDamaged, match="dlib network"):
        build_graph(Network(network.size, network.mean, layers))


def test_a_layer_that_has_no_business_there_is_refused(network: Network) -> None:
    with pytest.raises(PackDamaged, match="refers to nothing"):
        build_graph(Network(network.size, network.mean, (AddPrevious(), *network.layers)))
