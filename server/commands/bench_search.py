"""``visavis bench search``: how long it takes to find a face among very many people."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

import click
import numpy as np
import psutil

from pipeline.gallery import Entry, Gallery, Person
from pipeline.template_index import has_faiss
from server.commands.report import table
from server.commands.synthetic_templates import Kind, Matrix, SyntheticTemplates, synthetic_templates

PROBES = 300
CANDIDATES = 32  # as many as recognition asks for
MEGABYTE = 1e6


@click.command("search")
@click.option("--people", type=click.IntRange(1), multiple=True, default=(10_000, 1_000_000), show_default=True)
@click.option("--seed", type=int, default=20, show_default=True, help="Of the made-up templates.")
def bench_search(people: tuple[int, ...], seed: int) -> None:
    """Search in large galleries of made-up templates: time, recall and memory, exact beside approximate."""
    click.echo(
        "Templates are made up, nobody's faces: 'faces' are shaped like the open pack's (cosines .833 ± .035 between\n"
        "people, .952 ± .016 between a probe and its template), 'uniform' have no structure at all, the worst case.\n"
        f"Each line: {PROBES} probes of the enrolled and {PROBES} strangers, one by one, {CANDIDATES} candidates each."
    )
    if not has_faiss():
        click.echo("faiss is not installed: exact search only; install visavis[large] to compare.")
    rows = []
    kinds: tuple[Kind, ...] = ("faces", "uniform")
    for count in people:
        for kind in kinds:
            rows += _compare(count, kind, seed)
    header = ("people", "templates", "search", "build s", "median ms", "p95 ms", "recall enrolled", "recall strangers")
    table((*header, "change ms", "index MB", "process MB"), rows)


def _compare(count: int, kind: Kind, seed: int) -> list[list[object]]:
    made = synthetic_templates(count, PROBES, seed, kind)
    entries: list[Entry] = [
        (Person(f"{row:032x}", f"Person {row}"), template, None) for row, template in enumerate(made.templates)
    ]
    dimension = made.templates.shape[1]
    exact: tuple[list[str], list[str]] | None = None
    rows: list[list[object]] = []
    for search, above in (("exact", count), ("approximate", 0)):
        if search == "approximate" and not has_faiss():
            break
        gc.collect()
        start = time.perf_counter()
        gallery = Gallery.build(entries, dimension, "made up", approximate_above=above)
        built = time.perf_counter() - start
        enrolled, strangers, times = _nearest(gallery, made)
        exact = exact or (enrolled, strangers)
        change = _seconds(lambda current=gallery: current.changed(entries[:1], [], 1))  # type: ignore[misc]
        recalls = [_agreement(enrolled, exact[0]), _agreement(strangers, exact[1])]
        memory = [round(gallery.memory / MEGABYTE), _process_memory()]
        timing = [round(float(np.percentile(times, share)) * 1e3, 3) for share in (50, 95)]
        rows.append([count, kind, search, round(built, 2), *timing, *recalls, round(change * 1e3, 3), *memory])
        del gallery
    return rows


def _nearest(gallery: Gallery, made: SyntheticTemplates) -> tuple[list[str], list[str], list[float]]:
    """Who is nearest to each enrolled probe and to each stranger, and the seconds of each search."""
    times: list[float] = []

    def nearest(probes: Matrix) -> list[str]:
        found = []
        for probe in probes:
            start = time.perf_counter()
            candidates = gallery.search(probe, CANDIDATES)
            times.append(time.perf_counter() - start)
            found.append(candidates.people[0].id)
        return found

    gallery.search(made.probes[0], CANDIDATES)  # the first one loads code, the rest are measured
    return nearest(made.probes), nearest(made.strangers), times


def _agreement(found: list[str], truth: list[str]) -> float:
    return round(float(np.mean([a == b for a, b in zip(found, truth, strict=True)])), 4)


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _process_memory() -> int:
    """Megabytes of memory this process occupies, made-up templates included."""
    return round(int(psutil.Process().memory_info().rss) / MEGABYTE)
