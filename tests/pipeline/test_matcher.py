"""Somebody, nobody, or not sure."""

import dataclasses

import numpy as np
import pytest

from models import load_manifest
from pipeline.face_models import read_photo
from pipeline.gallery import Gallery, Person
from pipeline.matcher import Matcher
from pipeline.resemblance import Resemblance
from tests.packs import open_models
from tests.pictures import group_photo
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
    """The open pack's numbers with plain cosines, so that three dimensions will do."""
    return Matcher(dataclasses.replace(load_manifest("open").matching, population=None))


def gallery(*templates, negatives=None):
    entries = [(Person(str(i), f"p{i}"), t, (negatives or {}).get(i)) for i, t in enumerate(templates)]
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


def test_another_metric_is_refused(matcher):
    with pytest.raises(ValueError, match="euclid"):
        Matcher(dataclasses.replace(matcher.spec, metric="euclid"))


def test_a_negative_keeps_its_person_off_that_face_but_not_off_their_own(matcher):
    me, other = at(0.98, 1), at(0.97, 2)
    people = gallery(me, other, negatives={0: unit(1, 0, 0)[None]})
    opinion = matcher.decide(unit(1, 0, 0), people)
    assert (opinion.rejected, opinion.person, opinion.verdict) == ("0", "1", Verdict.KNOWN)
    mine = matcher.decide(me, people)
    assert (mine.rejected, mine.person) == (None, "0")


def test_who_has_only_negatives_near_is_nobody(matcher):
    opinion = matcher.decide(unit(1, 0, 0), gallery(at(0.99), negatives={0: unit(1, 0, 0)[None]}))
    assert (opinion.verdict, opinion.person, opinion.rejected) == (Verdict.UNKNOWN, None, "0")


def test_runner_up_and_threshold_are_told(matcher):
    people = gallery(at(0.99, 1), at(0.95, 2))
    opinion = matcher.decide(unit(1, 0, 0), people)
    assert (opinion.person, opinion.runner_up) == ("0", "1")
    assert opinion.margin == pytest.approx(0.04, abs=1e-4)
    assert opinion.threshold == matcher.threshold(2)


def test_a_gallery_may_ask_for_more_or_less_caution(matcher):
    between = (matcher.threshold(1, 0.01) + matcher.threshold(1, 0.001)) / 2
    one = gallery(unit(1, 0, 0))
    assert matcher.decide(at(between), one).verdict is Verdict.KNOWN
    assert matcher.decide(at(between), one.with_target(0.001)).verdict is Verdict.UNCERTAIN
    assert matcher.decide(at(between), one.with_target(0.001), target_fpir=0.01).verdict is Verdict.KNOWN


def test_resemblance_is_symmetric_and_reads_like_a_cosine():
    matcher = open_models().matcher
    faces = np.stack([face.embedding for face in read_photo(open_models(), group_photo())])
    alike = matcher.similarities(faces, faces)
    assert alike == pytest.approx(alike.T, abs=1e-5)
    assert alike == pytest.approx(faces @ faces.T, abs=0.08)
    different = ~np.eye(len(faces), dtype=bool)
    assert alike[~different].min() > matcher.threshold(300) > alike[different].max()


def test_the_same_difference_says_less_about_faces_that_resemble_everybody():
    population = dataclasses.replace(load_manifest("open").matching.population, limit=1e9)
    compare = Resemblance(dataclasses.replace(population, offset=0.5))
    people = np.random.default_rng(0).multivariate_normal(np.zeros(128), population.between, 50).astype(np.float32)
    apart = np.float32(0.03) * people[0]
    usual = compare((population.mean + apart)[None], (population.mean - apart)[None])[0, 0]
    for person in people / 2:
        unusual = compare((population.mean + person + apart)[None], (population.mean + person - apart)[None])[0, 0]
        assert unusual > usual


def test_what_is_no_face_is_nobody():
    models = open_models()
    noise = np.random.default_rng(0).normal(size=(20, 128)).astype(np.float32)
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    people = Gallery.build([(Person(str(i), str(i)), row, None) for i, row in enumerate(noise[:10])], 128, "d")
    for probe in noise[10:]:
        assert models.matcher.decide(probe, people).verdict is Verdict.UNKNOWN
    population = models.manifest.matching.population
    apart = models.matcher.similarities(noise, noise) - noise @ noise.T
    assert np.abs(apart).max() <= population.limit + 1e-6


def test_real_faces_are_found_whatever_the_order_and_strangers_are_not():
    models = open_models()
    faces = [face.embedding for face in read_photo(models, group_photo())]
    entries = [(Person(str(i), str(i)), face, None) for i, face in enumerate(faces[:-1])]
    for order in (entries, entries[::-1], entries[:1]):
        people = Gallery.build(order, 128, models.manifest.digest)
        assert [models.matcher.decide(face, people).person for face in faces[:1]] == ["0"]
        assert models.matcher.decide(faces[0], people).verdict is Verdict.KNOWN
        assert models.matcher.decide(faces[-1], people).verdict is Verdict.UNKNOWN


def test_a_face_of_another_dimension_is_refused():
    with pytest.raises(ValueError):
        open_models().matcher.similarities(np.ones((1, 3), np.float32), np.ones((1, 3), np.float32))
