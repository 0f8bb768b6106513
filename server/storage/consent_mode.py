"""Which rooms blur whoever has not consented. Blocking; one thread owns the store."""

from __future__ import annotations

import sqlalchemy as sa

from server.storage.engine import writing
from server.storage.names import MAX_ROOM
from server.storage.schema import METADATA

TABLE = sa.Table(
    "room_consent_mode",
    METADATA,
    sa.Column("room", sa.String(MAX_ROOM), primary_key=True),
    sa.Column("on", sa.Boolean, nullable=False),
)


def read_modes(engine: sa.Engine) -> dict[str, bool]:
    """What was chosen, by room."""
    with engine.connect() as connection:
        rows = connection.execute(sa.select(TABLE)).all()
    return {row.room: row.on for row in rows}


def write_mode(engine: sa.Engine, room: str, on: bool) -> None:
    """Keep what was chosen for a room."""
    with writing(engine) as connection:
        connection.execute(TABLE.delete().where(TABLE.c.room == room))
        connection.execute(TABLE.insert(), [{"room": room, "on": on}])
