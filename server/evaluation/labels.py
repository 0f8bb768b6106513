"""Tables of labels: which columns there are decides what can be measured."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
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


def read_rows(
    lines: Iterable[str],
    columns: Sequence[str],
    optional: Sequence[str] = (),
    wrong: Callable[[Row], str | None] = lambda row: None,
) -> list[Row]:
    """The rows of a CSV with at least these columns; ``optional`` ones are empty where they are missing. ``wrong`` says
    what is wrong with a row, if anything.

    Raises :class:`EvaluationError`.
    """
    reader = csv.DictReader(lines)
    try:
        missing = [c for c in columns if c not in (reader.fieldnames or [])]
        if missing:
            raise EvaluationError(f"column {', '.join(missing)} is missing; needed: {', '.join(columns)}")
        rows = []
        for given in reader:
            row = {c: str(given.get(c) or "") for c in (*columns, *optional)}
            problem = "a value is missing" if not all(row[c] for c in columns) else wrong(row)
            if problem is not None:
                raise EvaluationError(f"line {reader.line_num}: {problem}")
            rows.append(row)
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

    def wrong(row: Row) -> str | None:
        match kind:
            case "pairs":
                return _unless(row, "same", "0", "1")
            case "openset":
                return _unless(row, "role", *ROLES)
            case "attributes":
                age = row["age"]
                if age and not (age.isascii() and age.isdigit() and len(age) < 4 and int(age) <= OLDEST):
                    return f"age must be whole years up to {OLDEST}, not {age!r}"
                return _unless(row, "gender", "male", "female")

    return read_rows(lines, COLUMNS[kind], OPTIONAL[kind], wrong)


def _unless(row: Row, column: str, *allowed: str) -> str | None:
    if row[column] in allowed:
        return None
    wanted = " or ".join(allowed) if len(allowed) == 2 else f"one of {', '.join(allowed)}"
    return f"{column} must be {wanted}, not {row[column]!r}"
