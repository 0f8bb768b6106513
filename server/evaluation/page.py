"""A report as one HTML file that needs nothing else: no script, nothing fetched, its style allowed by its own hash."""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from server.evaluation.drawing import CLASSES, draw
from server.evaluation.report import Plot, Report, Table


@functools.cache
def _style() -> str:
    return Path(__file__).with_name("report.css").read_text("utf-8")


def content_policy() -> str:
    """The content security policy that the file carries, and that suits a server which sends it: its own style, and
    nothing else at all."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def page(report: Report, with_files: bool) -> str:
    """The whole document; names of files only ``with_files``."""
    heading = escape(report.heading if with_files else report.title)
    return "".join(
        (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{content_policy()}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>{heading}</title><style>{_style()}</style></head>\n<body><main><h1>{heading}</h1>\n",
            *_sentences("In short", report.words),
            *_figures(report),
            *_sentences("To know", report.notes),
            '<div class="plots">\n' if report.plots else "",
            *(_plot(plot) for plot in report.plots),
            "</div>\n" if report.plots else "",
            *(_table(table) for table in report.tables),
            *(_files(report) if with_files else ()),
            "</main></body></html>\n",
        )
    )


def _figures(report: Report) -> Iterable[str]:
    yield '<section class="card" aria-label="Figures"><dl>\n'
    for label, value in report.figures:
        yield f"<div><dt>{escape(label)}</dt><dd>{escape(_shown(value))}</dd></div>\n"
    yield "</dl></section>\n"


def _shown(value: object) -> str:
    if value is None or value != value:  # NaN
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else str(value)


def _sentences(title: str, sentences: Sequence[str]) -> Iterable[str]:
    if sentences:
        yield f'<section class="card"><h2>{escape(title)}</h2><ul class="notes">'
        yield "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
        yield "</ul></section>\n"


def _plot(plot: Plot) -> str:
    keys = "".join(
        f'<li><svg viewBox="0 0 28 10" aria-hidden="true"><path class="curve s{index % CLASSES}" d="M0 5H28"/></svg>'
        f"{escape(series.name)}</li>"
        for index, series in enumerate(plot.series)
    )
    legend = f'<ul class="legend">{keys}</ul>' if len(plot.series) > 1 else ""
    return (
        f'<figure class="card"><h2>{escape(plot.title)}</h2>{draw(plot)}'
        f"<figcaption>{legend}<p>{escape(plot.words)}</p></figcaption></figure>\n"
    )


def _table(table: Table) -> str:
    kinds = [' class="words"' if column.kind == "text" else "" for column in table.columns]
    head = "".join(
        f'<th scope="col"{kind}>{escape(_titled(column.title, column.kind))}</th>'
        for column, kind in zip(table.columns, kinds, strict=True)
    )
    rows = []
    for row in table.rows:
        cells = [escape(c.shown(value)) for c, value in zip(table.columns, row, strict=True)]
        first = f'<th scope="row"{kinds[0]}>{cells[0]}</th>'
        rest = "".join(f"<td{kind}>{cell}</td>" for cell, kind in zip(cells[1:], kinds[1:], strict=True))
        rows.append(f"<tr>{first}{rest}</tr>\n")
    words = f'<p class="soft">{escape(table.words)}</p>' if table.words else ""
    return (
        f'<section class="card"><h2>{escape(table.title)}</h2>{words}'
        # A table that is wider than a phone is moved within its card, with the keyboard too.
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(table.title, quote=True)}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>\n{''.join(rows)}</tbody></table></div></section>\n"
    )


def _titled(title: str, kind: str) -> str:
    return f"{title} [%]" if kind == "percent" else title


def _files(report: Report) -> Iterable[str]:
    for kind, names in report.files.items():
        yield from _sentences(kind.replace("_", " ").capitalize(), names)
