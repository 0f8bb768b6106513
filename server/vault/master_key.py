"""The master key: 32 bytes from the settings, a command's output, or a file that only its owner may read."""

from __future__ import annotations

import base64
import binascii
import os
import shlex
import stat
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from server.private_files import write_private, write_private_once
from server.settings import Settings
from server.vault.errors import VaultError
from server.vault.seal import KEY_BYTES

FILE = "master-key"
COMMAND_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class MasterSource:
    """Where the master key comes from, the first that is set: ``value`` (base64), ``command``, ``file``; else the file
    in the data folder."""

    value: str = field(default="", repr=False)
    command: str = ""
    file: Path | None = None

    @classmethod
    def of(cls, settings: Settings) -> MasterSource:
        """As the settings say."""
        return cls(settings.master_key, settings.master_key_command, settings.master_key_file)

    @property
    def is_file(self) -> bool:
        """Whether it is kept in a file, which this program may write."""
        return not self.value and not self.command

    @property
    def words(self) -> str:
        """Where to look for it, for messages."""
        return "the setting master_key" if self.value else "the command of master_key_command"

    def path(self, folder: Path) -> Path:
        """The file it is kept in."""
        return self.file or folder / FILE


def read_master_key(source: MasterSource, folder: Path, make: bool) -> bytes:
    """The key; with ``make`` a file that is not there yet is made. Raises :class:`VaultError`."""
    if source.value:
        return decode_key(source.value, "the setting master_key")
    if source.command:
        return decode_key(_ask(source.command), "the output of master_key_command")
    path = source.path(folder)
    if make and not path.exists():
        write_private_once(path, encode_key(new_master_key()))
    return read_key_file(path)


def read_key_file(path: Path) -> bytes:
    """The key in a file, which nobody but its owner may read. Raises :class:`VaultError`."""
    try:
        mode = path.stat().st_mode
        if os.name != "nt" and stat.S_IMODE(mode) & 0o077:
            raise VaultError(f"{path}: others on this computer may read the master key; run: chmod 600 {path}")
        text = path.read_bytes()
    except FileNotFoundError:
        raise VaultError(
            f"{path}: the master key is missing; put back your copy of it, or say where it is with the setting "
            "master_key, master_key_command or master_key_file"
        ) from None
    except OSError as error:
        raise VaultError(f"{path}: the master key cannot be read ({error.strerror})") from None
    return decode_key(text, str(path))


def write_key_file(path: Path, key: bytes) -> None:
    """Keep a key in a file of the owner alone. Raises :class:`server.settings.StartError`."""
    write_private(path, encode_key(key))


def new_master_key() -> bytes:
    """A random one."""
    return os.urandom(KEY_BYTES)


def encode_key(key: bytes) -> bytes:
    """As it stands in a file or a variable: base64 and a line break."""
    return base64.b64encode(key) + b"\n"


def decode_key(text: str | bytes, origin: str) -> bytes:
    """What :func:`encode_key` wrote. Raises :class:`VaultError`, which never shows the text."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise VaultError(f"{origin}: a master key is {KEY_BYTES} bytes in base64, as `openssl rand -base64 32` gives")
    return key


def _ask(command: str) -> bytes:
    """What a command says, run without a shell."""
    try:
        words = shlex.split(command)
        if not words:
            raise ValueError("it is empty")
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=COMMAND_SECONDS)
    except subprocess.TimeoutExpired:
        raise VaultError(f"master_key_command did not answer within {COMMAND_SECONDS:g} seconds") from None
    except ValueError as error:
        raise VaultError(f"master_key_command cannot be read: {error}") from None
    except OSError as error:
        raise VaultError(f"master_key_command cannot be run: {error.strerror}") from None
    if done.returncode:
        raise VaultError(f"master_key_command ended with code {done.returncode} instead of giving the key")
    return done.stdout
