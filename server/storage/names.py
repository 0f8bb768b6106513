"""Names of people and rooms: what is one, and when two are the same."""

from __future__ import annotations

import re
import unicodedata

MAX_NAME = 80
MAX_ROOM = 40
_ROOM = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{MAX_ROOM - 1}}}", re.ASCII)
_APART = "\x1f"  # stands in no name


class BadName(ValueError):
    """A name that cannot be kept; the message says why."""


def clean_name(text: object) -> str:
    """Trim and normalise (NFC) a name; raises :class:`BadName` unless 1–80 characters without control characters
    remain."""
    if not isinstance(text, str):
        raise BadName("a name must be text")
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if not name:
        raise BadName("a name must not be empty")
    if len(name) > MAX_NAME:
        raise BadName(f"a name may have {MAX_NAME} characters, not {len(name)}")
    if any(unicodedata.category(c) in ("Cc", "Cs", "Co", "Cn") for c in name):
        raise BadName("a name must not contain control characters")
    return name


def clean_room(text: object) -> str | None:
    """The name of a room, or ``None`` for everyone; raises :class:`BadName` unless it has 1–40 letters,
    digits, dots, hyphens and underlines."""
    if text is None or text == "":
        return None
    if not isinstance(text, str) or not _ROOM.fullmatch(text):
        raise BadName(f"a room's name has 1 to {MAX_ROOM} letters, digits, '.', '_' and '-'")
    return text


def name_key(name: str) -> str:
    """What two spellings of one name have in common."""
    return unicodedata.normalize("NFKC", name).casefold()


def unique_key(name: str, room: str | None = None, removed: str | None = None) -> str:
    """What must be the only one in the store: a name in its room. Whoever is ``removed`` (their id) blocks nobody."""
    return _APART.join([name_key(name), *([room] if room else []), *(["", removed] if removed else [])])
