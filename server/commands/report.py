"""Prints a measurement as a table for people or as JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click


def show(title: str, rows: Sequence[tuple[str, Any]], as_json: bool, **details: Any) -> None:
    """Print labelled values; with ``as_json`` one object with the labels as keys, and the details beside them."""
    if as_json:
        click.echo(json.dumps({"title": title, **dict(rows), **details}, indent=1, ensure_ascii=False))
        return
    click.echo(title)
    width = max(len(label) for label, _ in rows)
    for label, value in rows:
        click.echo(f"  {label:<{width}}  {_text(value)}")


def table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print a table with aligned columns."""
    cells = [list(header), *([_text(v) for v in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    for row in cells:
        click.echo("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 100 else f"{value:.1f}"
    return str(value)
