"""Whose an id is: where there are several nodes, what lives on one of them bears its tag, as in ``3f09ac~hJ5…``.

A request for it is then known by its address alone, whichever node it comes to.
"""

from __future__ import annotations

import re
import secrets
from uuid import uuid4

MARK = "~"
TAG = re.compile(r"[0-9a-f]{6}", re.ASCII)
PLAIN_ID = "(?:[0-9a-f]{6}~)?[0-9a-f]{32}"
"""What :func:`plain_id` makes, for routes."""


def new_tag() -> str:
    """For a node that has none."""
    return secrets.token_hex(3)


def tag_in(id: str) -> str | None:
    """The tag that an id bears."""
    tag, mark, rest = id.partition(MARK)
    return tag if mark and rest and TAG.fullmatch(tag) else None


def tagged(tag: str, id: str) -> str:
    """An id with a node's tag; without one where there is one node (``tag`` is empty)."""
    return f"{tag}{MARK}{id}" if tag else id


def like(other: str, id: str) -> str:
    """An id of the same node as ``other``."""
    return tagged(tag_in(other) or "", id)


def secret_id(tag: str = "") -> str:
    """For what opens to whoever knows it: 128 random bits."""
    return tagged(tag, secrets.token_urlsafe(16))


def plain_id(tag: str = "") -> str:
    """For what is found by it and no more."""
    return tagged(tag, uuid4().hex)
