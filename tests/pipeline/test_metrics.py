"""Figures of merit on scores whose answer is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.metrics import (
    best_threshold,
    cross_validated_accuracy,
    equal_error_rate,
    expected_calibration_error,
    identification_at,
    operating_point,
    threshold_at_far,
)

scores = arrays(np.float64, st.integers(1, 60), elements=st.floats(-1, 1))


@given(scores, st.floats(0, 1))
def test_no_more_than_the_asked_share_of_impostors_passes(impostor, far):
    assert (impostor >= threshold_at_far(impostor, far)).mean() <= far + 1e-9 or far * len(impostor) >= len(impostor)


def test_known_operating_point():
    impostor = np.arange(100) / 100
    point = operating_point(np.array([0.5, 0.995, 1.0]), impostor, 0.01)
    assert point.threshold == pytest.approx(0.98, abs=1e-6)
    assert point.tar == pytest.approx(2 / 3)


def test_equal_error_rate_of_separate_and_of_equal_scores():
    assert equal_error_rate(np.array([0.9, 0.8]), np.array([0.1, 0.2])) == 0
    same = np.linspace(0, 1, 101)
    assert equal_error_rate(same, same) == pytest.approx(0.5, abs=0.02)


@given(scores)
def test_the_best_threshold_is_the_best(values):
    truth = np.random.default_rng(len(values)).random(len(values)) < 0.5
    chosen = best_threshold(values, truth)
    right = ((values >= chosen) == truth).sum()
    for other in [*values, *(np.nextafter(values, np.inf)), -2.0]:
        assert right >= ((values >= other) == truth).sum()


def test_accuracy_of_scores_that_separate_is_whole():
    values = np.concatenate([np.linspace(0.6, 1, 50), np.linspace(0, 0.4, 50)])
    mean, deviation = cross_validated_accuracy(values, np.arange(100) < 50)
    assert (mean, deviation) == (1, 0)


def test_too_few_pairs_are_refused():
    with pytest.raises(ValueError, match="folds"):
        cross_validated_accuracy(np.array([1.0, 0.0]), np.array([True, False]))
    with pytest.raises(ValueError, match="empty"):
        threshold_at_far(np.array([]), 0.1)


def test_identification_counts_only_the_right_name():
    result = identification_at(np.array([0.9, 0.9, 0.1]), np.array([True, False, True]), np.array([0.8, 0.2]), 0.5)
    assert (result.tpir, result.fpir) == (pytest.approx(1 / 3), 0.5)


def test_calibration_error_of_honest_and_boasting_probabilities():
    rng = np.random.default_rng(0)
    p = rng.random(20_000)
    assert expected_calibration_error(p, rng.random(20_000) < p) < 0.02
    assert expected_calibration_error(np.full(100, 0.9), np.zeros(100, bool)) == pytest.approx(0.9)
