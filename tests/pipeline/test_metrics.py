"""Figures of merit on scores whose answer is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.metrics import (
    best_threshold,
    bootstrap_interval,
    calibration_error,
    coverage_curve,
    cross_validated_accuracy,
    equal_error_rate,
    error_curve,
    expected_calibration_error,
    identification_at,
    identification_curve,
    interval_coverage,
    mean_absolute_error,
    operating_point,
    reliability,
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


def test_a_threshold_just_above_a_score_keeps_it_out_in_any_precision():
    strangers = np.array([0.3, 0.94001], np.float32)
    threshold = threshold_at_far(strangers, 0.1)
    assert identification_at(strangers, np.ones(2, bool), strangers, threshold).fpir == 0
    assert operating_point(strangers, strangers, 0.1).tar == 0


def test_calibration_error_of_honest_and_boasting_probabilities():
    rng = np.random.default_rng(0)
    p = rng.random(20_000)
    assert expected_calibration_error(p, rng.random(20_000) < p) < 0.02
    assert expected_calibration_error(np.full(100, 0.9), np.zeros(100, bool)) == pytest.approx(0.9)


@given(scores, scores)
def test_the_error_curve_agrees_with_counting(genuine, impostor):
    curve = error_curve(genuine, impostor)
    for threshold, fmr, fnmr in zip(curve.threshold, curve.fmr, curve.fnmr, strict=True):
        assert fmr == pytest.approx((impostor >= threshold).mean())
        assert fnmr == pytest.approx((genuine < threshold).mean())
    assert (curve.fmr[0], curve.fnmr[0]) == (1, 0)
    assert (curve.fmr[-1], curve.fnmr[-1]) == (0, 1)
    assert (np.diff(curve.threshold) > 0).all()


@given(scores, scores)
def test_the_identification_curve_agrees_with_each_of_its_points(top, strangers):
    right = np.arange(len(top)) % 3 > 0
    curve = identification_curve(top, right, strangers)
    for threshold, tpir, fpir in zip(curve.threshold, curve.tpir, curve.fpir, strict=True):
        point = identification_at(top, right, strangers, threshold)
        assert (tpir, fpir) == (pytest.approx(point.tpir), pytest.approx(point.fpir))
    assert curve.tpir[0] == pytest.approx(right.mean())


def test_reliability_bins_hold_equally_many_and_find_the_boasting():
    rng = np.random.default_rng(0)
    p = 0.5 + 0.5 * rng.random(20_000) ** 0.2  # most are near 1, as a confident model's are
    honest = reliability(p, rng.random(20_000) < p)
    assert {b.count for b in honest} == {2000}
    assert [b.stated for b in honest] == sorted(b.stated for b in honest)
    assert calibration_error(honest) < 0.02
    boasting = reliability(p, rng.random(20_000) < p - 0.1)
    assert calibration_error(boasting) == pytest.approx(0.1, abs=0.02)
    assert len(reliability(np.array([0.6, 0.9]), np.array([True, False]))) == 2


def test_coverage_leaves_out_the_least_confident_first():
    coverage, accuracy = coverage_curve(np.array([0.6, 0.9, 0.9, 0.8]), np.array([False, True, False, True]))
    assert coverage.tolist() == [0.5, 0.75, 1.0]
    assert accuracy.tolist() == [0.5, pytest.approx(2 / 3), 0.5]


def test_estimates_and_intervals():
    truth = np.array([20, 30, 40, 50])
    assert mean_absolute_error(np.array([22, 30, 37, 51]), truth) == 1.5
    assert interval_coverage(truth - np.array([0, 1, -1, 5]), truth + 1, truth) == 0.75
    assert np.isnan(mean_absolute_error(np.zeros(0), np.zeros(0)))
    assert np.isnan(interval_coverage(np.zeros(0), np.zeros(0), np.zeros(0)))


def test_the_bootstrap_holds_the_mean_and_knows_that_one_persons_pictures_are_alike():
    rng = np.random.default_rng(1)
    people = np.repeat(np.arange(50), 20)
    values = rng.normal(0, 1, 50)[people] + rng.normal(0, 0.1, 1000)
    alone = bootstrap_interval(lambda i: float(values[i].mean()), np.arange(1000))
    clustered = bootstrap_interval(lambda i: float(values[i].mean()), people)
    assert clustered[0] < 0 < clustered[1]
    assert clustered[1] - clustered[0] == pytest.approx(4 / np.sqrt(50), rel=0.3)
    assert alone[1] - alone[0] < 0.5 * (clustered[1] - clustered[0])
    assert bootstrap_interval(lambda i: float(values[i].mean()), people) == clustered


@pytest.mark.parametrize(
    "ask",
    [
        lambda none: error_curve(none, np.ones(1)),
        lambda none: identification_curve(np.ones(1), np.ones(1, bool), none),
        lambda none: reliability(none, none),
        lambda none: coverage_curve(none, none),
        lambda none: bootstrap_interval(lambda i: 0.0, none.astype(int)),
    ],
)
def test_nothing_to_measure_is_said(ask):
    with pytest.raises(ValueError, match="needs"):
        ask(np.zeros(0))
