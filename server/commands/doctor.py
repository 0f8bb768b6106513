"""``visavis doctor``: what stands in the way, with its cure."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
from collections import Counter
from collections.abc import Iterator

import click

from server.doctor.examining import examine
from server.doctor.finding import Finding, Patient
from server.settings import Configuration
from server.settings_flags import settings_flags

_MARKS = {"good": ("✓", "green"), "worth a look": ("!", "yellow"), "broken": ("✗", "red")}
WIDTH = 20  # of the names of checks


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@settings_flags
def doctor(configuration: Configuration, as_json: bool) -> None:
    """Look at this installation: camera, certificate, ports, addresses, models, disk; each trouble with its cure."""
    with _quiet():
        broken = _examine(Patient(configuration), as_json)
    sys.stdout.flush()
    click.get_current_context().exit(1 if broken else 0)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """What libraries would say, the findings say."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def _examine(patient: Patient, as_json: bool) -> int:
    """Print what is found; how much of it is broken."""
    counts: Counter[str] = Counter()
    rows: list[dict[str, str]] = []
    heading = None
    for group, finding in examine(patient):
        counts[finding.verdict] += 1
        rows.append({"group": group.title, **_row(finding)})
        if as_json:
            continue
        if heading != group.title:
            click.echo(("" if heading is None else "\n") + click.style(group.title, bold=True))
            heading = group.title
        _print(finding)
    if as_json:
        click.echo(json.dumps({"findings": rows, "broken": counts["broken"]}, indent=1, ensure_ascii=False))
    else:
        click.echo("\n" + ", ".join(f"{counts[verdict]} {verdict}" for verdict in _MARKS))
    return counts["broken"]


def _row(finding: Finding) -> dict[str, str]:
    return {"check": finding.check, "verdict": finding.verdict, "what": finding.what, "cure": finding.cure}


def _print(finding: Finding) -> None:
    mark, colour = _MARKS[finding.verdict]
    click.echo(f"  {click.style(mark, fg=colour)} {finding.check:<{WIDTH}} {finding.what}")
    if finding.cure:
        click.echo(f"    {'':<{WIDTH}} → {finding.cure}")
