"""Ids in portions that one question to SQLite may hold."""

from __future__ import annotations

from collections.abc import Collection

CHUNK = 500  # SQLite allows more, but not without end


def chunks(ids: Collection[str]) -> list[list[str]]:
    """Ids in such portions."""
    all_ids = list(ids)
    return [all_ids[start : start + CHUNK] for start in range(0, len(all_ids), CHUNK)]
