"""From which similarity on a name is said, judged by the people who are enrolled here.

The pack's curve (:meth:`pipeline.matcher.Matcher.threshold`) says which similarity strangers reach how rarely; it was
measured on other people, with other cameras. Here every sample meets every other person's template: the own people
are impostors to each other. Where these reach higher similarities than the curve says, the threshold is raised:

- The similarity that one own comparison in a hundred reaches is set against the curve's at that rate. A tail of ten
  comparisons at least is read, so fewer than 1,000 comparisons, or fewer than ten people, change nothing: the pack's
  curve rules.
- Of what is found, the share ``1 − 1000 / comparisons`` is applied: much where there is much to go by.
- Pairs of people who resemble each other beyond the threshold are left out (at most one pair for ten people, the most
  alike first): they are named as confusable instead, and one person enrolled twice must not raise everybody's bar.
- The threshold is never lowered: enrolled people are no sample of the strangers who may come.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.gallery import Person
from pipeline.matcher import Matcher
from server.people.separation import FINE, Floats, Separation, quantile_at, separate

CHOICES = (10, 30, 100, 300, 1000)
LEAST_PAIRS = 1_000
LEAST_PEOPLE = 10
READ_AT = 0.01  # share of the own comparisons whose similarity is set against the curve
MOST_CONFUSABLE = 20
BARS = 60  # of a histogram, about


@dataclass(frozen=True, slots=True)
class Histogram:
    """``counts[i]`` similarities from ``start + i · step`` on."""

    start: float
    step: float
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """'About one wrong name in ``one_in`` strangers': the similarity it takes, and the share of enrolled people's own
    pictures that fall short of it (``None`` where nobody has two)."""

    one_in: float
    threshold: float
    misses: float | None


@dataclass(frozen=True, slots=True)
class Confusable:
    """Two people who may be taken for each other, how alike they are, and what to do about it."""

    a: Person
    b: Person
    similarity: float
    words: str


@dataclass(frozen=True, slots=True)
class ThresholdReport:
    """What the threshold page shows. ``raised`` is by how much the own people lift the pack's curve."""

    people: int
    samples: int
    genuine_pairs: int
    impostor_pairs: int
    genuine: Histogram
    impostor: Histogram
    raised: float
    choices: tuple[Choice, ...]
    confusable: tuple[Confusable, ...]
    words: str


def judge(
    embeddings: Floats,
    qualities: Floats,
    owners: NDArray[np.int64],
    people: Mapping[int, Person],
    matcher: Matcher,
    max_samples: int,
    gallery_size: int,
    fpir: float | None = None,
) -> ThresholdReport:
    """Judge samples ``embeddings`` (N, d, unit length) with ``qualities`` (N,) of the people numbered in ``owners``
    (N,) and named in ``people``.

    ``gallery_size`` is how many people recognition chooses from, ``fpir`` the rate of wrong names now in use (the
    pack's where ``None``). Blocks for up to some seconds.
    """
    if len(owners) == 0:
        nothing = Histogram(0.0, 0.01, ())
        choices = tuple(Choice(n, matcher.threshold(gallery_size, 1 / n), None) for n in CHOICES)
        return ThresholdReport(0, 0, 0, 0, nothing, nothing, 0.0, choices, (), "Nobody is enrolled yet.")
    found = separate(embeddings, qualities, owners, max_samples, matcher.similarities)
    pairs = int(found.impostor.sum())
    raised = _raised(found, matcher, matcher.threshold(gallery_size, fpir))
    genuine = found.genuine[~np.isnan(found.genuine)]
    choices = tuple(_choice(n, genuine, raised, matcher, gallery_size) for n in CHOICES)
    bar = matcher.threshold(gallery_size, fpir)
    bars, bars_impostor = _histograms(genuine, found.impostor)
    words = _words(found, pairs, raised, len(np.unique(owners)), len(owners))
    return ThresholdReport(
        people=len(np.unique(owners)),
        samples=len(owners),
        genuine_pairs=len(genuine),
        impostor_pairs=pairs,
        genuine=bars,
        impostor=bars_impostor,
        raised=raised,
        choices=choices,
        confusable=_confusable(found, people, bar, matcher),
        words=words,
    )


def equivalent_fpir(threshold: float, gallery_size: int, matcher: Matcher) -> float:
    """The rate of wrong names at which the pack's curve gives this threshold: what the matcher is to be told."""
    low, high = -12.0, 0.0  # its logarithm
    for _ in range(60):
        middle = (low + high) / 2
        if matcher.threshold(gallery_size, 10**middle) > threshold:
            low = middle
        else:
            high = middle
    return float(10**high)


def _choice(one_in: int, genuine: Floats, raised: float, matcher: Matcher, gallery_size: int) -> Choice:
    threshold = matcher.threshold(gallery_size, 1 / one_in) + raised
    misses = float((genuine < threshold).mean()) if len(genuine) else None
    return Choice(one_in, threshold, misses)


def _raised(found: Separation, matcher: Matcher, bar: float) -> float:
    """By how much the pack's curve is to be lifted; see the module's text."""
    people = len(found.people)
    counts = found.impostor.copy()
    similarity = matcher.similarities(found.templates, found.templates)
    alike = np.argwhere(np.triu(similarity, 1) >= bar).tolist()
    alike.sort(key=lambda pair: -float(similarity[pair[0], pair[1]]))
    for a, b in alike[: people // 10]:
        for one, other in ((a, b), (b, a)):
            # The nearest other person of a sample is known; only those comparisons stand in the tail.
            close = found.other[(found.owner == one) & (found.nearest == other)]
            counts -= np.bincount(_bins(close), minlength=FINE)
    pairs = int(counts.sum())
    if pairs < LEAST_PAIRS or people < LEAST_PEOPLE:
        return 0.0
    higher = quantile_at(counts, READ_AT) - matcher.threshold(1, READ_AT)
    return max(0.0, higher) * (1 - LEAST_PAIRS / pairs)


def _bins(similarities: Floats) -> NDArray[np.int64]:
    return np.clip(((similarities + 1) * (FINE / 2)).astype(np.int64), 0, FINE - 1)


def _histograms(genuine: Floats, impostor: NDArray[np.int64]) -> tuple[Histogram, Histogram]:
    """Both over the same range, so that they can be drawn over each other."""
    own = np.bincount(_bins(genuine), minlength=FINE)
    filled = np.flatnonzero(own + impostor)
    if len(filled) == 0:
        return Histogram(0.0, 0.01, ()), Histogram(0.0, 0.01, ())
    width = next(w for w in (4, 8, 20, 40, 80, 200) if (filled[-1] - filled[0]) / w <= BARS)  # 0.001 … 0.05
    first, last = filled[0] // width, filled[-1] // width
    start, step = first * width * 2 / FINE - 1, width * 2 / FINE
    shown = slice(first * width, (last + 1) * width)

    def bars(counts: NDArray[np.int64]) -> Histogram:
        sums = np.pad(counts, (0, width))[shown].reshape(-1, width).sum(1)
        return Histogram(round(float(start), 4), step, tuple(int(n) for n in sums))

    return bars(own), bars(impostor)


def _confusable(
    found: Separation, people: Mapping[int, Person], bar: float, matcher: Matcher
) -> tuple[Confusable, ...]:
    """Pairs whose templates resemble each other beyond the threshold, or of whom a sample is as near to the other."""
    worst: dict[tuple[int, int], float] = {}
    similarity = matcher.similarities(found.templates, found.templates)
    beyond = {(int(a), int(b)) for a, b in np.argwhere(np.triu(similarity, 1) >= bar)}
    close = (found.other >= bar) & ~(found.genuine - found.other >= matcher.spec.margin)
    for owner, nearest in zip(found.owner[close].tolist(), found.nearest[close].tolist(), strict=True):
        pair = (min(owner, nearest), max(owner, nearest))
        worst[pair] = worst.get(pair, 0) + 1
    ranked = sorted(beyond | set(worst), key=lambda pair: -float(similarity[pair]))
    result = []
    for pair in ranked[:MOST_CONFUSABLE]:
        a, b = (people[int(found.people[index])] for index in pair)
        if pair in beyond:
            words = (
                f"{a.name} and {b.name} look alike beyond the threshold. If they are one person, merge them; if not, "
                "add pictures of both."
            )
        else:
            count = int(worst[pair])
            pictures = "One picture" if count == 1 else f"{count} pictures"
            words = (
                f"{pictures} of {a.name} and {b.name} could be of either. See whether each is with the right person."
            )
        result.append(Confusable(a, b, float(similarity[pair]), words))
    return tuple(result)


def _words(found: Separation, pairs: int, raised: float, people: int, samples: int) -> str:
    drawn = (
        f" {len(found.owner):,} of {samples:,} pictures and {len(found.people):,} of {people:,} people were drawn at "
        "random."
        if found.drawn
        else ""
    )
    if people == 1:
        return "With one person enrolled there is nobody to compare with: the model's own figures are used."
    if people < LEAST_PEOPLE or pairs < LEAST_PAIRS:
        return (
            f"With {people} people and {pairs:,} comparisons there is too little to go by: the model's own figures are "
            f"used. From {LEAST_PEOPLE} people and {LEAST_PAIRS:,} comparisons on, your own people are heard."
        )
    if raised == 0:
        return f"Your people are no more alike than the model's figures say, so these are used as they are.{drawn}"
    return f"Your people are more alike than the model's figures say, so every threshold is {raised:.3f} higher.{drawn}"
