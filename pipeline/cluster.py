"""Faces of nobody in particular, grouped into people: bottom-up, the most alike first, by what each group looks like as
a whole."""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

from pipeline.matcher import Matcher
from pipeline.templates import LEAST_WEIGHT

POOR = 0.3  # weight below which a face joins a group in the end, and never brings two together
NEIGHBOURS = 64  # others that a face is compared with again once they have grown; the most alike
BLOCK = 512  # faces compared with all others at a time, so that memory grows with the number and not its square
ALONE = -1

Floats = NDArray[np.float32]


def group_faces(embeddings: Floats, weights: Floats, matcher: Matcher) -> NDArray[np.int64]:
    """Which group each face belongs to: (N,) numbers from 0, the largest group first, ``ALONE`` for a face that is like
    no other.

    ``embeddings`` (N, dimension) are unit length, ``weights`` (N,) say how good each face is (0–1). Two groups become
    one where their fused templates are as alike as a name needs among N people (:meth:`Matcher.threshold`): a chain of
    faces each of which resembles only the next does not hold, for the middle of a group moves away from its ends. Order
    does not matter. Raises ``ValueError`` for shapes that do not go together.
    """
    count = len(embeddings)
    if embeddings.ndim != 2 or weights.shape != (count,):
        raise ValueError(f"embeddings {embeddings.shape} and weights {weights.shape} do not go together")
    labels = np.full(count, ALONE, np.int64)
    if count < 2:
        return labels
    needed = matcher.threshold(count)
    good = np.flatnonzero(weights >= POOR)
    groups = _merged(embeddings[good], np.maximum(weights[good], LEAST_WEIGHT), matcher, needed)
    members = [good[group] for group in groups]
    _attach(embeddings, np.flatnonzero(weights < POOR), members, weights, matcher, needed)
    real = sorted((np.sort(group) for group in members if len(group) > 1), key=lambda group: (-len(group), group[0]))
    for number, group in enumerate(real):
        labels[group] = number
    return labels


def _merged(embeddings: Floats, weights: Floats, matcher: Matcher, needed: float) -> list[NDArray[np.int64]]:
    """Groups of indices, also those of one."""
    sums: dict[int, Floats] = {i: embeddings[i] * weights[i] for i in range(len(embeddings))}
    members: dict[int, list[int]] = {i: [i] for i in range(len(embeddings))}
    near = _neighbours(embeddings, matcher, needed)
    heap = [(-similarity, i, j) for i, others in enumerate(near) for j, similarity in others.items() if i < j]
    heapq.heapify(heap)
    beside: dict[int, set[int]] = {i: set(others) for i, others in enumerate(near)}
    following = len(embeddings)
    while heap:
        _, one, other = heapq.heappop(heap)
        if one not in sums or other not in sums:
            continue  # one of them is part of a larger group by now
        made, following = following, following + 1
        sums[made] = sums.pop(one) + sums.pop(other)
        members[made] = members.pop(one) + members.pop(other)
        around = (beside.pop(one) | beside.pop(other)) - {one, other}
        for group in around:
            beside[group] -= {one, other}
            beside[group].add(made)
        beside[made] = around
        if around:
            ids = sorted(around)
            alike = matcher.similarities(_unit(sums[made])[None], np.stack([_unit(sums[i]) for i in ids]))[0]
            for group, similarity in zip(ids, alike, strict=True):
                if similarity >= needed:
                    heapq.heappush(heap, (-float(similarity), group, made))
    return [np.asarray(group, np.int64) for group in members.values()]


def _neighbours(embeddings: Floats, matcher: Matcher, needed: float) -> list[dict[int, float]]:
    """Of each face those that might be of the same person, with how alike they are; mutual."""
    count = len(embeddings)
    near: list[dict[int, float]] = [{} for _ in range(count)]
    for start in range(0, count, BLOCK):
        alike = matcher.similarities(embeddings[start : start + BLOCK], embeddings)
        rows = np.arange(start, min(start + BLOCK, count))
        alike[rows - start, rows] = -np.inf
        most = min(NEIGHBOURS, count - 1)
        best = np.argpartition(-alike, most - 1, axis=1)[:, :most]
        for row, others in zip(rows, best, strict=True):
            for other in others:
                similarity = float(alike[row - start, other])
                if similarity >= needed:
                    near[row][int(other)] = near[int(other)][int(row)] = similarity
    return near


def _attach(
    embeddings: Floats,
    poor: NDArray[np.int64],
    members: list[NDArray[np.int64]],
    weights: Floats,
    matcher: Matcher,
    needed: float,
) -> None:
    """Give each poor face to the group it is most like, if it is like one at all."""
    if not len(poor) or not members:
        return
    means = np.stack([_unit((embeddings[g] * np.maximum(weights[g], LEAST_WEIGHT)[:, None]).sum(0)) for g in members])
    for start in range(0, len(poor), BLOCK):
        part = poor[start : start + BLOCK]
        alike = matcher.similarities(embeddings[part], means)
        best = alike.argmax(1)
        for row, group in enumerate(best):
            if alike[row, group] >= needed:
                members[group] = np.append(members[group], part[row])


def _unit(vector: Floats) -> Floats:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-12), np.float32)
