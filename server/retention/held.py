"""How much is held of each kind: counted in the store, in the data folder, and by who holds something in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from server.people import People
from server.retention.kinds import KINDS, Kind
from server.settings import Settings
from server.storage import METADATA, PeopleStore

NUMBER = 8  # bytes that a number or a time takes, about


@dataclass(frozen=True, slots=True)
class Held:
    """How many, how many bytes, and since when the oldest (ISO 8601); ``None`` where that cannot be said."""

    count: int | None = None
    bytes: int | None = None
    oldest: str | None = None


Counting = Callable[[], Awaitable[Held]]


class Retention:
    """What is held today. ``elsewhere`` counts what does not lie in tables, by kind."""

    def __init__(self, people: People, settings: Settings, elsewhere: Mapping[str, Counting]) -> None:
        if unknown := elsewhere.keys() - {kind.id for kind in KINDS}:
            raise ValueError(f"there is no kind {sorted(unknown)[0]!r}: server/retention/kinds.py lists them")
        self._people = people
        self._settings = settings
        self._elsewhere = elsewhere

    async def today(self) -> list[dict[str, Any]]:
        """Every kind, as it is held now."""
        return [self._body(kind, await self._held(kind)) for kind in KINDS]

    async def _held(self, kind: Kind) -> Held:
        if kind.id in self._elsewhere:
            return await self._elsewhere[kind.id]()
        if kind.tables:
            return await self._people.run(lambda store: counted(store, kind))
        if kind.files:
            paths = [self._settings.data_dir / name for name in kind.files]
            return await asyncio.to_thread(lambda: in_files(paths))
        return Held()

    def _body(self, kind: Kind, held: Held) -> dict[str, Any]:
        setting = kind.setting
        return {
            "id": kind.id,
            "count": held.count,
            "bytes": held.bytes,
            "oldest": held.oldest,
            "rule": kind.rule,
            "amount": kind.amount if setting is None else float(getattr(self._settings, setting)),
            "setting": setting,
            "switch": kind.switch,
            "on": True if kind.switch is None else bool(getattr(self._settings, kind.switch)),
            "page": kind.page,
        }


def counted(store: PeopleStore, kind: Kind) -> Held:
    """What lies in the tables of a kind. Blocks."""
    size = 0
    count, oldest = 0, None
    with store.engine.connect() as connection:
        for index, name in enumerate(kind.tables):
            where = sa.text(kind.where) if kind.where and index == 0 else sa.true()
            if name not in METADATA.tables:  # Alembic's own
                size += NUMBER
                continue
            table = METADATA.tables[name]
            since = table.c.get(kind.since)
            first = sa.null() if since is None else sa.func.min(since)
            query = sa.select(
                sa.func.count(), sa.func.coalesce(sa.func.sum(_bytes(table, kind, connection.dialect.name)), 0), first
            )
            rows, taken, begun = connection.execute(query.select_from(table).where(where)).one()
            size += int(taken)
            if index == 0:
                count = int(rows)
            if begun is not None:
                oldest = min(filter(None, (oldest, _iso(begun))))
    return Held(count, size, oldest)


def _bytes(table: sa.Table, kind: Kind, dialect: str) -> sa.ColumnElement[Any]:
    columns = [c for c in table.c if (not kind.only or c.name in kind.only) and c.name not in kind.without]
    total: sa.ColumnElement[Any] = sa.literal(0)
    for column in columns:
        if isinstance(column.type, sa.LargeBinary):
            total = total + sa.func.coalesce(sa.func.length(column), 0)
        elif isinstance(column.type, sa.String | sa.JSON):
            raw = sa.cast(column, sa.LargeBinary if dialect == "sqlite" else sa.Text)
            total = total + sa.func.coalesce((sa.func.length if dialect == "sqlite" else sa.func.octet_length)(raw), 0)
        else:
            total = total + NUMBER
    return total


def in_files(paths: list[Path]) -> Held:
    """What lies in files and folders. Blocks."""
    found = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file()]
    facts = [file.stat() for file in found]
    oldest = min((fact.st_mtime for fact in facts), default=None)
    since = None if oldest is None else datetime.fromtimestamp(oldest, UTC).isoformat(timespec="seconds")
    return Held(len(found), sum(fact.st_size for fact in facts), since)


def _iso(value: Any) -> str:
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC).isoformat(timespec="seconds")
    return str(value)
