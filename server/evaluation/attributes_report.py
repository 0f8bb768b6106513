"""What was read of gender and age, as figures, tables and plots."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby, pairwise

import numpy as np
from numpy.typing import NDArray

from pipeline.metrics import calibration_error, coverage_curve, interval_coverage, mean_absolute_error, reliability
from server.evaluation.attributes import Floats, Looks, Measured
from server.evaluation.conditions import Condition
from server.evaluation.report import Axis, Cell, Column, Plot, Report, Series, Table, number, text

ADULT = 18  # years
BINS = 10  # of calibration, that hold equally many
PARTS = 10  # by quality
CLOSE = 0.03  # stated and observed may differ by so much
WIDTHS = (0.0, 15.0, 20.0, 30.0, 45.0, 70.0, 110.0, np.inf)  # pixels
LEAST_PART = 5  # faces, for figures about a part of them
MOST_CURVES = 4  # in one plot

Cells = tuple[Cell, ...]


def attributes_report(measured: Measured, subject: str = "") -> Report:
    """The whole report; figures, groups and plots are about the first reader, figures about the first condition too."""
    (reader, main), looks = next(iter(measured.looks.items()))
    conditions = list(measured.not_found)
    own = {c: measured.looks[reader, c] for c in conditions}
    said = "" if main.clean else f", {main.name}"
    aged = any(np.isfinite(of.true_age).any() for of in own.values())
    parts: list[Table | Plot] = [*_plots(own, aged), _by_condition(measured)]
    parts += [_by_group(own), _by_width(list(own.values())), _by_quality(list(own.values()))]
    parts += [_by_decade(looks)] if aged else []
    return Report(
        f"Apparent gender and age by {reader}{said}",
        tuple(_figures(measured, main, looks, own)),
        tuple(parts),
        tuple(_notes(reader, own)),
        subject,
        {"without_face": measured.without_face, "unreadable": measured.unreadable},
        tuple(_words(looks, aged)) if len(looks) else (),
    )


def _figures(
    measured: Measured, main: Condition, looks: Looks, own: dict[Condition, Looks]
) -> Iterable[tuple[str, Cell]]:
    said = looks.take(looks.said)
    yield "files", measured.files
    yield "files left out (unreadable)", len(measured.unreadable)
    yield "files left out (no face)", len(measured.without_face)
    yield "faces lost by making pictures worse", measured.not_found[main]
    yield "faces", len(looks)
    if len(looks):
        yield "gender: accuracy, whatever the confidence [%]", _percent(_accuracy(looks))
        yield "gender: mean confidence [%]", _percent(_confidence(looks))
        yield "gender: calibration error [%]", _percent(_calibration(looks), 2)
        yield "gender said of [% of faces]", _percent(len(said) / len(looks))
        yield "gender: accuracy where it is said [%]", _percent(_accuracy(said))
    if len(looks) and np.isfinite(looks.true_age).any():
        yield "age: mean absolute error [years]", _rounded(_age_error(looks))
        yield f"age: … of adults (from {ADULT})", _rounded(_age_error(looks.take(looks.true_age >= ADULT)))
        yield "age: bias [years]", _rounded(_age_bias(looks))
        yield "age: in the 80 % interval [%]", _percent(_age_coverage(looks))
    if len(own) > 1:
        for what, key, along in (("distance", _far, _blur), ("blur", _blur, _far)):
            falls = _falls(own, key, along)
            if falls is not None:
                yield f"mean confidence falls with {what}", "yes" if falls else "no"
        gap = max(abs(_gap(of)) for of in own.values() if len(of))
        yield "mean confidence off accuracy at most by [points]", _percent(gap)


def _words(looks: Looks, aged: bool) -> Iterable[str]:
    said = looks.take(looks.said)
    then = f", and then right for {100 * _accuracy(said):.1f} %" if len(said) else ""
    yield (
        f"Apparent gender is right for {100 * _accuracy(looks):.1f} % of {len(looks):,} faces. It is said of "
        f"{100 * len(said) / len(looks):.1f} %{then}."
    )
    yield (
        f"On average it claims to be right for {100 * _confidence(looks):.1f} %; what it claims and how often it is "
        f"right differ by {100 * _calibration(looks):.1f} points."
    )
    if aged and not np.isnan(_age_error(looks)):
        yield (
            f"Age is off by {_age_error(looks):.1f} years on average, and {100 * _age_coverage(looks):.0f} % of the "
            "ages lie in the interval that promises 80 %."
        )


def _far(condition: Condition) -> float:
    """For sorting by distance."""
    return ("near", "middle", "far").index(condition.band) + 1 if condition.band else 0


def _blur(condition: Condition) -> float:
    return condition.blur


def _falls(
    own: dict[Condition, Looks], by: Callable[[Condition], float], along: Callable[[Condition], float]
) -> bool | None:
    """Whether the mean confidence falls at every step of ``by``, everything else being equal; ``None`` without a
    step."""
    steps = []
    ordered = sorted((c for c, looks in own.items() if len(looks)), key=lambda c: (along(c), by(c)))
    for _, row in groupby(ordered, along):
        steps += [_confidence(own[a]) > _confidence(own[b]) for a, b in pairwise(row)]
    return all(steps) if steps else None


def _notes(reader: str, own: dict[Condition, Looks]) -> Iterable[str]:
    off = [f"{c.name} ({100 * _gap(of):+.1f} points)" for c, of in own.items() if len(of) and abs(_gap(of)) > CLOSE]
    if off:
        yield (
            f"Confidence and accuracy differ by more than {100 * CLOSE:.0f} points: {'; '.join(off)}. "
            "Plus means too sure."
        )
    few = min((len(of) for of in own.values()), default=0)
    if few < 400:
        yield (
            f"With {few} faces accuracy is known to about ±{100 * 1.96 * np.sqrt(0.09 / max(few, 1)):.0f} points "
            "(95 %, where it is 90 %); calibration is known less well."
        )
    if reader == "cc0":
        yield "The CC0 networks give no calibrated doubt; what they state is shown as it is."


_SHARED = (
    number("faces", "faces"),
    Column("accuracy", "gender accuracy"),
    Column("confidence", "mean confidence"),
    Column("said", "said of"),
    Column("accuracy_said", "accuracy where said"),
    number("age_error", "age error [years]"),
)


def _shared(looks: Looks) -> Cells:
    if len(looks) < LEAST_PART:
        return (len(looks), *(None,) * (len(_SHARED) - 1))
    said = looks.take(looks.said)
    accuracy = _accuracy(said) if len(said) else None
    return len(looks), _accuracy(looks), _confidence(looks), len(said) / len(looks), accuracy, _age_error(looks)


def _by_condition(measured: Measured) -> Table:
    columns = (
        text("reader", "reader"),
        text("condition", "pictures"),
        number("lost", "no face"),
        *_SHARED,
        Column("calibration_error", "calibration error"),
        number("age_error_adults", "… of adults"),
        number("age_bias", "age bias [years]"),
        Column("age_interval", "in the 80 % interval"),
    )
    rows = []
    for (reader, condition), looks in measured.looks.items():
        more: Cells = (None,) * 4
        if len(looks) >= LEAST_PART:
            adults = _age_error(looks.take(looks.true_age >= ADULT))
            more = (_calibration(looks), adults, _age_bias(looks), _age_coverage(looks))
        rows.append((reader, condition.name, measured.not_found[condition], *_shared(looks), *more))
    words = "Each face at a distance drawn within the band; found and aligned in the picture as it is then."
    return Table("conditions", "By distance and blur", columns, tuple(rows), words)


def _by_group(own: dict[Condition, Looks]) -> Table:
    rows = []
    for condition, looks in own.items():
        ages = [(_decade(d), (looks.true_age // 10 == d)) for d in sorted(set(looks.true_age // 10)) if np.isfinite(d)]
        named = np.array(looks.groups, str)
        groups = [
            ("everybody", np.ones(len(looks), bool)),
            ("female", ~looks.true_male),
            ("male", looks.true_male),
            *ages,
            *((f"group {g or 'none'}", named == g) for g in sorted(set(looks.groups)) if any(looks.groups)),
        ]
        kept = [(name, inside) for name, inside in groups if inside.sum() >= LEAST_PART]
        rows += [(condition.name, name, *_shared(looks.take(inside))) for name, inside in kept]
    columns = (text("condition", "pictures"), text("group", "group"), *_SHARED)
    words = f"Groups of fewer than {LEAST_PART} faces are left out."
    return Table("groups", "By gender, age and group", columns, tuple(rows), words)


def _by_width(parts: Sequence[Looks]) -> Table:
    looks = Looks.together(parts)
    rows = []
    for low, high in pairwise(WIDTHS):
        inside = looks.take((looks.width >= low) & (looks.width < high))
        if len(inside):
            name = f"{low:.0f} and more" if np.isinf(high) else f"{low:.0f} to {high:.0f}"
            calibration = _calibration(inside) if len(inside) >= LEAST_PART else None
            rows.append((name, *_shared(inside), calibration))
    columns = (text("width", "pixels"), *_SHARED, Column("calibration_error", "calibration error"))
    words = "Width of the face as it was measured, in pixels of the picture as it was taken; over all distances."
    return Table("width", "By measured width of the face", columns, tuple(rows), words)


def _by_quality(parts: Sequence[Looks]) -> Table:
    looks = Looks.together(parts)
    rows = []
    order = np.argsort(looks.quality, kind="stable")
    for part in np.array_split(order, min(PARTS, len(order))):
        inside = looks.take(np.isin(np.arange(len(looks)), part))
        rows.append((float(inside.quality.min()), float(inside.quality.max()), *_shared(inside)))
    columns = (number("from", "quality from", 2), number("to", "to", 2), *_SHARED)
    words = "Tenths of all faces by their quality, over all distances."
    return Table("quality", "By quality", columns, tuple(rows), words)


def _by_decade(looks: Looks) -> Table:
    rows = []
    for decade in sorted(set(looks.true_age[np.isfinite(looks.true_age)] // 10)):
        inside = looks.take(looks.true_age // 10 == decade)
        rows.append((_decade(decade), len(inside), _age_bias(inside), _age_error(inside), _age_coverage(inside)))
    columns = (
        text("age", "age"),
        number("faces", "faces"),
        number("bias", "bias [years]"),
        number("error", "error [years]"),
        Column("interval", "in the 80 % interval"),
    )
    words = "Of the first row of the distances. A bias above 0 means that faces are taken for older than they are."
    return Table("ages", "Age by decade", columns, tuple(rows), words)


def _plots(own: dict[Condition, Looks], aged: bool) -> Iterable[Plot]:
    shown = {c.name: looks for c, looks in list(own.items())[:MOST_CURVES] if len(looks)}
    bins = {name: reliability(looks.confidence, looks.right, BINS) for name, looks in shown.items()}
    yield Plot(
        "reliability",
        "Gender: is it as often right as it says?",
        Axis("stated confidence", 0.5, 1.0),
        Axis("how often right", 0.5, 1.0),
        tuple(
            Series(n, [b.stated for b in found], [b.observed for b in found], dots=True) for n, found in bins.items()
        ),
        f"Each point is a tenth of the faces. On the dotted line what is said holds; below it, it is too sure. "
        f"{_summed(own)}",
        diagonal=True,
    )
    curves = {name: coverage_curve(looks.confidence, looks.right) for name, looks in shown.items()}
    least = min(float(accuracy[coverage > 0.1].min()) for coverage, accuracy in curves.values())
    yield Plot(
        "coverage",
        "Gender: saying less, and being right more often",
        Axis("share of faces of which it is said"),
        Axis("accuracy of these", min(0.95, np.floor(20 * least) / 20), 1.0),
        tuple(Series(name, list(coverage), list(accuracy)) for name, (coverage, accuracy) in curves.items()),
        "From left to right less confident answers are let in.",
    )
    yield _width_plot(Looks.together(list(own.values())))
    if aged:
        yield _age_plot(next(iter(own.values())))


def _width_plot(looks: Looks) -> Plot:
    order = np.argsort(looks.width, kind="stable")
    parts = [looks.take(np.isin(np.arange(len(looks)), p)) for p in np.array_split(order, min(8, len(order)))]
    middle = [float(np.median(part.width)) for part in parts]
    low, high = float(looks.width.min()), float(looks.width.max())
    return Plot(
        "width",
        "Gender: accuracy and confidence by the width of the face",
        Axis("width of the face in pixels, as it was taken", low, max(high, low + 1), percent=False),
        Axis("share", 0.5, 1.0),
        (
            Series("accuracy", middle, [_accuracy(part) for part in parts], dots=True),
            Series("mean confidence", middle, [_confidence(part) for part in parts], dots=True),
        ),
        "Where both fall together towards small faces, what is said can be believed.",
    )


def _age_plot(looks: Looks) -> Plot:
    kept = looks.take(np.isfinite(looks.true_age) & np.isfinite(looks.age))
    decades = sorted(set(kept.true_age // 10))
    middle = [float(kept.true_age[kept.true_age // 10 == d].mean()) for d in decades]
    quantiles = [np.quantile(kept.age[kept.true_age // 10 == d], (0.1, 0.5, 0.9)) for d in decades]
    names = ("a tenth are taken for younger", "middle", "a tenth are taken for older")
    return Plot(
        "ages",
        "Age: what faces are taken for",
        Axis("age in years", 0, 100, percent=False),
        Axis("estimated age in years", 0, 100, percent=False),
        tuple(Series(name, middle, [float(q[i]) for q in quantiles], dots=True) for i, name in enumerate(names)),
        "By decade. Where the middle lies above the dotted line, faces are taken for older than they are.",
        diagonal=True,
    )


def _summed(own: dict[Condition, Looks]) -> str:
    errors = [f"{c.name} {100 * _calibration(of):.1f} %" for c, of in own.items() if len(of)]
    return f"Calibration error: {', '.join(errors)}."


def _accuracy(looks: Looks) -> float:
    return float(looks.right.mean()) if len(looks) else float("nan")


def _confidence(looks: Looks) -> float:
    return float(looks.confidence.mean())


def _gap(looks: Looks) -> float:
    return _confidence(looks) - _accuracy(looks)


def _calibration(looks: Looks) -> float:
    return calibration_error(reliability(looks.confidence, looks.right, BINS))


def _known_age(looks: Looks) -> NDArray[np.bool_]:
    return np.isfinite(looks.true_age) & np.isfinite(looks.age)


def _age_error(looks: Looks) -> float:
    known = looks.take(_known_age(looks))
    return mean_absolute_error(known.age, known.true_age)


def _age_bias(looks: Looks) -> float:
    known = _known_age(looks)
    return float((looks.age - looks.true_age)[known].mean()) if known.any() else float("nan")


def _age_coverage(looks: Looks) -> float:
    known = np.isfinite(looks.true_age)
    return interval_coverage(looks.low[known], looks.high[known], looks.true_age[known])


def _decade(decade: float) -> str:
    return f"{10 * decade:.0f} to {10 * decade + 9:.0f}"


def _percent(share: float, digits: int = 1) -> Cell:
    return _rounded(100 * share, digits)


def _rounded(value: float | Floats, digits: int = 1) -> Cell:
    return None if np.isnan(value) else round(float(value), digits)
