"""Which threshold was chosen in words, beside what the matcher was told. Blocking; one thread owns the store."""

from __future__ import annotations

import sqlalchemy as sa

from server.storage.engine import writing
from server.storage.names import MAX_ROOM
from server.storage.schema import METADATA

CHOICE = sa.Table(
    "threshold_choice",
    METADATA,
    sa.Column("room", sa.String(MAX_ROOM), primary_key=True),  # empty: everyone's gallery
    sa.Column("one_in", sa.Float, nullable=False),  # chosen: one wrong name in so many strangers
    sa.Column("told", sa.Float, nullable=False),  # … as the pack's curve must be asked to get that
)


def read_choice(engine: sa.Engine, room: str | None) -> tuple[float, float] | None:
    """What was chosen for a gallery and what the matcher was told, if anything."""
    query = sa.select(CHOICE.c.one_in, CHOICE.c.told).where(CHOICE.c.room == (room or ""))
    with engine.connect() as connection:
        row = connection.execute(query).first()
    return None if row is None else (row.one_in, row.told)


def write_choice(engine: sa.Engine, room: str | None, choice: tuple[float, float] | None) -> None:
    """Keep what was chosen; ``None``: nothing."""
    with writing(engine) as connection:
        connection.execute(CHOICE.delete().where(CHOICE.c.room == (room or "")))
        if choice is not None:
            connection.execute(CHOICE.insert(), [{"room": room or "", "one_in": choice[0], "told": choice[1]}])
