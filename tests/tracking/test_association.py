"""Which detection belongs to which track."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tracking.association import assign, position_affinity


def boxes(*rows):
    return np.array(rows, np.float32).reshape(-1, 4)


def test_each_meets_its_own():
    tracks = boxes((0, 0, 40, 40), (100, 0, 40, 40))
    found = boxes((103, 2, 40, 40), (2, 1, 41, 41))
    assert sorted(assign(position_affinity(tracks, found), 0.2)) == [(0, 1), (1, 0)]


def test_a_fast_face_without_overlap_is_met_by_nearness():
    affinity = position_affinity(boxes((0, 0, 40, 40)), boxes((22, 22, 40, 40)))
    assert assign(affinity, 0.1) == [(0, 0)]


def test_a_face_of_another_size_is_not_met():
    assert assign(position_affinity(boxes((0, 0, 100, 100)), boxes((30, 30, 30, 30))), 0.05) == []


@given(arrays(np.float32, st.tuples(st.integers(0, 6), st.integers(0, 6)), elements=st.floats(0, 1, width=32)))
def test_nobody_is_met_twice_and_the_gate_holds(affinity):
    pairs = assign(affinity, 0.3)
    assert len({r for r, _ in pairs}) == len({c for _, c in pairs}) == len(pairs)
    assert all(affinity[r, c] >= np.float32(0.3) for r, c in pairs)
