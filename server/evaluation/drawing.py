"""Plots as inline SVG: no script and no style of their own, so that they run under any content policy.

Colours come from the classes ``s0`` … ``s5`` of the page around; curves also differ in their dashes, for those who do
not see colours and for paper.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from html import escape
from itertools import pairwise

from server.evaluation.report import Axis, Plot, Series

# Text is 11 units high: readable where a phone shows one unit as one pixel.
WIDTH, HEIGHT = 360, 250
LEFT, RIGHT, TOP, BOTTOM = 56, 20, 10, 40
CLASSES = 6
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


def draw(plot: Plot) -> str:
    """The plot without title and legend, which are the page's; ``words`` are read out in its stead."""
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(plot.words, quote=True)}">',
        *_grid(plot),
        *(part for index, series in enumerate(plot.series) for part in _curve(plot, index, series)),
        "</svg>",
    ]
    return "".join(parts)


def _grid(plot: Plot) -> Iterable[str]:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    for value in ticks(plot.x):
        x = _across(value, plot.x)
        yield f'<path class="grid" d="M{x:.1f} {TOP}V{bottom}"/>'
        yield f'<text x="{x:.1f}" y="{bottom + 15}" text-anchor="middle">{label(value, plot.x)}</text>'
    for value in ticks(plot.y):
        y = _down(value, plot.y)
        yield f'<path class="grid" d="M{LEFT} {y:.1f}H{right}"/>'
        yield f'<text x="{LEFT - 5}" y="{y + 3.5:.1f}" text-anchor="end">{label(value, plot.y)}</text>'
    if plot.diagonal:
        points = [(value, value) for value in (max(plot.x.low, plot.y.low), min(plot.x.high, plot.y.high))]
        yield f'<path class="diagonal" d="{_path(plot, points)}"/>'
    yield f'<path class="axis" d="M{LEFT} {TOP}V{bottom}H{right}"/>'
    middle = (LEFT + right) / 2
    yield f'<text x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">{escape(plot.x.label)}</text>'
    up = (TOP + bottom) / 2
    yield f'<text transform="rotate(-90 10 {up})" x="10" y="{up}" text-anchor="middle">{escape(plot.y.label)}</text>'


def _curve(plot: Plot, index: int, series: Series) -> Iterable[str]:
    points = [(x, y) for x, y in zip(series.x, series.y, strict=True) if math.isfinite(x) and math.isfinite(y)]
    kind = f"s{index % CLASSES}"
    corners = [(a, y) for (a, _), (_, y) in pairwise(points)]
    line = [p for pair in zip(points, [*corners, *points[-1:]], strict=True) for p in pair] if series.steps else points
    yield f'<path class="curve {kind}" d="{_path(plot, line)}"/>'
    if series.dots:
        for x, y in points:
            yield f'<circle class="{kind}" cx="{_across(x, plot.x):.1f}" cy="{_down(y, plot.y):.1f}" r="3"/>'


def _path(plot: Plot, points: list[tuple[float, float]]) -> str:
    """Points that fall on the same half unit are drawn once: a curve of 20,000 pairs is as small as one of 200."""
    drawn: list[tuple[float, float]] = []
    for x, y in points:
        place = (round(2 * _across(x, plot.x)) / 2, round(2 * _down(y, plot.y)) / 2)
        if len(drawn) > 1 and drawn[-2][0] == drawn[-1][0] == place[0]:
            drawn[-1] = place  # further up or down the same column
        elif not drawn or drawn[-1] != place:
            drawn.append(place)
    return "".join(f"{'L' if i else 'M'}{x:g} {y:g}" for i, (x, y) in enumerate(drawn))


def _across(value: float, axis: Axis) -> float:
    return LEFT + _part(value, axis) * (WIDTH - LEFT - RIGHT)


def _down(value: float, axis: Axis) -> float:
    return HEIGHT - BOTTOM - _part(value, axis) * (HEIGHT - TOP - BOTTOM)


def _part(value: float, axis: Axis) -> float:
    """Where on an axis, 0–1; what lies beyond its ends lies at them."""
    low, high = axis.low, axis.high
    if axis.log:
        value, low, high = (math.log10(max(v, axis.low)) for v in (value, low, high))
    return min(max((value - low) / (high - low), 0.0), 1.0)


def ticks(axis: Axis) -> list[float]:
    """Round values on an axis: decades, or about five steps."""
    if axis.log:
        first, last = math.ceil(math.log10(axis.low) - 1e-9), math.floor(math.log10(axis.high) + 1e-9)
        return [10.0**power for power in range(first, last + 1)]
    rough = (axis.high - axis.low) / 5
    decade = 10 ** math.floor(math.log10(rough))
    step = next(decade * s for s in _STEPS if decade * s >= rough * 0.999)
    first, last = math.ceil(axis.low / step - 1e-6), math.floor(axis.high / step + 1e-6)
    return [index * step for index in range(first, last + 1)]


def label(value: float, axis: Axis) -> str:
    """A tick in words."""
    return f"{100 * value:.4g} %" if axis.percent else f"{value:.4g}"
