"""Photos out of a ZIP, one after the other, never on the disk.

A ZIP of a few kilobytes may claim to hold terabytes, name files outside its folder or point elsewhere: what is read is
counted as it comes out, and names are used for nothing but the names of people.
"""

from __future__ import annotations

import contextlib
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO

from server.photos.decoding import FILE_BYTES, Unreadable

ARCHIVE_BYTES = 256 * 1024 * 1024  # of a ZIP sent to the server
TOTAL_BYTES = 4 * 1024 * 1024 * 1024  # of everything taken out of one ZIP
RATIO = 200  # how many times its size in the ZIP a file may have …
RATIO_FROM = 1024 * 1024  # … from so many bytes on: a small drawing packs well
_ENTRY = re.compile(rb"PK\x01\x02")  # one in the directory for each file
_UTF8 = 0x800
_ENCRYPTED = 0x1
_JUNK = frozenset({"thumbs.db", "desktop.ini", "people.json"})


class BadArchive(ValueError):
    """A ZIP that cannot be taken; the message says why."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a ZIP: its path, and its bytes or why it gives none."""

    path: str
    data: bytes | Unreadable


def is_archive(data: bytes) -> bool:
    """Whether these first bytes begin a ZIP, be it an empty one."""
    return data[:4] in (b"PK\x03\x04", b"PK\x05\x06")


def open_archive(file: IO[bytes], files: int) -> zipfile.ZipFile:
    """Open a ZIP of at most ``files`` entries. Raises :class:`BadArchive`."""
    # Counted before the directory is parsed, which takes far more memory than the file.
    file.seek(0)
    count, rest = 0, b""
    while chunk := file.read(1 << 20):
        chunk = rest + chunk
        count += len(_ENTRY.findall(chunk))
        rest = chunk[-3:]
        if count > 2 * files:  # folders are entries too
            raise BadArchive(f"The ZIP holds more than {files} files; make several of it.")
    try:
        return zipfile.ZipFile(file)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError):
        raise BadArchive("The ZIP is damaged or cut short.") from None


def paths(archive: zipfile.ZipFile) -> list[str]:
    """Where the files lie that :func:`members` gives, in its order."""
    return [path for path, _ in _entries(archive)]


def members(archive: zipfile.ZipFile) -> Iterator[Member]:
    """Every file but what systems leave behind by themselves. Raises :class:`BadArchive` when too much comes out."""
    total = 0
    for path, info in _entries(archive):
        try:
            data = _read(archive, info)
        except Unreadable as why:
            yield Member(path, why)
            continue
        total += len(data)
        if total > TOTAL_BYTES:
            raise BadArchive(f"The ZIP holds more than {TOTAL_BYTES // 2**30} GB.")
        yield Member(path, data)


def person_names(files: Sequence[str]) -> list[str]:
    """Whose photo each file is: its folder's name, or its own where it lies in no folder.

    A single folder around everything is no person if there are folders in it.
    """
    parts = [PurePosixPath(file.replace("\\", "/")).parts for file in files]
    if parts and all(len(p) > 1 and p[0] == parts[0][0] for p in parts) and any(len(p) > 2 for p in parts):
        parts = [p[1:] for p in parts]
    return [p[-2] if len(p) > 1 else PurePosixPath(p[-1]).stem if p else "" for p in parts]


def _entries(archive: zipfile.ZipFile) -> Iterator[tuple[str, zipfile.ZipInfo]]:
    for info in archive.infolist():
        path = _path(info)
        name = path.rpartition("/")[2]
        if info.is_dir() or name.startswith(".") or name.lower() in _JUNK or path.startswith("__MACOSX/"):
            continue
        yield path, info


def _path(info: zipfile.ZipInfo) -> str:
    name = info.filename
    if not info.flag_bits & _UTF8:
        # Macs write UTF-8 without saying so; other bytes hardly ever are UTF-8 by chance.
        with contextlib.suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return name.replace("\\", "/")


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    path = PurePosixPath(_path(info))
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        raise Unreadable("not_a_picture", "Its path leads out of the ZIP.")
    if stat.S_ISLNK(info.external_attr >> 16):
        raise Unreadable("not_a_picture", "This is a link to a file, not a file.")
    if info.flag_bits & _ENCRYPTED:
        raise Unreadable("not_a_picture", "The file is encrypted; make a ZIP without a password.")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Unreadable("not_a_picture", "The file is packed in an unusual way; make an ordinary ZIP.")
    if info.file_size > FILE_BYTES:
        raise Unreadable("too_large", f"The file has more than {FILE_BYTES // 2**20} MB.")
    if info.file_size > max(RATIO_FROM, RATIO * info.compress_size):
        raise Unreadable("too_large", "The file is packed more tightly than any photo.")
    try:
        with archive.open(info) as member:
            data = member.read(FILE_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError, ValueError):
        raise Unreadable("not_a_picture", "The file is damaged in the ZIP.") from None
    if is_archive(data):
        raise Unreadable("not_a_picture", "A ZIP inside a ZIP is not opened.")
    return data
