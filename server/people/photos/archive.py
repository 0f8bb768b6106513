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
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import IO

from server.media.decoding import FILE_BYTES, Unreadable

ARCHIVE_BYTES = 256 * 1024 * 1024  # of a ZIP sent to the server
TOTAL_BYTES = 4 * 1024 * 1024 * 1024  # of everything taken out of one ZIP
RATIO = 200  # how many times its size in the ZIP a file may have …
RATIO_FROM = 1024 * 1024  # … from so many bytes on: a small drawing packs well
_ENTRY = re.compile(rb"PK\x01\x02")  # one in the directory for each file
_UTF8 = 0x800
_ENCRYPTED = 0x1
JUNK = frozenset({"thumbs.db", "desktop.ini", "people.json"})


class BadArchive(ValueError):
    """A ZIP that cannot be taken; the message says why."""


def is_archive(data: bytes) -> bool:
    """Whether these first bytes begin a ZIP, be it an empty one."""
    return data[:4] in (b"PK\x03\x04", b"PK\x05\x06")


class PhotoArchive:
    """The files of a ZIP but what systems leave behind by themselves; ``paths`` says where they lie.

    Raises :class:`BadArchive` for more than ``files`` entries, and for what is no ZIP.
    """

    def __init__(self, file: IO[bytes], files: int) -> None:
        _require_few_entries(file, files)
        try:
            self._archive = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError):
            raise BadArchive("The ZIP is damaged or cut short.") from None
        self._members = [info for info in self._archive.infolist() if not _is_junk(info)]
        self._total = 0
        self.paths = [_path(info) for info in self._members]
        if not self.paths:
            raise BadArchive("The ZIP is empty.")
        if len(self.paths) > files:
            raise BadArchive(f"The ZIP holds more than {files} files; make several of it.")

    def read(self, index: int) -> bytes | Unreadable:
        """The bytes of a file, or why it gives none. Raises :class:`BadArchive` when too much has come out."""
        try:
            data = _read(self._archive, self._members[index])
        except Unreadable as why:
            return why
        self._total += len(data)
        if self._total > TOTAL_BYTES:
            raise BadArchive(f"The ZIP holds more than {TOTAL_BYTES // 2**30} GB.")
        return data


def person_names(files: Sequence[str], name: str | None = None) -> list[str]:
    """Whose photo each file is: its folder's name, or its own where it lies in no folder.

    A single folder around everything is no person if there are folders in it. ``name`` is that of all who lie in no
    folder, and of everybody where one folder holds all.
    """
    parts = [PurePosixPath(file.replace("\\", "/")).parts for file in files]
    if parts and all(len(p) > 1 and p[0] == parts[0][0] for p in parts) and any(len(p) > 2 for p in parts):
        parts = [p[1:] for p in parts]
    if name is not None and len({p[:-1] for p in parts}) < 2:
        return [name] * len(parts)
    return [p[-2] if len(p) > 1 else name or (PurePosixPath(p[-1]).stem if p else "") for p in parts]


def _require_few_entries(file: IO[bytes], files: int) -> None:
    # Counted before the directory is parsed, which takes far more memory than the file.
    file.seek(0)
    count, rest = 0, b""
    while chunk := file.read(1 << 20):
        chunk = rest + chunk
        count += len(_ENTRY.findall(chunk))
        rest = chunk[-3:]
        if count > 2 * files + 100:  # folders are entries too
            raise BadArchive(f"The ZIP holds more than {files} files; make several of it.")


def _is_junk(info: zipfile.ZipInfo) -> bool:
    path = _path(info)
    name = path.rpartition("/")[2]
    return info.is_dir() or name.startswith(".") or name.lower() in JUNK or path.startswith("__MACOSX/")


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
