"""Calibration finds the truth it was shown, and figures count what they say."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.attributes import AGES
from training.soft_fit import (
    Calibration,
    Observed,
    age_distribution,
    figures,
    fit_calibration,
    fit_direction,
    fit_shared_slopes,
    fit_slopes,
)


def _observed(count: int = 3000, seed: int = 0) -> Observed:
    """Two networks, of which the second knows nothing; both are three times as sure as they may be."""
    random = np.random.default_rng(seed)
    honest = random.normal(0, 3, count)
    male = random.random(count) < 1 / (1 + np.exp(-honest))
    age = random.uniform(20, 80, count)
    guess = age + random.normal(0, 5, count)
    logits = -0.5 * ((AGES[None, :] - guess[:, None]) / 5) ** 2
    noise = random.normal(size=logits.shape)
    return Observed(
        width=np.repeat([0.0, 20.0], count // 2),
        male=male,
        age=age,
        detail=random.uniform(0, 1, count),
        gender=np.stack([3 * honest, random.normal(0, 3, count)], 1),
        ages=np.stack([2 * logits, noise], 1).astype(np.float32),
        embedded=2 * honest + random.normal(0, 1, count),
        classes=AGES,
    )


def test_slopes_make_log_odds_honest() -> None:
    seen = _observed(20_000)
    slope = fit_slopes(seen.gender[:, 0], seen.detail, seen.male)
    assert slope == pytest.approx((1 / 3, 1 / 3), abs=0.03)


def test_the_embedder_is_weighed_in_where_it_knows_more() -> None:
    fitted = fit_calibration(_observed())
    alone, shared = (figures("all", _observed(seed=1), fitted, shared) for shared in (False, True))
    assert abs(shared.accuracy - shared.confidence) < 0.02
    turned = _observed()
    slopes = fit_shared_slopes(turned.gender[:, 1], -turned.embedded, turned.detail, turned.male)
    assert slopes[2:] == (0, 0)  # what would have to be turned round is left out
    assert shared.accuracy >= alone.accuracy - 0.01


def test_a_linear_reading_finds_the_direction() -> None:
    random = np.random.default_rng(3)
    truth = random.normal(size=16)
    embeddings = random.normal(size=(8000, 16)) * 0.1 + 0.3
    odds = 20 * (embeddings - 0.3) @ truth
    male = random.random(8000) < 1 / (1 + np.exp(-odds))
    direction, bias = fit_direction(embeddings, male)
    assert np.corrcoef(direction, truth)[0, 1] > 0.98
    assert float(np.mean(((embeddings @ direction + bias) > 0) == (odds > 0))) > 0.97


def test_the_network_that_knows_nothing_gets_the_least_say() -> None:
    fitted = fit_calibration(_observed())
    assert fitted.weights[0] >= 0.9
    row = figures("all", _observed(seed=1), fitted)
    assert abs(row.accuracy - row.confidence) < 0.03
    assert row.age_error == pytest.approx(4, abs=0.6)
    assert 0.76 < row.age_inside < 0.84
    assert row.said >= row.accuracy
    assert 0.5 < row.coverage < 1


def test_a_flat_answer_is_a_flat_distribution() -> None:
    seen = _observed(10)
    blank = Observed(seen.width, seen.male, seen.age, seen.detail, seen.gender, 0 * seen.ages, seen.embedded, AGES)
    p = age_distribution(blank, (0.5, 0.5), (1.0, 1.0), 2.0)
    assert p.sum(1) == pytest.approx(np.ones(10))


def test_no_faces_give_no_figures() -> None:
    seen = _observed(10)
    none = figures("nobody", seen.where(np.zeros(10, bool)), Calibration((0.5, 0.5), (1, 1), (1, 1, 0, 0), (1, 1), 0))
    assert none.faces == 0
    assert np.isnan(none.accuracy)
