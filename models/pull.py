"""Fetches a pack that may not be shipped.

What the project that publishes a pack has there may change, and it publishes no digests, so none can stand in a
manifest. Instead the files are loaded once after fetching, and the SHA-256 of each is then recorded beside them
(:mod:`models.lockfile`) and checked at every load from then on. The connection is HTTPS; beyond that the first
fetch is taken on trust.
"""

from __future__ import annotations

import http.client
import os
import shutil
import tempfile
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from models.errors import DownloadFailed, LicenseNotAccepted
from models.insightface_zoo import load_zoo_models
from models.lockfile import LockedFile, file_sha256, inspect, read_lock, unwritable, write_lock
from models.manifest import PackManifest, pull_command

_TIMEOUT = 30.0  # seconds without a byte
_CHUNK = 1 << 20


def pull(manifest: PackManifest, cache_dir: Path, accept_license: bool, progress: Callable[[str], None]) -> Path:
    """Put the pack's files in place and record them; returns their folder.

    Files somebody put there by hand are recorded instead of fetched, so a machine without internet can have them
    too. Raises :class:`LicenseNotAccepted`, :class:`DownloadFailed`, :class:`PackDamaged`, or :class:`ModelError`
    if the folder cannot be written; what was in place before is then still there, and nothing else.
    """
    folder = cache_dir / manifest.name
    if not accept_license:
        raise LicenseNotAccepted(
            f"pack {manifest.name!r} comes under this licence: {manifest.licence}. "
            f"If that covers your use: {pull_command(manifest.name)}"
        )
    progress(f"Licence of {manifest.name}, accepted: {manifest.licence}")
    try:
        statuses = inspect(manifest, folder)
        if all(status.state == "ok" for status in statuses):
            progress(f"{manifest.name} is in place already: {folder}")
        elif not read_lock(folder) and not any(status.state == "missing" for status in statuses):
            progress(f"Recording the files put into {folder} by hand; remove them to fetch {manifest.name} instead")
            _record(manifest, folder, folder)
        else:
            _fetch(manifest, folder, progress)
    except OSError as error:
        raise unwritable(cache_dir, error) from None
    return folder


def _fetch(manifest: PackManifest, folder: Path, progress: Callable[[str], None]) -> None:
    progress(f"Fetching {manifest.url} (about {manifest.size // 1_000_000} MB)")
    # Connected before anything is made on disk: offline leaves no trace.
    with _connect(manifest, folder) as response:
        folder.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{manifest.name}.", suffix=".part", dir=folder.parent))
        try:
            archive = staging / "pack.zip"
            _receive(manifest, response, archive, progress)
            _unpack(manifest, archive, staging)
            archive.unlink()
            progress(f"Checking that {manifest.name} loads")
            _record(manifest, staging, folder)
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def _connect(manifest: PackManifest, folder: Path) -> http.client.HTTPResponse:
    try:
        response: http.client.HTTPResponse = urllib.request.urlopen(str(manifest.url), timeout=_TIMEOUT)
        return response
    except urllib.error.HTTPError as error:
        with error:
            what = f"{manifest.url} answered {error.code} {error.reason}: try again later"
    except (OSError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        what = f"cannot reach {str(manifest.url).split('/')[2]} ({reason}): is this machine offline? Try again"
    wanted = ", ".join(entry.name for entry in manifest.files)
    raise DownloadFailed(f"{what}, or put {wanted} into {folder} by hand and run the same command")


def _receive(
    manifest: PackManifest, response: http.client.HTTPResponse, archive: Path, progress: Callable[[str], None]
) -> None:
    length = response.length
    received = shown = 0
    with archive.open("xb") as file:
        while chunk := _read(manifest, response):
            file.write(chunk)
            received += len(chunk)
            if length and received * 10 // length > shown:
                shown = received * 10 // length
                progress(f"Fetched {shown * 10} %")
    if length and received < length:
        raise DownloadFailed(f"{manifest.url} broke off {length - received} bytes before the end; try again")


def _read(manifest: PackManifest, response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read(_CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise DownloadFailed(f"{manifest.url} broke off ({error}); try again") from None


def _unpack(manifest: PackManifest, archive: Path, staging: Path) -> None:
    """Take the manifest's files out, wherever in the archive they are: some packs have a folder, some do not."""
    try:
        with zipfile.ZipFile(archive) as content:
            members = {Path(member.filename).name: member for member in content.infolist()}
            for entry in manifest.files:
                if entry.name not in members:
                    raise DownloadFailed(f"{manifest.url} has no {entry.name} in it: the pack has changed upstream")
                with content.open(members[entry.name]) as source, (staging / entry.name).open("xb") as target:
                    shutil.copyfileobj(source, target, _CHUNK)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError):  # what a broken archive can end in
        raise DownloadFailed(f"what came from {manifest.url} is not a whole zip archive; try again") from None


def _record(manifest: PackManifest, source: Path, folder: Path) -> None:
    """Load the files once, move them to ``folder`` and write down what they are."""
    load_zoo_models(manifest, source, ("CPUExecutionProvider",))
    folder.mkdir(parents=True, exist_ok=True)
    locked = {}
    for entry in manifest.files:
        path = folder / entry.name
        if source != folder:
            os.replace(source / entry.name, path)  # noqa: PTH105 - the one call that is atomic on every system
        digest = file_sha256(path)
        locked[entry.name] = LockedFile(path.stat().st_size, digest, digest)
    write_lock(folder, locked)
