"""A report in a folder: one HTML file to read, one JSON file with everything, one CSV for each table and curve."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

from server.evaluation.page import page
from server.evaluation.report import Plot, Report, Table

HTML, JSON = "report.html", "report.json"


def report_files(report: Report, with_files: bool = False) -> dict[str, str]:
    """File names and contents; no name of a person is in them, and none of a file unless ``with_files``."""
    written = json.dumps(report.written(with_files), indent=1, ensure_ascii=False, allow_nan=False)
    return {
        HTML: page(report, with_files),
        JSON: written + "\n",
        **{f"{part.name}.csv": _table(part) if isinstance(part, Table) else _curves(part) for part in report.parts},
    }


def write_report(report: Report, folder: Path, with_files: bool = False) -> list[Path]:
    """Write the files into ``folder``, which is made where it is missing. Raises ``OSError``."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, content in report_files(report, with_files).items():
        path = folder / name
        path.write_text(content, "utf-8", newline="")
        paths.append(path)
    return paths


def _table(table: Table) -> str:
    return _csv([[column.key for column in table.columns], *(list(row.values()) for row in table.records())])


def _curves(plot: Plot) -> str:
    rows = [[series.name, x, y] for series in plot.series for x, y in zip(series.x, series.y, strict=True)]
    return _csv([["series", plot.x.label, plot.y.label], *rows])


def _csv(rows: Sequence[Sequence[object]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()
