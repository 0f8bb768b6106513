"""Somebody, nobody, or not sure."""

import dataclasses

import numpy as np
import pytest

from pipeline.gallery import Gallery, Person
from pipeline.matcher import Matcher
from pipeline.templates import fuse_template
from tests.packs import open_models
from tracking import Verdict


def unit(*values):
    vector = np.array(values, np.float32)
    return vector / np.linalg.norm(vector)


def at(similarity, axis=1):
    """A unit vector in three dimensions with this cosine to the first axis."""
    vector = np.zeros(3, np.float32)
    vector[0], vector[axis] = similarity, np.sqrt(1 - similarity**2)
    return vector


@pytest.fixture
def matcher():
    return open_models().matcher


def gallery(*templates):
    entries = [(Person(str(i), f"p{i}"), template, None) for i, template in enumerate(templates)]
    return Gallery.build(entries, 3, "d")


def test_nobody_is_recognised_in_an_empty_gallery(matcher):
    opinion = matcher.decide(unit(1, 0, 0), Gallery.empty(3, "d"))
    assert (opinion.verdict, opinion.person, opinion.margin) == (Verdict.UNKNOWN, None, None)


def test_threshold_rises_with_the_gallery_and_with_strictness(matcher):
    values = [matcher.threshold(n) for n in (1, 2, 10, 50, 100, 1000, 100_000)]
    assert values == sorted(values)
    assert len(set(values)) == len(values)
    assert matcher.threshold(10, 0.1) < matcher.threshold(10, 0.01) < matcher.threshold(10, 0.001)


def test_known_uncertain_unknown_by_similarity(matcher):
    one = gallery(unit(1, 0, 0))
    limit = matcher.threshold(1)
    low = matcher.threshold(1, 0.1)
    assert matcher.decide(at(limit + 0.002), one).verdict is Verdict.KNOWN
    assert matcher.decide(at((limit + low) / 2), one).verdict is Verdict.UNCERTAIN
    assert matcher.decide(at(low - 0.01), one).verdict is Verdict.UNKNOWN


def test_two_that_are_equally_near_are_not_decided_between(matcher):
    pair = gallery(at(0.999, 1), at(0.999, 2))
    opinion = matcher.decide(unit(1, 0, 0), pair)
    assert opinion.verdict is Verdict.UNCERTAIN
    assert opinion.margin < matcher.spec.margin
    assert opinion.probability < 0.6


def test_probability_is_one_with_strangers_and_rises_with_similarity(matcher):
    weights = [float(matcher.probabilities(np.array([s, 0.8], np.float32))[0]) for s in (0.85, 0.9, 0.93, 0.96)]
    assert weights == sorted(weights)
    assert 0 <= weights[0] < 0.2
    assert weights[-1] > 0.95
    assert matcher.probabilities(np.array([0.99] * 5, np.float32)).sum() <= 1


def test_fusing_is_weighted_and_of_unit_length():
    fused = fuse_template([unit(1, 0, 0), unit(0, 1, 0)], [3, 1])
    assert np.linalg.norm(fused) == pytest.approx(1)
    assert fused[0] > 2.9 * fused[1]


def test_another_metric_is_refused(matcher):
    with pytest.raises(ValueError, match="euclid"):
        Matcher(dataclasses.replace(matcher.spec, metric="euclid"))
