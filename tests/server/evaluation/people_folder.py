"""A small folder of six people, cut out of a real photo."""

from __future__ import annotations

from pathlib import Path

from tests.server.photos import varied


def write_people(root: Path, people: int = 6, shots: int = 3) -> dict[str, list[str]]:
    """PERSON/SHOT.jpg below ``root``; returns the paths by person."""
    written: dict[str, list[str]] = {}
    for person in range(people):
        for shot in range(shots):
            path = f"P{person}/{shot}.jpg"
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(varied(person, shot))
            written.setdefault(f"P{person}", []).append(path)
    return written
