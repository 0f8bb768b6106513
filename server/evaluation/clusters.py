"""How well faces without names are grouped into people: on a folder of PERSON/*.jpg, whose folders are not told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.cluster import ALONE, group_faces
from pipeline.face_models import FaceModels
from server.evaluation.conditions import Condition, Load, Progress, read_faces
from server.evaluation.labels import EvaluationError
from server.evaluation.report import Cell, Report

Labels = NDArray[np.int64]


def evaluate_clusters(
    models: FaceModels,
    people: Mapping[str, Sequence[str]],
    load: Load,
    condition: Condition,
    seed: int,
    progress: Progress,
    subject: str = "",
) -> Report:
    """Group the main faces of everybody's files and hold the groups against the ``people``.

    Raises :class:`server.evaluation.labels.EvaluationError`.
    """
    files = sorted(file for own in people.values() for file in own)
    read = read_faces(models, files, load, condition, seed, progress)
    owner = {file: name for name, own in people.items() for file in own}
    kept = [file for file in files if file in read.found]
    if len({owner[file] for file in kept}) < 2:
        raise EvaluationError("no faces were found of at least two people")
    names = sorted(set(owner.values()))
    truth = np.asarray([names.index(owner[file]) for file in kept])
    faces = [read.found[file] for file in kept]
    found = group_faces(
        np.stack([face.embedding for face in faces]),
        np.asarray([face.quality for face in faces], np.float32),
        models.matcher,
    )
    figures: tuple[tuple[str, Cell], ...] = (
        ("pictures", len(files)),
        ("… without a face, or that cannot be read", len(files) - len(kept)),
        ("people", len(set(truth.tolist()))),
        ("… with more than one face", int((np.bincount(truth) > 1).sum())),
        ("groups", int(found.max()) + 1),
        ("… of one person only", _pure(found, truth)),
        ("faces alone", int((found == ALONE).sum())),
        *((words, round(value, 4)) for words, value in scores(found, truth)),
    )
    words = (
        "Pairs: of two faces in one group, how often they are one person (precision), and of two faces of one person, "
        "how often they are in one group (recall). BCubed says the same of each face and its own group (Amigó et al., "
        "2009), so that somebody with many pictures does not outweigh everybody else."
    )
    said = "" if condition.clean else f", {condition.name}"
    return Report(f"Grouping with pack {models.manifest.name}{said}", figures, (), (), subject, {}, (words,))


def scores(found: Labels, truth: Labels) -> tuple[tuple[str, float], ...]:
    """Pairwise and BCubed precision, recall and F of groups (N,) against people (N,); a face alone is a group of its
    own."""
    alone = found == ALONE
    groups = np.where(alone, int(found.max()) + 1 + np.arange(len(found)), found)
    _, groups = np.unique(groups, return_inverse=True)
    table = np.zeros((int(groups.max()) + 1, int(truth.max()) + 1), np.int64)
    np.add.at(table, (groups, truth), 1)
    sizes, own = table.sum(1), table.sum(0)
    together = _pairs(table).sum()
    in_groups, of_people = _pairs(sizes).sum(), _pairs(own).sum()
    precision = float(together / in_groups) if in_groups else 1.0
    recall = float(together / of_people) if of_people else 1.0
    squares = (table**2).astype(np.float64)
    b_precision = float((squares / np.maximum(sizes[:, None], 1)).sum() / len(found))
    b_recall = float((squares / np.maximum(own[None], 1)).sum() / len(found))
    return (
        ("pairs: precision", precision),
        ("pairs: recall", recall),
        ("pairs: F", _f(precision, recall)),
        ("BCubed precision", b_precision),
        ("BCubed recall", b_recall),
        ("BCubed F", _f(b_precision, b_recall)),
    )


def _pairs(counts: Labels) -> Labels:
    return np.asarray(counts * (counts - 1) // 2)


def _f(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _pure(found: Labels, truth: Labels) -> int:
    return sum(len(set(truth[found == group].tolist())) == 1 for group in range(int(found.max()) + 1))
