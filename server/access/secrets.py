"""What opens: random text that is shown once, and its hash, which is kept."""

from __future__ import annotations

import hashlib
import secrets


def new_id() -> str:
    """Of something that is kept; it opens nothing."""
    return secrets.token_hex(4)


def new_secret() -> str:
    """256 random bits, for URLs and cookies."""
    return secrets.token_urlsafe(32)


def hash_of(secret: str) -> str:
    """SHA-256: enough for what is as random as :func:`new_secret`, and never for a password."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
