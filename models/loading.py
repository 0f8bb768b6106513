"""From a pack's name to models that are ready to run: ensure, verify, pull, load."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import platformdirs

from models.errors import ModelError, PackDamaged, PackNotInstalled
from models.insightface_zoo import load_zoo_models
from models.lockfile import FileStatus, inspect, looks_installed, names, read_lock, unwritable
from models.manifest import OWN_MANIFEST, PackManifest, pull_command
from models.manifest_reader import load_manifest
from models.pull import pull
from models.sessions import ProviderSetting, choose_providers, create_session, providers_in_use

Progress = Callable[[str], None]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pack:
    """Models that are ready to run.

    Of a CenterFace pack, ``detector`` and ``embedder`` are ONNX Runtime sessions (inputs and outputs:
    :mod:`models.centerface`, :mod:`models.dlib_graph`; of an embedder of kind ``facenet`` scaled RGB, channels last or
    first); of an InsightFace pack, InsightFace's ``SCRFD`` and ``ArcFaceONNX`` objects, and ``attributes`` its
    ``Attribute`` object if the pack has one. ``providers`` is what they really run on.
    """

    manifest: PackManifest
    detector: Any
    embedder: Any
    attributes: Any | None
    providers: tuple[str, ...]


def default_cache_dir() -> Path:
    """Where packs are kept unless told otherwise: ``visavis/models`` in the user's cache folder."""
    return platformdirs.user_cache_path("visavis", appauthor=False) / "models"


def is_installed(name: str, cache_dir: Path) -> bool:
    """A quick look whether the pack's files are in place; :func:`verify_pack` reads them."""
    return looks_installed(load_manifest(name, cache_dir), cache_dir / name)


def ensure_pack(name: str, cache_dir: Path, progress: Progress) -> Path:
    """Make sure that every file of the pack is in place and unchanged; returns their folder.

    A built pack's missing or damaged files are built, with a line each. Of a pulled pack nothing is fetched unasked,
    and an own pack is its owner's: raises :class:`PackNotInstalled` or :class:`PackDamaged`, saying what to do.
    """
    manifest, folder = load_manifest(name, cache_dir), cache_dir / name
    wrong = [status for status in _inspect(manifest, folder) if status.state != "ok"]
    if not wrong:
        return folder
    if manifest.origin == "built":
        from models.build import build_files  # here, as onnx takes a while to import and is only needed to build

        if damaged := [status for status in wrong if status.state == "damaged"]:
            progress(f"Damaged, building again: {names(damaged)}")
        build_files([manifest.file(status.name) for status in wrong], folder, progress)
        progress(f"Pack {name} is ready in {folder}")
        return folder
    if manifest.origin == "own":
        raise PackDamaged(
            f"pack {name!r} in {folder} is not whole: {names(wrong)}; "
            f"put the file back, or write its SHA-256 into {OWN_MANIFEST} if you changed it"
        )
    if not read_lock(folder):
        raise PackNotInstalled(f"pack {name!r} is not installed; get it with: {pull_command(name)}")
    raise PackDamaged(f"pack {name!r} is damaged: {names(wrong)}; fetch it again with: {pull_command(name)}")


def verify_pack(name: str, cache_dir: Path) -> list[FileStatus]:
    """Read every file of the pack. Of a built pack the models inside are compared with the manifest as well."""
    manifest, folder = load_manifest(name, cache_dir), cache_dir / name
    return [_look_inside(manifest, folder, status) for status in _inspect(manifest, folder)]


def pull_pack(name: str, cache_dir: Path, accept_license: bool, progress: Progress) -> Path:
    """Fetch a pack that is not built here; see :func:`models.pull.pull`. Returns its folder."""
    manifest = load_manifest(name, cache_dir)
    if manifest.origin == "built":
        raise ModelError(f"pack {name!r} is not fetched but built here: visavis models build {name}")
    if manifest.origin == "own":
        raise ModelError(f"pack {name!r} is your own: it is not fetched, its files belong into {cache_dir / name}")
    return pull(manifest, cache_dir, accept_license, progress)


def load_pack(name: str, cache_dir: Path, provider: ProviderSetting = "auto", progress: Progress = _log.info) -> Pack:
    """Make the pack's models ready to run, building what is missing; says what they run on.

    Raises whatever :func:`choose_providers` and :func:`ensure_pack` raise, and :class:`PackDamaged` for models that
    cannot be loaded. The returned manifest has the digests of all files, those of a pulled pack too.
    """
    asked = choose_providers(provider)
    folder = ensure_pack(name, cache_dir, progress)
    manifest = _with_digests(load_manifest(name, cache_dir), folder)
    if manifest.detector.kind == "scrfd":
        zoo = load_zoo_models(manifest, folder, asked)
        detector, embedder, attributes = zoo.detector, zoo.embedder, zoo.attributes
        sessions = [model.session for model in (detector, embedder, attributes) if model is not None]
    else:
        detector = create_session(folder / manifest.detector.file, asked)
        embedder = create_session(folder / manifest.embedder.file, asked)
        attributes, sessions = None, [detector, embedder]
        if manifest.embedder.kind == "facenet":
            _check_facenet(embedder, manifest)
    in_use = providers_in_use(provider, asked, sessions)
    if in_use != asked:
        progress(f"{asked[0]} did not start")
    progress(f"Pack {name} runs on {in_use[0]}")
    return Pack(manifest, detector, embedder, attributes, in_use)


def _inspect(manifest: PackManifest, folder: Path) -> list[FileStatus]:
    try:
        return inspect(manifest, folder)
    except OSError as error:
        raise unwritable(folder, error) from None


def _look_inside(manifest: PackManifest, folder: Path, status: FileStatus) -> FileStatus:
    if manifest.origin != "built" or status.state != "ok":
        return status
    from models.graph_digest import file_graph_digest  # here for the same reason as in ensure_pack

    found = file_graph_digest(folder / status.name)
    if found == manifest.file(status.name).digest:
        return status
    return replace(status, state="damaged", detail=f"holds another model, graph digest {found[:12]}…")


def _check_facenet(session: Any, manifest: PackManifest) -> None:
    """That somebody's own network takes and gives what its manifest says."""
    spec = manifest.embedder
    taken, given = session.get_inputs()[0].shape, session.get_outputs()[0].shape
    sides = [spec.size, spec.size]
    if not (_allows(taken, [*sides, 3]) or _allows(taken, [3, *sides])) or not _allows(given, [spec.dimension]):
        raise PackDamaged(
            f"{spec.file} of pack {manifest.name!r} takes {taken} and gives {given}; its manifest says "
            f"(batch, {spec.size}, {spec.size}, 3) or (batch, 3, {spec.size}, {spec.size}), (batch, {spec.dimension})"
        )


def _allows(shape: list[Any], wanted: list[int]) -> bool:
    """Whether a network's shape (batch, …) allows ``wanted``; what is no number is a free dimension."""
    return len(shape) == len(wanted) + 1 and all(
        not isinstance(size, int) or size == want for size, want in zip(shape[1:], wanted, strict=True)
    )


def _with_digests(manifest: PackManifest, folder: Path) -> PackManifest:
    if manifest.origin != "pulled":
        return manifest
    lock = read_lock(folder)
    return replace(manifest, files=tuple(replace(entry, digest=lock[entry.name].digest) for entry in manifest.files))
