"""What is read and shown of faces in a room. Blocking; one thread owns the store."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import sqlalchemy as sa

from server.storage.engine import writing
from server.storage.names import MAX_ROOM
from server.storage.schema import METADATA

TABLE = sa.Table(
    "room_reading",
    METADATA,
    sa.Column("room", sa.String(MAX_ROOM), primary_key=True),  # empty: where no room is named
    sa.Column("distance", sa.Boolean, nullable=False),
    sa.Column("gender", sa.Boolean, nullable=False),
    sa.Column("age", sa.Boolean, nullable=False),
)


@dataclass(frozen=True, slots=True)
class RoomReading:
    """What is shown of faces beside their names. Gender and age are off until somebody switches them on."""

    distance: bool = True
    gender: bool = False
    age: bool = False

    @property
    def attributes(self) -> bool:
        """Whether gender or age have to be read."""
        return self.gender or self.age


def read_rooms(engine: sa.Engine) -> dict[str | None, RoomReading]:
    """What was chosen, by room; ``None``: where no room is named."""
    with engine.connect() as connection:
        rows = connection.execute(sa.select(TABLE)).all()
    return {row.room or None: RoomReading(row.distance, row.gender, row.age) for row in rows}


def write_room(engine: sa.Engine, room: str | None, reading: RoomReading) -> None:
    """Keep what was chosen for a room."""
    with writing(engine) as connection:
        connection.execute(TABLE.delete().where(TABLE.c.room == (room or "")))
        connection.execute(TABLE.insert(), [{"room": room or "", **asdict(reading)}])
