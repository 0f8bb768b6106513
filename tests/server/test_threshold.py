from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from models import load_manifest
from pipeline.gallery import Person
from pipeline.matcher import Matcher
from server.people.separation import MAX_COMPARISONS, MAX_SAMPLES, separate
from server.people.threshold import CHOICES, ThresholdReport, equivalent_fpir, judge

MATCHER = Matcher(replace(load_manifest("open").matching, population=None))  # plain cosines


def crowd(people: int, each: int, likeness: float = 0.0, noise: float = 0.3, seed: int = 1):  # type: ignore[no-untyped-def]
    """Random people: unit vectors around a shared direction (``likeness``) with spread-out samples."""
    random = np.random.default_rng(seed)
    shared = random.normal(size=64)
    centres = random.normal(size=(people, 64)) + likeness * shared
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    vectors = np.repeat(centres, each, 0) + noise * random.normal(size=(people * each, 64)) / 8
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    owners = np.repeat(np.arange(people), each)
    return vectors.astype(np.float32), np.full(len(vectors), 0.8, np.float32), owners


def judged(crowded: tuple, matcher: Matcher = MATCHER, **changed: object) -> ThresholdReport:  # type: ignore[type-arg]
    vectors, qualities, owners = crowded
    names = {int(i): Person(f"{i:032x}", f"Person {i}") for i in np.unique(owners)}
    size = len(names)
    return judge(vectors, qualities, owners, names, matcher, 16, size, **changed)  # type: ignore[arg-type]


def fitted(shift: float) -> Matcher:
    """A matcher whose curve is what strangers of ``crowd(…, likeness=1.5)`` really reach, moved by ``shift``."""
    vectors = crowd(300, 1, 1.5, seed=9)[0]
    similarity = vectors @ vectors.T
    scores = similarity[np.triu_indices(len(vectors), 1)]
    fmr = tuple((rate, float(np.quantile(scores, 1 - rate)) + shift) for rate in (0.01, 0.003, 0.001, 0.0003))
    return Matcher(replace(MATCHER.spec, fmr=fmr))


def test_every_sample_meets_its_own_person_without_itself_and_all_others() -> None:
    vectors, qualities, owners = crowd(3, 2)
    qualities = np.array([0.2, 0.8, 0.5, 0.5, 1.0, 1.0], np.float32)
    found = separate(vectors, qualities, owners, 16)
    twin = vectors[[1, 0, 3, 2, 5, 4]]
    np.testing.assert_allclose(found.genuine, (vectors * twin).sum(1), atol=1e-5)
    assert found.impostor.sum() == 6 * 2
    for index in range(6):
        others = [p for p in range(3) if p != owners[index]]
        reached = [float(found.templates[p] @ vectors[index]) for p in others]
        assert found.other[index] == pytest.approx(max(reached), abs=1e-6)
        assert found.nearest[index] == others[int(np.argmax(reached))]
    assert found.rank1 == 1.0


def test_a_sample_left_out_by_the_limit_is_compared_with_the_template_as_it_is() -> None:
    vectors, qualities, owners = crowd(2, 6)
    found = separate(vectors, qualities, owners, 3)
    own = (found.templates[found.owner] * vectors).sum(1)
    assert (np.isclose(found.genuine, own, atol=1e-6)).sum() == 6


def test_d_prime_is_that_of_signal_detection() -> None:
    vectors, qualities, owners = crowd(40, 4, noise=0.6)
    found = separate(vectors, qualities, owners, 16)
    similarity = vectors @ found.templates.T
    impostor = similarity[owners[:, None] != np.arange(40)]
    expected = (found.genuine.mean() - impostor.mean()) / np.sqrt((found.genuine.var() + impostor.var()) / 2)
    assert found.d_prime == pytest.approx(expected, rel=1e-3)


def test_few_people_leave_the_packs_curve_alone_and_say_so() -> None:
    report = judged(crowd(4, 5))
    assert report.raised == 0
    assert "the model's own figures are used" in report.words
    for choice, one_in in zip(report.choices, CHOICES, strict=True):
        assert choice.one_in == one_in
        assert choice.threshold == pytest.approx(MATCHER.threshold(4, 1 / one_in))
    assert report.genuine_pairs == 20
    assert report.impostor_pairs == 60
    assert sum(report.genuine.counts) == 20
    assert sum(report.impostor.counts) == 60
    assert (report.genuine.start, report.genuine.step) == (report.impostor.start, report.impostor.step)


def test_many_people_who_are_more_alike_than_the_curve_says_raise_it() -> None:
    alike = crowd(60, 5, 1.5)
    low, right = judged(alike, fitted(-0.15)), judged(alike, fitted(+0.15))
    assert 0.08 < low.raised < 0.2
    assert "more alike" in low.words
    assert right.raised == 0
    assert "as they are" in right.words
    assert low.choices[2].threshold == pytest.approx(fitted(-0.15).threshold(60, 0.01) + low.raised)


def test_the_raise_grows_with_what_there_is_to_go_by() -> None:
    few, many = (judged(crowd(n, 3, 1.5), fitted(-0.15)).raised for n in (20, 80))
    assert 0 < few < many


def test_somebody_enrolled_twice_is_named_and_raises_nobodys_bar() -> None:
    vectors, qualities, owners = crowd(40, 6)
    before = judged((vectors, qualities, owners), fitted(0.02))
    twice = np.concatenate([vectors, vectors[:6] + 1e-4])
    report = judged(
        (
            twice / np.linalg.norm(twice, axis=1, keepdims=True),
            np.append(qualities, qualities[:6]),
            np.append(owners, [40] * 6),
        ),
        fitted(0.02),
    )
    assert before.confusable == ()
    assert report.raised == before.raised
    (pair,) = report.confusable
    assert {pair.a.name, pair.b.name} == {"Person 0", "Person 40"}
    assert pair.similarity > 0.99
    assert "merge" in pair.words


def test_a_picture_with_the_wrong_person_makes_a_pair_confusable() -> None:
    vectors, qualities, owners = crowd(12, 6, noise=0.15)
    owners = owners.copy()
    owners[0] = 5
    (pair,) = judged((vectors, qualities, owners)).confusable
    assert {pair.a.name, pair.b.name} == {"Person 0", "Person 5"}
    assert pair.words.startswith("One picture of ")


def test_misses_count_the_own_pictures_below() -> None:
    vectors, qualities, owners = crowd(30, 4, noise=0.55)
    report = judged((vectors, qualities, owners))
    found = separate(vectors, qualities, owners, 16)
    misses = [choice.misses for choice in report.choices]
    assert misses == [float((found.genuine < c.threshold).mean()) for c in report.choices]
    assert misses == sorted(m for m in misses if m is not None)
    assert 0 < misses[-1] <= 1


@pytest.mark.parametrize(("people", "each"), [(0, 0), (1, 1), (1, 3), (2, 1)])
def test_nobody_or_hardly_anybody_is_no_error(people: int, each: int) -> None:
    report = (
        judged(crowd(people, each))
        if people
        else judged((np.zeros((0, 64), np.float32), np.zeros(0), np.zeros(0, int)))
    )
    assert report.people == people
    assert report.raised == 0
    assert report.words
    if each < 2:
        assert all(choice.misses is None for choice in report.choices)


@pytest.mark.parametrize(("one_in", "people"), [(10, 1), (100, 7), (1000, 5000)])
def test_a_threshold_is_turned_back_into_the_rate_that_gives_it(one_in: float, people: int) -> None:
    threshold = MATCHER.threshold(people, 1 / one_in)
    assert equivalent_fpir(threshold, people, MATCHER) == pytest.approx(1 / one_in, rel=1e-6)
    stricter = equivalent_fpir(threshold + 0.01, people, MATCHER)
    assert MATCHER.threshold(people, stricter) == pytest.approx(threshold + 0.01, abs=1e-9)


def test_the_cost_is_bounded_whatever_the_gallery_holds() -> None:
    vectors, qualities, owners = crowd(7_000, 2)
    began = time.perf_counter()
    found = separate(vectors, qualities, owners, 16)
    assert time.perf_counter() - began < 10
    assert found.drawn
    assert len(found.owner) == MAX_SAMPLES
    assert len(found.people) * len(found.owner) <= MAX_COMPARISONS
    assert found.impostor.sum() == len(found.owner) * (len(found.people) - 1)
    again = separate(vectors, qualities, owners, 16)
    np.testing.assert_array_equal(found.owner, again.owner)
