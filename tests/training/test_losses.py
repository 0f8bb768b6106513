"""The losses say what their papers say, and nothing about faces without a label."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from pipeline.attributes import AGES
from training.losses import ArcFaceLoss, DistributionLoss, age_targets, age_weights, gender_targets

_cost = keras.ops.convert_to_numpy
COSINES = np.array([[0.2, 0.6], [-0.3, 0.1]], np.float32)


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def test_the_margin_is_added_to_the_angle_of_the_true_class() -> None:
    targets = np.stack([gender_targets(True), gender_targets(False)])
    moved = COSINES - COSINES.mean(1, keepdims=True)
    for row, column in ((0, 1), (1, 0)):
        moved[row, column] = np.cos(np.arccos(moved[row, column]) + 0.2)
    expected = -(_log_softmax(12 * moved) * targets).sum(-1)
    found = _cost(ArcFaceLoss(margin=0.2, scale=12).call(targets, COSINES))
    assert found == pytest.approx(expected, abs=1e-5)
    assert (found > _cost(ArcFaceLoss(margin=0.0, scale=12).call(targets, COSINES))).all()


def test_turning_away_from_all_classes_is_no_way_out() -> None:
    targets = gender_targets(True)[None]
    away, undecided, right = (
        float(_cost(ArcFaceLoss(margin=0.2, scale=12).call(targets, np.array([cosines], np.float32)))[0])
        for cosines in ((-1.0, -1.0), (0.0, 0.0), (-0.3, 0.3))
    )
    assert away == pytest.approx(undecided)
    assert right < undecided


def test_without_a_label_there_is_no_cost() -> None:
    assert _cost(ArcFaceLoss().call(np.stack([gender_targets(None)] * 2), COSINES)) == pytest.approx([0, 0])
    logits = np.random.default_rng(0).normal(size=(1, len(AGES))).astype(np.float32)
    assert _cost(DistributionLoss(AGES).call(age_targets(None, AGES)[None], logits)) == pytest.approx([0])


def test_the_right_age_costs_least() -> None:
    targets = age_targets(40, AGES)[None]
    costs = [
        float(_cost(DistributionLoss(AGES).call(targets, np.log(age_targets(age, AGES)[None] + 1e-6)))[0])
        for age in (40, 45, 60)
    ]
    assert costs[0] < costs[1] < costs[2]


@pytest.mark.parametrize("age", [15, 40, 100, 116])
def test_an_age_becomes_a_distribution(age: float) -> None:
    targets = age_targets(age, AGES)
    assert targets.sum() == pytest.approx(1, abs=1e-5)
    assert AGES[targets.argmax()] == min(age, 100)


def test_rare_ages_count_more() -> None:
    ages = np.array([30.0] * 40 + [33.0] * 40 + [80.0] * 5 + [np.nan])
    weights = age_weights(ages)
    assert weights[80] == pytest.approx(3.0)  # four times as rare by the root, as far as it may go
    assert weights[0] == weights[40] < 1
    assert weights[-1] == 1
    assert age_weights(np.array([np.nan, np.nan])).tolist() == [1, 1]


def test_losses_survive_saving() -> None:
    for loss in (ArcFaceLoss(margin=0.3, scale=9), DistributionLoss(AGES, expectation=0.5)):
        again = keras.losses.deserialize(keras.losses.serialize(loss))
        assert again.get_config() == loss.get_config()
