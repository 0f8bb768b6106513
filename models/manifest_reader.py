"""Reads pack manifests (TOML) and refuses whatever could not work, naming the field and its value."""

from __future__ import annotations

import itertools
import logging
import math
import re
import tomllib
from collections.abc import Callable, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, NoReturn, get_args
from zipfile import BadZipFile

import numpy as np

from models.errors import ManifestInvalid, UnknownPack
from models.manifest import (
    OWN_MANIFEST,
    DetectorKind,
    DetectorSpec,
    EmbedderKind,
    EmbedderSpec,
    FileEntry,
    MatchingSpec,
    Origin,
    PackManifest,
    Population,
    Recipe,
    SourceFile,
)

_NAME = re.compile(r"[a-z0-9][a-z0-9_]*\Z")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\Z")
_PATH = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*)*\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_MISSING = object()

_log = logging.getLogger(__name__)


def available_packs(models_dir: Path | None = None) -> tuple[PackManifest, ...]:
    """Every pack this version knows, the default one first, then by name; with ``models_dir`` the user's own packs in
    it as well. Of those, one that cannot be read is left out, with a warning that says why."""
    packs = [load_manifest(name) for name in _known()]
    for name in _own(models_dir):
        try:
            packs.append(load_manifest(name, models_dir))
        except ManifestInvalid as error:
            _log.warning("left out a pack: %s", error)
    return tuple(sorted(packs, key=lambda pack: (not pack.default, pack.name)))


def load_manifest(name: str, models_dir: Path | None = None) -> PackManifest:
    """The manifest of pack ``name``: one this version knows, or with ``models_dir`` the user's own of that name in it.

    Raises :class:`UnknownPack` or :class:`ManifestInvalid`.
    """
    if name in _known():
        packs = resources.files("models").joinpath("packs")
        return _named(name, packs.joinpath(f"{name}.toml"), packs, f"{name}.toml", "built", "pulled")
    if name in _own(models_dir) and models_dir is not None:
        path = models_dir / name / OWN_MANIFEST
        return _named(name, path, path.parent, str(path), "own")
    raise UnknownPack(f"there is no pack {name!r}; known are: {', '.join([*_known(), *_own(models_dir)])}")


def _known() -> list[str]:
    names = (entry.name for entry in resources.files("models").joinpath("packs").iterdir())
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def _own(models_dir: Path | None) -> list[str]:
    """Names of folders with a manifest of their own. One that is called as a pack of this version is not seen."""
    if models_dir is None:
        return []
    known = set(_known())
    found = (path.parent.name for path in models_dir.glob(f"*/{OWN_MANIFEST}"))
    return sorted(name for name in found if _NAME.match(name) and name not in known)


def _named(name: str, path: Traversable, beside: Traversable, where: str, *origins: Origin) -> PackManifest:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestInvalid(f"{where}: cannot be read: {error}") from None
    manifest = parse_manifest(text, where, beside)
    if manifest.name != name:
        raise ManifestInvalid(f"{where}: name is {manifest.name!r}, expected {name!r}, as its file or folder is called")
    if manifest.origin not in origins:
        raise ManifestInvalid(f"{where}: origin is {manifest.origin!r}, expected {' or '.join(origins)}")
    if manifest.default and origins == ("own",):
        raise ManifestInvalid(f"{where}: default is true, expected false: choose the pack with --pack {name}")
    return manifest


def parse_manifest(text: str, where: str, beside: Traversable | None = None) -> PackManifest:
    """Read a manifest's text; ``where`` names it in errors, ``beside`` is the folder of what it refers to (the packs of
    this version unless told otherwise). Raises :class:`ManifestInvalid`."""
    try:
        root = _Table(tomllib.loads(text), where, "")
    except tomllib.TOMLDecodeError as error:
        raise ManifestInvalid(f"{where}: not valid TOML: {error}") from None
    beside = beside or resources.files("models").joinpath("packs")
    origin: Origin = root.choice("origin", get_args(Origin))
    attributes = root.table("attributes", optional=True)
    manifest = PackManifest(
        name=root.text("name", _NAME),
        summary=root.text("summary"),
        licence=root.text("licence"),
        origin=origin,
        default=root.flag("default"),
        size=root.whole("size", at_least=1),
        url=root.text("url", re.compile(r"https://\S+\.zip\Z")) if origin == "pulled" else None,
        files=tuple(_file(entry, origin) for entry in root.tables("files")),
        detector=_detector(root.table("detector")),
        embedder=_embedder(root.table("embedder")),
        attributes_file=attributes.text("file", _FILE) if attributes else None,
        matching=_matching(root.table("matching"), beside),
    )
    population = manifest.matching.population
    if population is not None and len(population.mean) != manifest.embedder.dimension:
        root.refuse("matching.population", len(population.mean), f"{manifest.embedder.dimension} numbers per face")
    if attributes:
        attributes.done()
    root.done()
    names = [entry.name for entry in manifest.files]
    if len(set(names)) != len(names):
        root.refuse("files", names, "every name once")
    wanted = {"detector.file": manifest.detector.file, "embedder.file": manifest.embedder.file}
    if manifest.attributes_file:
        wanted["attributes.file"] = manifest.attributes_file
    for key, name in wanted.items():
        if name not in names:
            root.refuse(key, name, f"one of files: {', '.join(names)}")
    return manifest


def _file(table: _Table, origin: Origin) -> FileEntry:
    source = None
    if origin == "built":
        origin_table = table.table("source")
        source = SourceFile(
            package=origin_table.text("package", _NAME),
            distribution=origin_table.text("distribution", _FILE),
            path=origin_table.text("path", _PATH),
            sha256=origin_table.text("sha256", _SHA256),
            recipe=origin_table.choice("recipe", get_args(Recipe)),
        )
        origin_table.done()
    digest_field = {"built": "graph_sha256", "own": "sha256"}.get(origin)
    entry = FileEntry(
        name=table.text("name", _FILE),
        licence=table.text("licence"),
        digest=table.text(digest_field, _SHA256) if digest_field else None,
        source=source,
    )
    table.done()
    return entry


def _detector(table: _Table) -> DetectorSpec:
    spec = DetectorSpec(
        kind=table.choice("kind", get_args(DetectorKind)),
        file=table.text("file", _FILE),
        score_threshold=table.number("score_threshold", above=0, below=1),
        nms=table.number("nms", above=0, below=1),
        stride=table.whole("stride", at_least=1),
    )
    table.done()
    return spec


def _embedder(table: _Table) -> EmbedderSpec:
    size = table.whole("size", at_least=16)
    template = np.array(table.rows("template", length=5), np.float32)
    if template.min() < 0 or template.max() >= size:
        table.refuse("template", template.tolist(), f"pixels inside a chip of {size}x{size}")
    template.flags.writeable = False
    kind: EmbedderKind = table.choice("kind", get_args(EmbedderKind))
    scaled = kind == "facenet"
    spec = EmbedderSpec(
        kind=kind,
        file=table.text("file", _FILE),
        size=size,
        dimension=table.whole("dimension", at_least=1),
        template=template,
        mirror=table.flag("mirror"),
        shift=table.whole("shift", at_least=0, optional=0),
        mean=table.number("mean") if scaled else 0.0,
        scale=table.number("scale", above=0) if scaled else 1.0,
    )
    table.done()
    return spec


def _matching(table: _Table, beside: Traversable) -> MatchingSpec:
    fmr = tuple(table.rows("fmr", length=None))
    if not all(0 < rate < 1 and -1 <= similarity <= 1 for rate, similarity in fmr):
        table.refuse("fmr", fmr, "pairs of a rate between 0 and 1 and a similarity between -1 and 1")
    if not all(a[0] > b[0] and a[1] < b[1] for a, b in itertools.pairwise(fmr)):
        table.refuse("fmr", fmr, "falling rates with rising similarities")
    spec = MatchingSpec(
        metric=table.choice("metric", ("cosine",)),
        fmr=fmr,
        target_fpir=table.number("target_fpir", above=0, below=1),
        margin=table.number("margin", at_least=0, below=2),
        calibration_slope=table.number("calibration_slope", above=0),
        calibration_intercept=table.number("calibration_intercept"),
        same_face=table.number("same_face", above=-1, below=1),
        min_face=table.whole("min_face", at_least=1),
        population=_population(table.table("population", optional=True), beside),
    )
    table.done()
    return spec


def _population(table: _Table | None, beside: Traversable) -> Population | None:
    """Reads the numbers from a file beside the manifest."""
    if table is None:
        return None
    name = table.text("file", _FILE)
    path = beside.joinpath(name)
    if not path.is_file():
        table.refuse("file", name, "a file beside the manifest")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as numbers:
            mean, between = (np.asarray(numbers[key], np.float32) for key in ("mean", "between"))
            within = float(numbers["within"])
    except (ValueError, KeyError, TypeError, OSError, BadZipFile) as error:
        table.refuse("file", name, f"mean, between and within in a NumPy archive ({error})")
    if mean.ndim != 1 or between.shape != (len(mean), len(mean)) or not within > 0:
        table.refuse("file", name, "a mean (d,), a covariance (d, d) and a variance above 0")
    mean.flags.writeable = between.flags.writeable = False
    population = Population(
        mean,
        between,
        within,
        scale=table.number("scale", above=0),
        offset=table.number("offset"),
        limit=table.number("limit", at_least=0),
    )
    table.done()
    return population


class _Table:
    """One TOML table; it hands out its fields checked and then refuses those nobody asked for."""

    def __init__(self, values: Mapping[str, object], where: str, path: str) -> None:
        self._values = values
        self._where = where
        self._path = path
        self._read: set[str] = set()

    def refuse(self, key: str, value: object, expected: str) -> NoReturn:
        shown = "missing" if value is _MISSING else repr(value)
        raise ManifestInvalid(f"{self._where}: {self._path}{key} is {shown}, expected {expected}")

    def done(self) -> None:
        for key in self._values:
            if key not in self._read:
                raise ManifestInvalid(
                    f"{self._where}: {self._path}{key} is not a field; remove it or check its spelling"
                )

    def text(self, key: str, pattern: re.Pattern[str] = re.compile(r"\S.*\Z")) -> str:
        return str(self._take(key, lambda v: isinstance(v, str) and pattern.match(v), f"text like {pattern.pattern}"))

    def choice(self, key: str, choices: tuple[str, ...]) -> Any:
        return self._take(key, lambda v: v in choices, f"one of {', '.join(choices)}")

    def flag(self, key: str) -> bool:
        return bool(self._take(key, lambda v: isinstance(v, bool), "true or false"))

    def whole(self, key: str, at_least: int, optional: int | None = None) -> int:
        if optional is not None and key not in self._values:
            return optional
        return int(
            self._take(key, lambda v: type(v) is int and v >= at_least, f"a whole number of at least {at_least}")
        )

    def number(
        self,
        key: str,
        *,
        above: float = -math.inf,
        at_least: float = -math.inf,
        below: float = math.inf,
    ) -> float:
        limits = [
            f"{word} {limit:g}"
            for word, limit in (("above", above), ("at least", at_least), ("below", below))
            if math.isfinite(limit)
        ]
        return float(
            self._take(
                key,
                lambda v: _is_number(v) and above < v < below and v >= at_least,
                " ".join(["a number", " and ".join(limits)]).strip(),
            )
        )

    def rows(self, key: str, length: int | None) -> list[tuple[float, float]]:
        """A list of pairs of numbers, ``length`` of them or at least one."""

        def valid(value: object) -> bool:
            return (
                isinstance(value, list)
                and (len(value) == length if length else len(value) > 0)
                and all(isinstance(r, list) and len(r) == 2 and all(map(_is_number, r)) for r in value)
            )

        rows = self._take(key, valid, f"{length or 'one or more'} pairs of numbers")
        return [(float(a), float(b)) for a, b in rows]

    def table(self, key: str, optional: bool = False) -> Any:
        if optional and key not in self._values:
            return None
        values = self._take(key, lambda v: isinstance(v, dict), f"a table [{self._path}{key}]")
        return _Table(values, self._where, f"{self._path}{key}.")

    def tables(self, key: str) -> list[_Table]:
        values = self._take(
            key,
            lambda v: isinstance(v, list) and v and all(isinstance(i, dict) for i in v),
            f"one or more tables [[{self._path}{key}]]",
        )
        return [_Table(value, self._where, f"{self._path}{key}[{i}].") for i, value in enumerate(values)]

    def _take(self, key: str, valid: Callable[[Any], object], expected: str) -> Any:
        self._read.add(key)
        value = self._values.get(key, _MISSING)
        if value is _MISSING or not valid(value):
            self.refuse(key, value, expected)
        return value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
