"""Builds the files of a pack from files that installed Python packages carry.

Each source is checked against its SHA-256 and each result against its graph digest (:mod:`models.graph_digest`),
both in the manifest. The packages are found, not imported: all that is wanted of them is one file.

Two processes may build at once: each writes a temporary file of its own and moves it into place, and both write the
same model. Should their ``onnx`` versions write different bytes, the lock file of one may end up beside the model
of the other; the next load notices and builds again.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path

import onnx

from models.centerface import free_dimensions
from models.dlib_graph import build_graph
from models.dlib_reader import read_network
from models.errors import ModelError, PackDamaged, PackNotInstalled
from models.graph_digest import graph_digest
from models.lockfile import LockedFile, read_lock, unwritable, write_atomically, write_lock
from models.manifest import FileEntry, Recipe, SourceFile

_RECIPES: Mapping[Recipe, Callable[[bytes], onnx.ModelProto]] = {
    "centerface": free_dimensions,
    "dlib_resnet": lambda data: build_graph(read_network(data)),
}


def build_files(entries: list[FileEntry], folder: Path, progress: Callable[[str], None]) -> None:
    """Build ``entries`` into ``folder`` and record them, leaving other files as they are.

    Raises :class:`PackNotInstalled` if a source is absent, :class:`PackDamaged` if a source or a result is not the
    known one, :class:`ModelError` if the folder cannot be written.
    """
    for entry in entries:
        data = _build(entry, progress)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(folder / entry.name, data)
            locked = LockedFile(len(data), hashlib.sha256(data).hexdigest(), str(entry.digest))
            write_lock(folder, read_lock(folder) | {entry.name: locked})
        except OSError as error:
            raise unwritable(folder, error) from None


def find_source(source: SourceFile) -> Path:
    """Where the source file is on this machine. Raises :class:`PackNotInstalled`."""
    spec = importlib.util.find_spec(source.package)
    for place in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(place) / source.path
        if path.is_file():
            return path
    raise PackNotInstalled(
        f"{source.path} of the Python package {source.distribution} is not here; "
        f"install it with: pip install --force-reinstall {source.distribution}"
    )


def _build(entry: FileEntry, progress: Callable[[str], None]) -> bytes:
    source = entry.source
    if source is None:
        raise ModelError(f"{entry.name} is not built from an installed package")
    progress(f"Building {entry.name} from {source.distribution} ({entry.licence})")
    data = find_source(source).read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != source.sha256:
        raise PackDamaged(
            f"{source.path} of {source.distribution} has SHA-256 {found[:12]}…, expected {source.sha256[:12]}…; "
            f"restore it with: pip install --force-reinstall {source.distribution}"
        )
    model = _RECIPES[source.recipe](data)
    digest = graph_digest(model)
    if digest != entry.digest:
        raise PackDamaged(
            f"{entry.name} came out with graph digest {digest[:12]}…, expected {str(entry.digest)[:12]}…; "
            f"onnx {onnx.__version__} builds it differently, install another version of onnx"
        )
    return bytes(model.SerializeToString(deterministic=True))
