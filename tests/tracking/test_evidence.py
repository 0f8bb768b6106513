"""The best few embeddings of a track."""

import numpy as np
import pytest

from tracking.evidence import DEFAULT_EVIDENCE, Evidence

rng = np.random.default_rng(0)


def unit(seed=None):
    vector = (np.random.default_rng(seed) if seed is not None else rng).normal(size=128)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def test_without_evidence_there_is_no_template():
    assert Evidence().template() is None


def test_the_template_leans_to_the_better_pictures():
    evidence, good, bad = Evidence(), unit(1), unit(2)
    evidence.add(good, 0.9, 0.0)
    evidence.add(bad, 0.1, 1.0)
    template = evidence.template()
    assert template @ good > template @ bad
    assert np.linalg.norm(template) == pytest.approx(1, abs=1e-5)


def test_the_worst_gives_way_and_no_more_than_enough_are_kept():
    evidence = Evidence()
    for i in range(20):
        evidence.add(unit(i), 0.1 + 0.01 * i, float(i))
    assert len(evidence) == DEFAULT_EVIDENCE.enough
    assert evidence.votes == 20
    assert evidence.template() @ unit(19) > 0.2


def test_evidence_is_wanted_fast_at_first_and_rarely_later():
    evidence = Evidence()
    assert evidence.wanted(0.0)
    evidence.add(unit(), 0.5, 0.0)
    assert not evidence.wanted(0.05)
    assert evidence.wanted(DEFAULT_EVIDENCE.spacing + 0.01)
    for i in range(1, DEFAULT_EVIDENCE.enough):
        evidence.add(unit(), 0.5, float(i))
    last = evidence.last_time
    assert not evidence.wanted(last + 1.0)
    assert evidence.wanted(last + 1.0, quality=0.9)
    assert evidence.wanted(last + DEFAULT_EVIDENCE.check_interval + 0.1)


def test_a_resumed_track_keeps_what_both_knew():
    one, two = Evidence(), Evidence()
    one.add(unit(1), 0.5, 0.0)
    two.add(unit(2), 0.5, 1.0)
    one.absorb(two)
    assert len(one) == 2
    assert one.votes == 2
