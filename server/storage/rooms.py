"""Rooms that were opened, and invitations to them: the hash of each, never what is in the link. Blocking; one thread
owns the store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from server.storage.engine import writing
from server.storage.names import MAX_NAME, MAX_ROOM
from server.storage.schema import METADATA, TIME

MAX_ROOMS = 200
MAX_INVITATIONS = 200  # of one room
ROOM = sa.Table(
    "room",
    METADATA,
    sa.Column("name", sa.String(MAX_ROOM), primary_key=True),
    sa.Column("opened", TIME, nullable=False),
)
INVITATION = sa.Table(
    "invitation",
    METADATA,
    sa.Column("id", sa.String(8), primary_key=True),
    sa.Column("room", sa.String(MAX_ROOM), nullable=False, index=True),
    sa.Column("role", sa.String(8), nullable=False),
    sa.Column("label", sa.String(MAX_NAME)),
    sa.Column("hash", sa.String(64), nullable=False),  # SHA-256 of a secret that is random enough for it
    sa.Column("created", TIME, nullable=False),
    sa.Column("expires", TIME, nullable=False),
    sa.Column("used", TIME),  # when somebody last came by it
)


class TooManyRooms(ValueError):
    """There are as many rooms, or invitations to one, as there may be."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """What is known of one."""

    id: str
    room: str
    role: str
    label: str | None
    hash: str
    created: datetime
    expires: datetime
    used: datetime | None = None


def read_rooms(engine: sa.Engine) -> dict[str, datetime]:
    """When each room was opened, by name."""
    with engine.connect() as connection:
        rows = connection.execute(sa.select(ROOM).order_by(ROOM.c.name)).all()
    return {row.name: _utc(row.opened) for row in rows}


def open_room(engine: sa.Engine, name: str, at: datetime) -> None:
    """Keep that it is open. Raises :class:`TooManyRooms`."""
    with writing(engine) as connection:
        if connection.execute(sa.select(sa.func.count()).select_from(ROOM)).scalar_one() >= MAX_ROOMS:
            raise TooManyRooms(f"{MAX_ROOMS} rooms are open already; close one first")
        connection.execute(ROOM.insert(), [{"name": name, "opened": at}])


def close_room(engine: sa.Engine, name: str) -> None:
    """Forget it, and every invitation to it."""
    with writing(engine) as connection:
        connection.execute(INVITATION.delete().where(INVITATION.c.room == name))
        connection.execute(ROOM.delete().where(ROOM.c.name == name))


def read_invitations(engine: sa.Engine, now: datetime) -> list[Invitation]:
    """All that are not over, the oldest first; those that are, are erased."""
    with writing(engine) as connection:
        connection.execute(INVITATION.delete().where(INVITATION.c.expires <= now))
        rows = connection.execute(sa.select(INVITATION).order_by(INVITATION.c.created, INVITATION.c.id)).all()
    return [
        Invitation(
            row.id, row.room, row.role, row.label, row.hash, _utc(row.created), _utc(row.expires),
            row.used and _utc(row.used),
        )
        for row in rows
    ]  # fmt: skip


def add_invitation(engine: sa.Engine, invitation: Invitation) -> None:
    """Keep a new one. Raises :class:`TooManyRooms`."""
    of_room = sa.select(sa.func.count()).select_from(INVITATION).where(INVITATION.c.room == invitation.room)
    with writing(engine) as connection:
        if connection.execute(of_room).scalar_one() >= MAX_INVITATIONS:
            raise TooManyRooms(f"there are {MAX_INVITATIONS} invitations to this room already; revoke one first")
        row = {name: getattr(invitation, name) for name in (column.name for column in INVITATION.c)}
        connection.execute(INVITATION.insert(), [row])


def delete_invitation(engine: sa.Engine, id: str) -> bool:
    """Revoke one; whether there was one."""
    with writing(engine) as connection:
        return bool(connection.execute(INVITATION.delete().where(INVITATION.c.id == id)).rowcount)


def note_invitation(engine: sa.Engine, id: str, at: datetime) -> None:
    """Somebody came by it."""
    with writing(engine) as connection:
        connection.execute(INVITATION.update().where(INVITATION.c.id == id).values(used=at))


def _utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC)
