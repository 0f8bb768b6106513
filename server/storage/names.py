"""Names of people: what is one, and when two are the same."""

from __future__ import annotations

import unicodedata

MAX_NAME = 80


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


def name_key(name: str) -> str:
    """What two spellings of one name have in common."""
    return unicodedata.normalize("NFKC", name).casefold()
