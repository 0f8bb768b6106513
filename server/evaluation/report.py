"""What an evaluation found, as plain values: figures, tables and plots, the same for terminal, file and page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Cell = str | int | float | None
Kind = Literal["text", "number", "percent"]


@dataclass(frozen=True, slots=True)
class Column:
    """``key`` is the column's name for machines, ``title`` for people. Cells of kind ``percent`` are shares, 0–1, shown
    in percent; ``digits`` after the point are shown."""

    key: str
    title: str
    kind: Kind = "percent"
    digits: int = 1

    def shown(self, cell: Cell) -> str:
        """A cell for people; a dash where there is nothing to say."""
        if cell is None or (isinstance(cell, float) and math.isnan(cell)):
            return "–"
        if isinstance(cell, str):
            return cell
        if self.kind == "percent":
            return f"{100 * cell:.{self.digits}f}"
        return f"{cell:.{self.digits}f}" if isinstance(cell, float) else f"{cell:,}"


def text(key: str, title: str) -> Column:
    """A column of words."""
    return Column(key, title, "text")


def number(key: str, title: str, digits: int = 1) -> Column:
    """A column of counts and measures."""
    return Column(key, title, "number", digits)


@dataclass(frozen=True, slots=True)
class Table:
    """``name`` is that of its file; ``words`` say what it shows."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    words: str = ""

    def records(self) -> list[dict[str, Cell]]:
        """The rows for machines."""
        keys = [column.key for column in self.columns]
        return [dict(zip(keys, map(_finite, row), strict=True)) for row in self.rows]


@dataclass(frozen=True, slots=True)
class Axis:
    """From ``low`` to ``high``, in percent where it is about shares. What lies beyond is drawn at its ends."""

    label: str
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    percent: bool = True


@dataclass(frozen=True, slots=True)
class Series:
    """One curve: ``x`` and ``y`` (N,)."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    dots: bool = False  # mark each point, where they are few
    steps: bool = False  # between two points ``y`` is what it is at the second


@dataclass(frozen=True, slots=True)
class Plot:
    """Curves over two axes; ``words`` say what they show. ``diagonal`` draws the line where y is x."""

    name: str
    title: str
    x: Axis
    y: Axis
    series: tuple[Series, ...]
    words: str
    diagonal: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """``figures`` are (label, value). ``subject`` says what was measured on, ``files`` lists files by what befell them:
    both may name people, and are written down only on request. ``words`` say the most important in whole sentences.
    """

    title: str
    figures: tuple[tuple[str, Cell], ...]
    parts: tuple[Table | Plot, ...] = ()
    notes: tuple[str, ...] = ()
    subject: str = ""
    files: Mapping[str, Sequence[str]] = field(default_factory=dict)
    words: tuple[str, ...] = ()

    @property
    def heading(self) -> str:
        """Title and subject."""
        return f"{self.title}: {self.subject}" if self.subject else self.title

    @property
    def tables(self) -> list[Table]:
        """The parts that are tables."""
        return [part for part in self.parts if isinstance(part, Table)]

    @property
    def plots(self) -> list[Plot]:
        """The parts that are plots."""
        return [part for part in self.parts if isinstance(part, Plot)]

    def printed(self) -> dict[str, Any]:
        """As one flat JSON object for the terminal: figures by their labels, and the tables; curves are for files."""
        figures = {label: _finite(value) for label, value in self.figures}
        tables = {table.name: table.records() for table in self.tables}
        files = {kind: list(names) for kind, names in self.files.items()}
        return {"title": self.heading, **figures, **files, **tables, "notes": list(self.notes)}

    def written(self, with_files: bool) -> dict[str, Any]:
        """As JSON for a file, curves included; names of files only ``with_files``."""
        named = {"files": {kind: list(names) for kind, names in self.files.items()}} if with_files else {}
        return {
            "title": self.heading if with_files else self.title,
            "words": list(self.words),
            "figures": {label: _finite(value) for label, value in self.figures},
            "tables": {table.name: table.records() for table in self.tables},
            "curves": {
                plot.name: {s.name: {"x": [*map(_finite, s.x)], "y": [*map(_finite, s.y)]} for s in plot.series}
                for plot in self.plots
            },
            "notes": list(self.notes),
            **named,
        }


def _finite(cell: Cell) -> Cell:
    """JSON has no NaN, and NumPy's numbers are none of its own."""
    if isinstance(cell, str) or cell is None:
        return cell
    value = cell.item() if hasattr(cell, "item") else cell
    return value if math.isfinite(value) else None
