"""Tables of labels: which columns there are decides what can be measured."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from typing import Literal

Kind = Literal["pairs", "openset", "attributes"]
COLUMNS: dict[Kind, tuple[str, ...]] = {
    "pairs": ("first", "second", "same"),
    "openset": ("role", "person", "file"),
    "attributes": ("file", "gender"),
}
OPTIONAL: dict[Kind, tuple[str, ...]] = {"pairs": ("group",), "openset": ("group",), "attributes": ("age", "group")}
ROLES = ("enrol", "probe_known", "probe_unknown")
OLDEST = 120  # years

Row = dict[str, str]


class EvaluationError(ValueError):
    """What was given cannot be evaluated; the message says why, as a sentence without its stop."""


def read_rows(lines: Iterable[str], columns: Sequence[str], optional: Sequence[str] = ()) -> list[Row]:
    """The rows of a CSV with at least these columns; ``optional`` ones are empty where they are missing.

    Raises :class:`EvaluationError`.
    """
    reader = csv.DictReader(lines)
    try:
        missing = [c for c in columns if c not in (reader.fieldnames or [])]
        if missing:
            raise EvaluationError(f"column {', '.join(missing)} is missing; needed: {', '.join(columns)}")
        rows = []
        for row in reader:
            if any(row.get(c) in (None, "") for c in columns):
                raise EvaluationError(f"line {reader.line_num}: a value is missing")
            rows.append({**{c: str(row[c]) for c in columns}, **{c: str(row.get(c) or "") for c in optional}})
    except csv.Error as error:
        raise EvaluationError(f"line {reader.line_num}: {error}") from error
    if not rows:
        raise EvaluationError("there are no rows")
    return rows


def kind_of(lines: Sequence[str]) -> Kind:
    """What a CSV with such a first line is for. Raises :class:`EvaluationError`."""
    try:
        header = set(next(csv.reader(lines), []))
    except csv.Error as error:
        raise EvaluationError(f"line 1: {error}") from error
    for kind, columns in COLUMNS.items():
        if set(columns) <= header:
            return kind
    wanted = ", or ".join(",".join(columns) for columns in COLUMNS.values())
    raise EvaluationError(f"the table's first line names no columns that can be used: {wanted}")


def read_labels(kind: Kind, lines: Sequence[str]) -> list[Row]:
    """The rows of a table of this kind, checked. Raises :class:`EvaluationError`."""
    rows = read_rows(lines, COLUMNS[kind], OPTIONAL[kind])
    for number, row in enumerate(rows, 2):
        match kind:
            case "pairs":
                _require(row["same"], ("0", "1"), "same", number)
            case "openset":
                _require(row["role"], ROLES, "role", number)
            case "attributes":
                _require(row["gender"], ("male", "female"), "gender", number)
                if row["age"] and not (row["age"].isascii() and row["age"].isdigit() and int(row["age"]) <= OLDEST):
                    raise EvaluationError(f"line {number}: age must be whole years up to {OLDEST}, not {row['age']!r}")
    return rows


def _require(value: str, allowed: Sequence[str], column: str, line: int) -> None:
    if value not in allowed:
        wanted = " or ".join(allowed) if len(allowed) == 2 else f"one of {', '.join(allowed)}"
        raise EvaluationError(f"line {line}: {column} must be {wanted}, not {value!r}")
