"""Forgetting without the rest of a server: for tests of people alone."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from server.audit import AuditLog, SigningKey
from server.people import People
from server.people.forgetting import Forgetting
from tests.packs import open_models


@contextlib.asynccontextmanager
async def forgetting_for(people: People, folder: Path) -> AsyncIterator[Forgetting]:
    """Of people who are held nowhere else."""
    key = SigningKey.open(folder)
    audit = await AuditLog.open(people, key, 730)
    try:
        yield Forgetting(people, lambda: open_models().matcher, key, audit)
    finally:
        await audit.close()
