"""From measured scores to the threshold to set, how sure it is, and how to set it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.matcher import Matcher
from pipeline.metrics import bootstrap_interval, threshold_at_far
from server.evaluation.report import Cell
from server.people.threshold import equivalent_fpir

RULE_OF_THREE = 3.0  # no error in N trials: the rate is below 3/N with 95 % confidence (ISO/IEC 19795-1, annex B)


@dataclass(frozen=True, slots=True)
class Advice:
    """The similarity ``threshold`` that keeps a rate of false answers, the 95 % interval of it, the setting ``one_in``
    that gives it while ``people`` are known, and in words what to do and what to doubt."""

    threshold: float
    low: float
    high: float
    one_in: float
    figures: tuple[tuple[str, Cell], ...]
    notes: tuple[str, ...]


def advise(
    strange: NDArray[np.float64], owners: NDArray[np.int64], rate: float, name: str, matcher: Matcher, people: int
) -> Advice:
    """From the scores (N,) of comparisons that must not match, ``owners`` (N,) of which are alike; ``name`` is the
    rate's (FMR, FPIR). Raises ``ValueError`` without scores."""
    threshold = threshold_at_far(strange, rate)
    low, high = bootstrap_interval(lambda drawn: threshold_at_far(strange[drawn], rate), owners)
    one_in = float(f"{1 / equivalent_fpir(threshold, people, matcher):.3g}")
    figures: tuple[tuple[str, Cell], ...] = (
        (f"similarity threshold for {name} {percent(rate)}", round(threshold, 4)),
        ("… its 95 % interval, from", round(low, 4)),
        ("… its 95 % interval, to", round(high, 4)),
        (f"… to set with {people_words(people)} known: one wrong name in", one_in),
    )
    notes = [
        f"To set the similarity threshold {threshold:.4f}: on the page about people, under 'How sure', choose the "
        f"nearest to one wrong name in {one_in:,.10g} strangers, or send exactly that: PUT /api/v1/threshold with "
        f'{{"one_in": {one_in:.10g}}}. This holds while {people_words(people)} '
        f"{'is' if people == 1 else 'are'} known; the server raises the threshold by itself as more are."
    ]
    if rate * len(strange) < RULE_OF_THREE:
        bound = min(1.0, RULE_OF_THREE / len(strange))
        notes.append(
            f"{len(strange):,} comparisons with strangers are too few for {name} {percent(rate)}: the threshold stands "
            f"just above the most alike of them, and all that is sure is a rate below {percent(bound)}."
        )
    return Advice(threshold, low, high, one_in, figures, tuple(notes))


def percent(share: float) -> str:
    """`0.1 %`."""
    return f"{100 * share:.3g} %"


def people_words(count: int) -> str:
    return "one person" if count == 1 else f"{count:,} people"
