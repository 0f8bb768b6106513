"""How one video is sealed with a key of its own: the film, what was found in it, its pictures and where it stands."""

from __future__ import annotations

import base64
import json
import os
import shutil
from pathlib import Path
from typing import IO, Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server.private_files import write_private
from server.vault import Vault
from server.vault.seal import ID_BYTES, KEY_BYTES, about, keys_of, seal, unseal
from server.vault.sealed_file import SealedReader, SealedWriter, is_sealed

OLD_STATE, OLD_FILM = "video.json", "video"
OLD_CHUNK = 1 << 20


class VideoSeal:
    """The key of a video. ``id`` is the key's in the keyring, ``video`` what everything is bound to."""

    def __init__(self, id: bytes, raw: bytes, video: str) -> None:
        self.id, self.video = id, video
        self._raw = raw
        self._cipher = AESGCM(raw)

    @classmethod
    def passing(cls) -> VideoSeal:
        """A key that is kept nowhere, for what is gone when this process ends."""
        return cls(bytes(ID_BYTES), os.urandom(KEY_BYTES), "")

    @classmethod
    def of(cls, words: dict[str, Any]) -> VideoSeal:
        """As another process of ours was told by :meth:`words`."""
        return cls(base64.b64decode(words["id"]), base64.b64decode(words["key"]), words["video"])

    def words(self) -> dict[str, str]:
        """What lets another process of ours seal and open; never to be an argument of it."""
        id, key = (base64.b64encode(part).decode() for part in (self.id, self._raw))
        return {"id": id, "key": key, "video": self.video}

    def seal(self, data: bytes, *what: str) -> bytes:
        """Seal a part; ``what`` says which."""
        return seal(self._cipher, self.id, data, about("video", self.video, *what))

    def open(self, blob: bytes, *what: str) -> bytes:
        """Open it. Raises :class:`server.vault.SealError`."""
        return unseal(self._cipher, blob, about("video", self.video, *what))

    def writer(self, file: IO[bytes]) -> SealedWriter:
        """Write the film."""
        return SealedWriter(file, self._cipher, self.id, about("video", self.video, "film"))

    def reader(self, path: Path) -> SealedReader:
        """The film, as it was sent. Raises ``OSError`` and :class:`server.vault.SealError`."""
        return SealedReader(path, self._cipher, about("video", self.video, "film"))

    def source(self, path: Path) -> Path | SealedReader:
        """What a film is read from, sealed or not. Raises as :meth:`reader` does."""
        return self.reader(path) if is_sealed(path) else path


def new_seal(vault: Vault, video: str) -> VideoSeal:
    """For a video that comes. Blocks."""
    return VideoSeal(*vault.keep_key("video"), video)


def found_seal(vault: Vault, blob: bytes, video: str) -> VideoSeal:
    """That of a video which is there, as something of it tells. Raises :class:`server.vault.SealError`."""
    (id,) = keys_of(blob)
    return VideoSeal(id, vault.raw(id), video)


def seal_older(vault: Vault, folder: Path, film: str, state: str) -> None:
    """Seal what a version before sealing left; it is looked through anew. Interrupted, it is begun anew. Raises
    ``OSError`` and ``ValueError``."""
    told, plain = folder / OLD_STATE, folder / OLD_FILM
    if not told.exists():
        return
    if plain.exists():
        video = json.loads(told.read_text("utf-8"))
        seal = new_seal(vault, folder.name)
        with plain.open("rb") as source, (folder / film).open("wb") as target, seal.writer(target) as sealed:
            while data := source.read(OLD_CHUNK):
                sealed.write(data)
        known = {**video, "state": "failed" if video["state"] == "failed" else "waiting", "attempts": 0}
        write_private(folder / state, seal.seal(json.dumps(known).encode(), state))
        plain.unlink()
    shutil.rmtree(folder / "result", ignore_errors=True)
    told.unlink()
