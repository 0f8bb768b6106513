"""Prints a measurement as a table for people or as JSON for machines, and writes it as a report where that is asked."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from server.evaluation.report import Cell, Column, Report, Table
from server.evaluation.writing import HTML, write_report

_COLLECTED = "visavis.report"


def show(title: str, rows: Sequence[tuple[str, Any]], as_json: bool, /, **details: Any) -> None:
    """Print labelled values; with ``as_json`` one object with the labels as keys, and the details beside them.

    A report has the title and the rows; what stands after a colon in the title is what was measured on.
    """
    heading, _, subject = title.partition(": ")
    _collect(Report(heading, tuple(rows), subject=subject))
    if as_json:
        click.echo(json.dumps({"title": title, **dict(rows), **details}, indent=1, ensure_ascii=False))
        return
    click.echo(title)
    width = max(len(label) for label, _ in rows)
    for label, value in rows:
        click.echo(f"  {label:<{width}}  {_text(value)}")


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[Any]],
    title: str = "Details",
    private: Sequence[int] = (),
    as_json: bool = False,
) -> None:
    """Print a table with aligned columns, unless ``as_json`` prints everything. ``title`` is its heading in a report,
    which leaves out the columns numbered in ``private``: those with names of people."""
    cells = [list(header), *([_text(v) for v in row] for row in rows)]
    if not as_json:
        _print(cells)
    shown = [[cell for at, cell in enumerate(row) if at not in private] for row in cells]
    columns = tuple(Column(name, name, "text") for name in shown[0])
    _collect_table(Table("", title, columns, tuple(map(tuple, shown[1:]))))


def deliver(report: Report, as_json: bool) -> None:
    """Print a report: figures, tables and notes; with ``as_json`` one object."""
    _collect(report, whole=True)
    if as_json:
        click.echo(json.dumps(report.printed(), indent=1, ensure_ascii=False, allow_nan=False))
        return
    click.echo(report.heading)
    width = max(len(label) for label, _ in report.figures)
    for label, value in report.figures:
        click.echo(f"  {label:<{width}}  {_text(value)}")
    for part in report.tables:
        click.echo(f"\n{part.title}{': ' if part.words else ''}{part.words}")
        heads = [f"{c.title} [%]" if c.kind == "percent" else c.title for c in part.columns]
        rows = [[c.shown(value) for c, value in zip(part.columns, row, strict=True)] for row in part.rows]
        _print([heads, *rows])
    for note in report.notes:
        click.echo(f"\n{note}")


def reported(command: click.Command) -> click.Command:
    """Give a measuring command the options ``--report`` and ``--with-files``: what it prints is also written."""
    folder = click.Path(file_okay=False, path_type=Path)
    command.params += [
        click.Option(["--report"], type=folder, help="Write an HTML report, CSV and JSON into this folder."),
        click.Option(["--with-files"], is_flag=True, help="Let the report name files."),
    ]
    measure = command.callback
    assert measure is not None

    @functools.wraps(measure)
    def wrapped(report: Path | None, with_files: bool, **rest: Any) -> Any:
        collected = click.get_current_context().meta[_COLLECTED] = _Collected()
        result = measure(**rest)
        if report is not None and collected.report is not None:
            try:
                write_report(collected.whole(), report, with_files)
            except OSError as error:
                raise click.ClickException(f"{report}: {error.strerror or error}") from error
            click.echo(f"Report: {report / HTML}", err=True)
        return result

    command.callback = wrapped
    return command


@dataclass(slots=True)
class _Collected:
    """What a command has said so far: the first thing it showed, and the tables after it."""

    report: Report | None = None
    tables: list[Table] = field(default_factory=list)

    def whole(self) -> Report:
        """All of it, tables numbered where they have no name."""
        assert self.report is not None
        named = [
            Table(t.name or f"table{i}", t.title, t.columns, t.rows, t.words) for i, t in enumerate(self.tables, 1)
        ]
        return Report(
            self.report.title,
            self.report.figures,
            (*self.report.parts, *named),
            self.report.notes,
            self.report.subject,
            self.report.files,
            self.report.words,
        )


def _collect(report: Report, whole: bool = False) -> None:
    collected = _collected()
    if collected is not None and (whole or collected.report is None):
        collected.report = report


def _collect_table(found: Table) -> None:
    collected = _collected()
    if collected is not None:
        collected.tables.append(found)


def _collected() -> _Collected | None:
    context = click.get_current_context(silent=True)
    return None if context is None else context.meta.get(_COLLECTED)


def _print(cells: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    for row in cells:
        click.echo("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _text(value: Cell) -> str:
    if value is None or value != value:  # NaN
        return "–"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 100 else f"{value:.1f}"
    return str(value)
