"""Groups of faces: whoever belongs together, nobody by a chain, in whatever order they come."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models import MatchingSpec
from pipeline.cluster import ALONE, group_faces
from pipeline.matcher import Matcher

# Made-up people do not vary as faces do: they are compared by the plain cosine, one in a hundred thousand above 0.5.
PLAIN = Matcher(
    MatchingSpec(
        metric="cosine",
        fmr=((0.01, 0.3), (0.001, 0.36), (0.00001, 0.5), (0.000001, 0.55)),
        target_fpir=0.01,
        margin=0.0,
        calibration_slope=20.0,
        calibration_intercept=-8.0,
        same_face=0.5,
        min_face=20,
    )
)
DIMENSION = 64


def people(count: int, each: int, noise: float, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Faces of some people: (N, D) of unit length, and whose each is."""
    rng = np.random.default_rng(seed)
    means = rng.normal(size=(count, DIMENSION))
    whose = np.repeat(np.arange(count), each)
    faces = means[whose] + noise * rng.normal(size=(len(whose), DIMENSION))
    return unit(faces), whose


def unit(faces: NDArray[np.float64]) -> NDArray[np.float32]:
    return (faces / np.linalg.norm(faces, axis=1, keepdims=True)).astype(np.float32)


def good(faces: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.full(len(faces), 0.8, np.float32)


def same(labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which pairs are one group."""
    return (labels[:, None] == labels[None]) & (labels[:, None] != ALONE)


def test_people_apart_are_groups_of_their_own() -> None:
    faces, whose = people(20, 8, 0.4)
    labels = group_faces(faces, good(faces), PLAIN)
    assert np.array_equal(same(labels), whose[:, None] == whose[None])
    assert set(labels) == set(range(20))


def test_who_comes_once_is_alone() -> None:
    faces, _ = people(30, 1, 0.0)
    assert set(group_faces(faces, good(faces), PLAIN)) == {ALONE}


def test_the_largest_group_is_the_first() -> None:
    faces, whose = people(3, 4, 0.3)
    faces, whose = np.concatenate([faces, unit(faces[8:].astype(float) + 0.01)]), np.concatenate([whose, whose[8:]])
    labels = group_faces(faces, good(faces), PLAIN)
    assert set(labels[whose == 2]) == {0}


def test_a_chain_does_not_bind_its_ends() -> None:
    """Each resembles the next enough; the first and the last look opposite ways."""
    angles = np.linspace(0, np.pi, 32)
    chain = np.zeros((32, DIMENSION))
    chain[:, 0], chain[:, 1] = np.cos(angles), np.sin(angles)
    faces = unit(chain)
    assert (faces[:-1] * faces[1:]).sum(1).min() > 0.99
    labels = group_faces(faces, good(faces), PLAIN)
    assert labels[0] != labels[-1]


def test_a_poor_face_joins_and_never_bridges() -> None:
    first, second = np.eye(DIMENSION)[:2]
    between = unit(np.stack([first + second]))  # at 45 degrees to both: alike by 0.71
    faces = np.concatenate([unit(np.stack([first] * 3)), unit(np.stack([second] * 3)), between]).astype(np.float32)
    weights = good(faces)
    weights[-1] = 0.1
    labels = group_faces(faces, weights, PLAIN)
    assert labels[0] != labels[3]
    assert labels[-1] in (labels[0], labels[3])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 8), st.integers(1, 6), st.floats(0.1, 1.2))
def test_the_order_of_faces_does_not_matter(seed: int, count: int, each: int, noise: float) -> None:
    faces, _ = people(count, each, noise, seed)
    order = np.random.default_rng(seed).permutation(len(faces))
    weights = np.random.default_rng(seed).uniform(0, 1, len(faces)).astype(np.float32)
    straight = same(group_faces(faces, weights, PLAIN))
    shuffled = same(group_faces(faces[order], weights[order], PLAIN))
    assert np.array_equal(shuffled, straight[np.ix_(order, order)])


def test_nobody_and_somebody_alone_are_no_groups() -> None:
    nothing = np.zeros((0, DIMENSION), np.float32)
    assert len(group_faces(nothing, np.zeros(0, np.float32), PLAIN)) == 0
    faces, _ = people(1, 1, 0.0)
    assert list(group_faces(faces, good(faces), PLAIN)) == [ALONE]


@pytest.mark.parametrize("shape", [(3,), (2, 1), ()])
def test_weights_that_do_not_fit_are_refused(shape: tuple[int, ...]) -> None:
    faces, _ = people(2, 1, 0.0)
    with pytest.raises(ValueError, match="do not go together"):
        group_faces(faces, np.zeros(shape, np.float32), PLAIN)


def test_ten_thousand_faces_do_not_take_long_or_much() -> None:
    import resource

    faces, whose = people(1000, 10, 0.5)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.monotonic()
    labels = group_faces(faces, good(faces), PLAIN)
    assert time.monotonic() - began < 60
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_000_000  # KiB
    truth = whose[:, None] == whose[None]
    found = same(labels)
    assert (found & truth).sum() > 0.95 * truth.sum()
    assert (found & ~truth).sum() < 0.05 * truth.sum()
