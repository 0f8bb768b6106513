"""A plain folder of PERSON/*.jpg: pairs and an open-set protocol are drawn from it, and both evaluated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from pipeline.face_models import FaceModels
from server.evaluation.conditions import Condition, Face, Faces, Load, Progress, left_out, read_faces, staged
from server.evaluation.identification import build_protocol, identification_report
from server.evaluation.labels import EvaluationError, Row
from server.evaluation.report import Report
from server.evaluation.verification import Pair, compare, verification_report

GENUINE = 10  # pairs of one person: who has a hundred pictures must not outweigh everybody else
IMPOSTORS = 20_000
ENROL = 2  # pictures
LEAST_PEOPLE = 2
LEFT_OUT = "pictures left out (no face)"

People = Mapping[str, Sequence[str]]


def evaluate_folder(
    models: FaceModels,
    people: People,
    load: Load,
    conditions: Sequence[Condition],
    fmr: float,
    fpir: float,
    seed: int,
    progress: Progress,
    subject: str = "",
    enrol: int = ENROL,
) -> Report:
    """Verification and open-set identification on the files of each of the ``people``; pairs, who is known and who a
    stranger are drawn with ``seed``.

    Raises :class:`server.evaluation.labels.EvaluationError`.
    """
    if len(people) < LEAST_PEOPLE:
        raise EvaluationError("pictures of at least two people are needed, each person's in a folder of their own")
    clean = Condition()
    plan = list(dict.fromkeys([clean, *conditions]))
    files = sorted(file for own in people.values() for file in own)
    readings: dict[Condition, Faces] = {}
    for stage, condition in enumerate(plan):
        readings[condition] = read_faces(models, files, load, condition, seed, staged(progress, stage, len(plan)))
    found = readings[clean].found
    usable = {name: kept for name, own in people.items() if (kept := [file for file in own if file in found])}
    _require(usable)
    missing = left_out([readings[clean], readings[conditions[0]]])
    pairs = draw_pairs(usable, seed)
    compared = {c.name: compare(models.matcher, pairs, readings[clean], readings[c]) for c in conditions}
    one_to_one = verification_report(models, compared, fmr, subject, missing)
    rows = draw_openset(usable, enrol, seed)
    pictures = ("pictures", sum(map(len, people.values()))), ("people", len(people))
    report = replace(
        one_to_one,
        figures=(*pictures, (LEFT_OUT, sum(map(len, missing.values()))), *one_to_one.figures),
    )
    if rows is None:
        note = (
            f"For identification with strangers somebody with more than {enrol} pictures and somebody else are needed: "
            "only pairs were compared."
        )
        return replace(report, notes=(*report.notes, note))
    return _joined(report, _identification(models, rows, found, readings, conditions, fpir))


def draw_pairs(people: People, seed: int) -> list[Pair]:
    """Pairs of the same person, at most :data:`GENUINE` of each, and of different people, at most :data:`IMPOSTORS`.
    Each is in random order, so that either picture may be the one that is made worse."""
    random = np.random.default_rng([seed, 1])
    pairs = []
    for files in people.values():
        own = list(combinations(files, 2))
        for index in random.permutation(len(own))[:GENUINE]:
            pairs.append(Pair(*_either_way(own[index], random), same=True))
    owners = [(name, file) for name, files in people.items() for file in files]
    total = len(owners) * (len(owners) - 1) // 2
    if total <= 2 * IMPOSTORS:
        different = [(a, b) for (p, a), (q, b) in combinations(owners, 2) if p != q]
        chosen = [different[index] for index in random.permutation(len(different))[:IMPOSTORS]]
    else:
        chosen = _sampled(owners, random)
    return [*pairs, *(Pair(*_either_way(pair, random), same=False) for pair in chosen)]


def draw_openset(people: People, enrol: int, seed: int) -> list[Row] | None:
    """Roles as in a protocol's table: half of those with more than ``enrol`` pictures are known, everybody else is a
    stranger. ``None`` where there is nobody of either kind."""
    random = np.random.default_rng([seed, 2])
    eligible = [name for name, files in people.items() if len(files) > enrol]
    order = [eligible[index] for index in random.permutation(len(eligible))]
    known = set(order[: max(1, len(order) // 2)])
    if not known or len(known) == len(people):
        return None
    rows: list[Row] = []
    for name, files in people.items():
        shuffled = [files[index] for index in random.permutation(len(files))]
        for index, file in enumerate(shuffled):
            role = "probe_unknown" if name not in known else "enrol" if index < enrol else "probe_known"
            rows.append({"role": role, "person": name, "file": file})
    return rows


def _identification(
    models: FaceModels,
    rows: Sequence[Row],
    found: Mapping[str, Face],
    readings: Mapping[Condition, Faces],
    conditions: Sequence[Condition],
    fpir: float,
) -> Report:
    protocols = {c.name: build_protocol(rows, found, readings[c].found) for c in conditions}
    return identification_report(models, protocols, fpir, "", {})


def _joined(one: Report, other: Report) -> Report:
    """Two reports as one; what both may have gets names of their own. The first figures of ``one`` count pictures."""
    parts = [replace(p, name=f"openset_{p.name}", title=f"1:N. {p.title}") for p in other.parts]
    mine = [replace(p, name=f"pairs_{p.name}", title=f"1:1. {p.title}") for p in one.parts]
    figures = [(f"1:N {label}", value) for label, value in other.figures if label != LEFT_OUT]
    return replace(
        one,
        title=one.title.replace("Verification", "Verification and identification"),
        figures=(*one.figures[:3], *((f"1:1 {label}", value) for label, value in one.figures[3:]), *figures),
        parts=(*mine, *parts),
        notes=(*one.notes, *other.notes),
        words=(*other.words, *one.words),
    )


def _require(usable: People) -> None:
    if len(usable) < LEAST_PEOPLE:
        raise EvaluationError("no faces were found of at least two people")
    if not any(len(files) > 1 for files in usable.values()):
        raise EvaluationError("nobody has two pictures with a face: there is nothing to compare")


def _either_way(pair: tuple[str, str], random: np.random.Generator) -> tuple[str, str]:
    return pair if random.random() < 0.5 else (pair[1], pair[0])


def _sampled(owners: Sequence[tuple[str, str]], random: np.random.Generator) -> list[tuple[str, str]]:
    drawn: dict[tuple[str, str], None] = {}
    for _ in range(20 * IMPOSTORS):  # hardly any is of one person; where most are, fewer pairs do
        a, b = (owners[index] for index in sorted(random.integers(0, len(owners), 2)))
        if a[0] != b[0]:
            drawn[(a[1], b[1])] = None
        if len(drawn) == IMPOSTORS:
            break
    return list(drawn)
