"""How well a gallery's own samples tell its people apart: every sample against its own person and against all others.

Plain arrays, no I/O. Each person's template is the one recognition uses
(:func:`pipeline.templates.person_template`); a sample meets its own person's template without itself in it
(leave-one-out), or it would only be compared with itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.resemblance import Cosine
from pipeline.templates import choose_samples, fuse_template, person_template

Floats = NDArray[np.float32]
Compare = Callable[[Floats, Floats], Floats]  # as Matcher.similarities
COSINE = Cosine()
MAX_SAMPLES = 4_000  # compared; more are drawn from at random
MAX_COMPARISONS = 20_000_000
BLOCK = 250  # samples compared at once, so that memory stays small
SEED = 1  # the same samples are drawn every time


@dataclass(frozen=True, slots=True)
class Separation:
    """What :func:`separate` found.

    ``templates`` (P, d) and ``people`` (P,), the numbers of the owners they belong to. For the S samples compared:
    ``owner`` (S,) and ``nearest`` (S,) are rows of ``templates``, ``genuine`` (S,) the similarity to the own template
    (NaN for a person's only sample), ``other`` (S,) the greatest to anybody else (NaN with one person). ``impostor``
    counts all similarities to others in bins of ``step`` from −1, exact enough for tails.
    """

    people: NDArray[np.int64]
    templates: Floats
    owner: NDArray[np.int64]
    nearest: NDArray[np.int64]
    genuine: Floats
    other: Floats
    impostor: NDArray[np.int64]
    drawn: bool  # not everybody or not every sample was compared

    @property
    def rank1(self) -> float | None:
        """Share of samples nearer to their own person than to anybody else; ``None`` without any that could tell."""
        told = ~(np.isnan(self.genuine) | np.isnan(self.other))
        return float((self.genuine[told] > self.other[told]).mean()) if told.any() else None

    @property
    def d_prime(self) -> float | None:
        """Distance of genuine and impostor means in units of their pooled deviation (signal detection's d′)."""
        genuine = self.genuine[~np.isnan(self.genuine)].astype(np.float64)
        count = int(self.impostor.sum())
        if len(genuine) < 2 or count < 2:
            return None
        mean = float(self.impostor @ CENTRES) / count
        variance = float(self.impostor @ (CENTRES - mean) ** 2) / count
        spread = np.sqrt((genuine.var() + variance) / 2)
        return float((genuine.mean() - mean) / spread) if spread > 0 else None


FINE = 8_000  # bins from −1 to 1
EDGES = np.linspace(-1, 1, FINE + 1)
CENTRES = (EDGES[:-1] + EDGES[1:]) / 2


def separate(
    embeddings: Floats, qualities: Floats, owners: NDArray[np.int64], max_samples: int, compare: Compare = COSINE
) -> Separation:
    """Compare samples ``embeddings`` (N, d, unit length) of ``qualities`` (N,), each belonging to a person numbered in
    ``owners`` (N,), by the similarity that recognition goes by.

    At most ``MAX_SAMPLES`` samples and ``MAX_COMPARISONS`` comparisons; beyond that some are drawn at random.
    """
    random = np.random.default_rng(SEED)
    people = np.unique(owners)
    drawn = False
    most = MAX_COMPARISONS // MAX_SAMPLES
    if len(people) > most:
        people, drawn = np.sort(random.choice(people, most, replace=False)), True
    order = np.argsort(owners, kind="stable")
    starts = np.searchsorted(owners[order], people, "left")
    ends = np.searchsorted(owners[order], people, "right")
    rows = [order[a:b] for a, b in zip(starts, ends, strict=True)]
    templates = np.stack([person_template(embeddings[r], qualities[r], max_samples) for r in rows])
    chosen = np.concatenate(rows)
    owner = np.repeat(np.arange(len(people)), [len(r) for r in rows])
    if len(chosen) > MAX_SAMPLES:
        kept, drawn = np.sort(random.choice(len(chosen), MAX_SAMPLES, replace=False)), True
        chosen, owner = chosen[kept], owner[kept]
    genuine = _genuine(embeddings, qualities, rows, templates, chosen, owner, max_samples, compare)
    impostor = np.zeros(FINE, np.int64)
    nearest, other = np.zeros(len(chosen), np.int64), np.full(len(chosen), np.nan, np.float32)
    for start in range(0, len(chosen) if len(people) > 1 else 0, BLOCK):
        part = slice(start, start + BLOCK)
        similarity = compare(embeddings[chosen[part]], templates)
        own = (np.arange(len(similarity)), owner[part])
        similarity[own] = -2
        nearest[part], other[part] = similarity.argmax(1), similarity.max(1)
        counted = np.clip(((similarity + 1) * (FINE / 2)).astype(np.int64), -1, FINE - 1)
        impostor += np.bincount(counted[similarity > -1.5], minlength=FINE)
    return Separation(people, templates, owner, nearest, genuine, other, impostor, drawn)


def _genuine(
    embeddings: Floats,
    qualities: Floats,
    rows: list[NDArray[np.int64]],
    templates: Floats,
    chosen: NDArray[np.int64],
    owner: NDArray[np.int64],
    max_samples: int,
    compare: Compare,
) -> Floats:
    """Similarity of every chosen sample to its person's template without it."""
    result = np.full(len(chosen), np.nan, np.float32)
    used: dict[int, NDArray[np.int64]] = {}
    for index, (sample, person) in enumerate(zip(chosen.tolist(), owner.tolist(), strict=True)):
        all_rows = rows[person]
        if len(all_rows) < 2:
            continue
        if person not in used:
            picked = choose_samples(embeddings[all_rows], qualities[all_rows], max_samples)
            used[person] = all_rows[picked]
        rest = used[person][used[person] != sample]
        if len(rest) == len(used[person]):
            template = templates[person]  # the sample is not in it
        else:
            template = fuse_template(list(embeddings[rest]), qualities[rest].tolist())
        result[index] = float(compare(template[None], embeddings[sample][None])[0, 0])
    return result


def quantile_at(counts: NDArray[np.int64], rate: float) -> float:
    """The similarity that the share ``rate`` of the counted ones (in bins as ``Separation.impostor``) reaches."""
    above = np.cumsum(counts[::-1])[::-1]
    wanted = rate * float(counts.sum())
    return float(EDGES[int(np.count_nonzero(above >= wanted)) - 1])
