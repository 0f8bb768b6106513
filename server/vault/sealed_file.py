"""Large files, sealed in pieces, so that any part of one can be read without the rest.

``magic (8) | key id (16)``, then pieces of 64 KiB, each ``nonce (12) | ciphertext | tag (16)``. What a piece is bound
to: the file, its place, and whether it is the last. So no piece can be changed, moved or left off.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import IO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server.vault.errors import SealError
from server.vault.seal import BROKEN, ID_BYTES, NONCE_BYTES, TAG_BYTES

MAGIC = b"VISAVIS\x01"
HEAD = len(MAGIC) + ID_BYTES
PIECE = 1 << 16
PACKED = NONCE_BYTES + PIECE + TAG_BYTES


def is_sealed(path: Path) -> bool:
    """Whether a file begins as one that is sealed. Raises ``OSError``."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


class SealedWriter:
    """Writes a file from its beginning to its end; :meth:`close` writes the last piece. Use it as a context."""

    def __init__(self, file: IO[bytes], cipher: AESGCM, key: bytes, about: bytes) -> None:
        self._file, self._cipher, self._about = file, cipher, about
        self._rest = bytearray()
        self._index = 0
        file.write(MAGIC + key)

    def __enter__(self) -> SealedWriter:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            self.close()

    def write(self, data: bytes) -> None:
        """Add to the file. Raises ``OSError``."""
        self._rest += data
        while len(self._rest) > PIECE:  # the last piece is never empty unless the file is
            self._piece(bytes(self._rest[:PIECE]), last=False)
            del self._rest[:PIECE]

    def close(self) -> None:
        """Write the last piece. Raises ``OSError``."""
        self._piece(bytes(self._rest), last=True)
        self._file.flush()
        os.fsync(self._file.fileno())

    def _piece(self, data: bytes, last: bool) -> None:
        nonce = os.urandom(NONCE_BYTES)
        self._file.write(nonce + self._cipher.encrypt(nonce, data, _bound(self._about, self._index, last)))
        self._index += 1


class SealedReader(io.RawIOBase):
    """A sealed file as the one that was sealed. Reading raises :class:`SealError` and ``OSError``."""

    def __init__(self, path: Path, cipher: AESGCM, about: bytes) -> None:
        self._file = path.open("rb")
        self._cipher, self._about = cipher, about
        packed = path.stat().st_size - HEAD
        self._pieces = -(-packed // PACKED)
        self.size = packed - self._pieces * (NONCE_BYTES + TAG_BYTES)
        self._place = 0
        self._held: tuple[int, bytes] = (-1, b"")
        if self._file.read(len(MAGIC)) != MAGIC or self.size < 0 or not self._pieces:
            self._file.close()
            raise SealError(BROKEN)

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Where the next byte comes from."""
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go somewhere else."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self.size}[whence]
        self._place = max(0, base + offset)
        return self._place

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill a buffer as far as one piece goes."""
        if self._place >= self.size:
            return 0
        index, start = divmod(self._place, PIECE)
        data = self._piece(index)[start : start + len(buffer)]
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
        super().close()

    def _piece(self, index: int) -> bytes:
        if self._held[0] != index:
            self._file.seek(HEAD + index * PACKED)
            blob = self._file.read(PACKED)
            bound = _bound(self._about, index, index == self._pieces - 1)
            try:
                self._held = (index, self._cipher.decrypt(blob[:NONCE_BYTES], blob[NONCE_BYTES:], bound))
            except (InvalidTag, ValueError):
                raise SealError(BROKEN) from None
        return self._held[1]


def _bound(about: bytes, index: int, last: bool) -> bytes:
    return about + b"\x1f" + index.to_bytes(8, "big") + bytes([last])
