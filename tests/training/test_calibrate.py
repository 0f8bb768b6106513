"""The fit finds what is known to be there."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.resemblance import Cosine, Resemblance
from training.calibrate import Faces, calibrate, fit_ratio, fit_thresholds, pair_scores
from training.population import fit_population


def crowd(people, photos=3, noise=0.25, dimension=12, seed=1):
    """People who differ much along some axes and little along others, with noise that is the same along all."""
    rng = np.random.default_rng(seed)
    spread = np.geomspace(1, 0.1, dimension)
    who = np.repeat(np.arange(people), photos)
    centres = rng.normal(size=(people, dimension)) * spread + 2
    vectors = centres[who] + noise * rng.normal(size=(len(who), dimension))
    return Faces((vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), who)


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
    with pytest.raises(ValueError, match="two photos"):
        fit_population(crowd(5, photos=1).embeddings, np.arange(5))


def test_thresholds_rise_with_the_gallery():
    rates, similarities = zip(*fit_thresholds([(crowd(60), Cosine())]), strict=True)
    assert list(rates) == sorted(rates, reverse=True)
    assert list(similarities) == sorted(similarities)
    assert rates[0] == 0.01


def test_the_mean_and_spread_of_people_are_found():
    rng = np.random.default_rng(2)
    spread = np.array([2.0, 1.0, 0.5])
    who = np.repeat(np.arange(3000), 3)
    centres = rng.normal(size=(3000, 3)) * spread + 5
    found = fit_population((centres[who] + 0.3 * rng.normal(size=(9000, 3))).astype(np.float32), who)
    assert found.within == pytest.approx(0.09, rel=0.05)
    assert found.mean == pytest.approx([5, 5, 5], abs=0.2)
    assert np.trace(found.between) == pytest.approx(np.sum(spread**2), rel=0.1)
    assert (np.diff(np.diag(found.between)) < 0).all()


def test_what_is_fitted_tells_new_people_apart_better_than_the_cosine():
    population, (slope, _), thresholds = calibrate(crowd(150))
    new = crowd(100, seed=5)
    assert slope > 0
    assert [s for _, s in thresholds] == sorted(s for _, s in thresholds)

    def missed(compare):
        scores, same = pair_scores(new, compare)
        return float((scores[same] < np.quantile(scores[~same], 0.99)).mean())

    assert missed(Resemblance(replace(population, limit=1.0))) < missed(Cosine())


def test_both_scales_agree_on_how_alike_strangers_are():
    population, _, _ = calibrate(crowd(150))
    scores, same = pair_scores(crowd(100, seed=7), Resemblance(replace(population, limit=1.0)))
    cosines, _ = pair_scores(crowd(100, seed=7), Cosine())
    for share in (1e-2, 1e-3):
        assert np.quantile(scores[~same], 1 - share) == pytest.approx(np.quantile(cosines[~same], 1 - share), abs=0.03)


def test_halves_share_nobody():
    faces = crowd(31)
    one, other = faces.halves(0)
    assert len(np.unique(one.people)) + len(np.unique(other.people)) == 31
    assert not {row.tobytes() for row in one.embeddings} & {row.tobytes() for row in other.embeddings}
