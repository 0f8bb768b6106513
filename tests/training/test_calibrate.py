"""The fit finds what is known to be there."""

import numpy as np
import pytest

from training.calibrate import fit_ratio, fit_thresholds


def test_the_likelihood_ratio_of_two_normal_distributions_is_found():
    # Equal spread σ around m₁ and m₀: the ratio is a straight line of slope (m₁ − m₀)/σ².
    rng = np.random.default_rng(0)
    scores = np.concatenate([rng.normal(0.95, 0.02, 4000), rng.normal(0.85, 0.02, 6000)])
    slope, intercept = fit_ratio(scores, np.arange(10_000) < 4000)
    assert slope == pytest.approx(0.1 / 0.02**2, rel=0.1)
    assert -intercept / slope == pytest.approx(0.9, abs=0.003)


def test_one_kind_alone_is_refused():
    with pytest.raises(ValueError, match="different people"):
        fit_ratio(np.array([0.9, 0.8]), np.array([True, True]))


def test_thresholds_rise_with_the_gallery():
    rng = np.random.default_rng(1)

    def people(count):
        out = {}
        for i in range(count):
            centre = rng.normal(size=16)
            vectors = [centre + 0.2 * rng.normal(size=16) for _ in range(2)]
            out[str(i)] = [(v / np.linalg.norm(v)).astype(np.float32) for v in vectors]
        return out

    points = fit_thresholds(people(60))
    rates, similarities = zip(*points, strict=True)
    assert list(rates) == sorted(rates, reverse=True)
    assert list(similarities) == sorted(similarities)
    assert rates[0] == 0.01
