"""How a person's samples become the one template they are recognised by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.gallery import Gallery, Person
from pipeline.matcher import Matcher
from tracking import Embedding

Level = Literal["off", "standard", "strict"]
RIVALS = 8  # people of the gallery whom a sample is compared with
LEAST_WEIGHT = 0.02  # of a sample, however bad, in its person's template


@dataclass(frozen=True, slots=True)
class SampleReview:
    """Whether one sample fits its person. ``own`` is how much it resembles the person's others (``None`` where there
    are none), ``rival`` whom of the other people it resembles most and how much."""

    fits: bool
    own: float | None
    rival: Person | None
    rival_similarity: float | None


def fuse_template(samples: Sequence[Embedding], weights: Sequence[float] | None = None) -> Embedding:
    """The mean of unit-length samples, weighted by quality, of unit length. Raises ``ValueError`` without any."""
    if not len(samples):
        raise ValueError("a template needs one sample or more")
    floored = None if weights is None else np.maximum(weights, LEAST_WEIGHT)
    mean = np.average(np.stack(samples), axis=0, weights=floored)
    return (mean / max(float(np.linalg.norm(mean)), 1e-12)).astype(np.float32)


def choose_samples(embeddings: NDArray[np.float32], qualities: NDArray[np.floating], limit: int) -> NDArray[np.int64]:
    """Which of embeddings (N, dimension) with qualities (N,) to keep, ``limit`` at most: good ones that differ.

    The best comes first, then always the one that is farthest from those chosen (farthest-first traversal, Gonzalez
    1985), its distance weighted by its quality. Rising indices; all of them if there are no more than ``limit``.
    """
    if limit < 1:
        raise ValueError(f"limit must be 1 or more, not {limit}")
    if len(embeddings) <= limit:
        return np.arange(len(embeddings))
    weights = np.clip(np.asarray(qualities, np.float64), LEAST_WEIGHT, 1)
    chosen = [int(weights.argmax())]
    apart = 1 - embeddings @ embeddings[chosen[0]]
    while len(chosen) < limit:
        gain = np.maximum(apart, 0) * weights
        gain[chosen] = -1
        chosen.append(int(gain.argmax()))
        apart = np.minimum(apart, 1 - embeddings @ embeddings[chosen[-1]])
    return np.sort(np.array(chosen, np.int64))


def person_template(embeddings: NDArray[np.float32], qualities: NDArray[np.floating], max_samples: int) -> Embedding:
    """The template of a person with samples (N, dimension) of qualities (N,), of which ``max_samples`` count."""
    kept = choose_samples(embeddings, qualities, max_samples)
    return fuse_template(list(embeddings[kept]), qualities[kept].tolist())


def review(
    samples: NDArray[np.float32], own: Person | None, gallery: Gallery, matcher: Matcher, level: Level
) -> list[SampleReview]:
    """Whether each of samples (N, dimension) resembles its own person more than anyone else.

    A sample's own are the other samples and, if ``own`` is in the gallery, their template; the better one counts, as a
    person looks different in different light. It does not fit if somebody else resembles it more: in the ``strict``
    level always, in ``standard`` only if that is clear, which is by the pack's margin and beyond the threshold for
    somebody of this gallery. It does not fit either if its own are there but nothing like it: below the threshold for
    one person (``strict``), or where a stranger is ten times as usual (``standard``). With ``off`` everything fits.
    """
    if level not in ("off", "standard", "strict"):
        raise ValueError(f"level must be off, standard or strict, not {level!r}")
    known = None if own is None else gallery.template(own.id)
    among = matcher.similarities(samples, samples)
    strict = level == "strict"
    lead = 0.0 if strict else matcher.spec.margin
    clear = -np.inf if strict else matcher.threshold(len(gallery), gallery.target_fpir)
    lowest = matcher.threshold(1, None if strict else min(0.5, 10 * matcher.spec.target_fpir))
    found = []
    for i, sample in enumerate(samples):
        others = np.delete(samples, i, axis=0)
        compared = [float(np.delete(among[i], i).max())] if len(others) else []
        if len(others) > 1:
            compared.append(float(matcher.similarities(sample[None], fuse_template(list(others))[None])[0, 0]))
        if known is not None:
            compared.append(float(matcher.similarities(sample[None], known[None])[0, 0]))
        mine = max(compared, default=None)
        rival, likeness = _rival(sample, own, gallery, matcher)
        taken = likeness is not None and likeness >= clear and likeness > (-np.inf if mine is None else mine) + lead
        if mine is None and strict:  # nothing to compare with: only who would be recognised counts
            taken = likeness is not None and likeness >= matcher.threshold(len(gallery), gallery.target_fpir)
        alien = mine is not None and mine < lowest
        found.append(SampleReview(level == "off" or not (taken or alien), mine, rival, likeness))
    return found


def _rival(
    sample: Embedding, own: Person | None, gallery: Gallery, matcher: Matcher
) -> tuple[Person | None, float | None]:
    """Who else resembles a sample most, and how much."""
    near = gallery.search(sample, RIVALS).people
    others = [(p, t) for p in near if (own is None or p.id != own.id) and (t := gallery.template(p.id)) is not None]
    if not others:
        return None, None
    similarities = matcher.similarities(sample[None], np.stack([template for _, template in others]))[0]
    best = int(similarities.argmax())
    return others[best][0], float(similarities[best])
