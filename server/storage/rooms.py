"""Rooms that were opened, and links to them or to the live page: what each was made for, never the link. Blocking; one
thread owns the store."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from server.storage.engine import writing
from server.storage.names import MAX_NAME, MAX_ROOM
from server.storage.schema import METADATA, TIME

MAX_ROOMS = 200
MAX_INVITATIONS = 200  # of one room, or of none
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
    sa.Column("room", sa.String(MAX_ROOM), index=True),  # none: the live page
    sa.Column("role", sa.String(8), nullable=False),
    sa.Column("label", sa.String(MAX_NAME)),
    sa.Column("created", TIME, nullable=False),
    sa.Column("expires", TIME, nullable=False),
    sa.Column("devices", sa.Integer),  # that may come by it; none: any number
    sa.Column("standing", sa.Boolean, nullable=False),  # the one that the server shows by itself
    sa.Column("used", TIME),  # when somebody last came by it
)
DEVICE = sa.Table(
    "invitation_device",
    METADATA,
    sa.Column("invitation", sa.String(8), sa.ForeignKey("invitation.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("hash", sa.String(64), primary_key=True),  # SHA-256 of what only the device has
    sa.Column("came", TIME, nullable=False),
)


class TooManyRooms(ValueError):
    """There are as many rooms, or invitations to one, as there may be."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """What is known of one. ``came`` are the hashes of the devices that count, where their number is limited."""

    id: str
    room: str | None
    role: str
    label: str | None
    created: datetime
    expires: datetime
    devices: int | None = None
    standing: bool = False
    used: datetime | None = None
    came: frozenset[str] = frozenset()


def read_rooms(engine: sa.Engine) -> dict[str, datetime]:
    """When each room was opened, by name."""
    with engine.connect() as connection:
        rows = connection.execute(sa.select(ROOM).order_by(ROOM.c.name)).all()
    return {row.name: _utc(row.opened) for row in rows}


def open_room(engine: sa.Engine, name: str, at: datetime) -> None:
    """Keep that it is open. Raises :class:`TooManyRooms`."""
    with writing(engine) as connection:
        if connection.execute(sa.select(ROOM.c.name).where(ROOM.c.name == name)).first() is not None:
            return  # another node was quicker
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
        rows = connection.execute(sa.select(INVITATION).order_by(INVITATION.c.created, INVITATION.c.id)).mappings()
        found = [Invitation(**{name: _kept(value) for name, value in row.items()}) for row in rows]
        came: dict[str, set[str]] = {}
        for row in connection.execute(sa.select(DEVICE.c.invitation, DEVICE.c.hash)):
            came.setdefault(row.invitation, set()).add(row.hash)
    return [replace(one, came=frozenset(came.get(one.id, ()))) for one in found]


def add_invitation(engine: sa.Engine, invitation: Invitation) -> None:
    """Keep a new one. Raises :class:`TooManyRooms`."""
    of_room = INVITATION.c.room.is_not_distinct_from(invitation.room)
    count = sa.select(sa.func.count()).select_from(INVITATION).where(of_room)
    with writing(engine) as connection:
        if invitation.standing:  # nobody came by those that earlier starts showed: they are not missed
            connection.execute(INVITATION.delete().where(INVITATION.c.standing, INVITATION.c.used.is_(None)))
        if connection.execute(count).scalar_one() >= MAX_INVITATIONS:
            raise TooManyRooms(f"there are {MAX_INVITATIONS} links to this already; revoke one first")
        row = {name: getattr(invitation, name) for name in (column.name for column in INVITATION.c)}
        connection.execute(INVITATION.insert(), [row])


def add_device(engine: sa.Engine, invitation: str, hash: str, at: datetime) -> bool:
    """Another device comes by it; ``False`` where as many came as may, or it is gone."""
    most = sa.select(INVITATION.c.devices).where(INVITATION.c.id == invitation)
    came = sa.select(sa.func.count()).select_from(DEVICE).where(DEVICE.c.invitation == invitation)
    with writing(engine) as connection:
        limit = connection.execute(most).scalar_one_or_none()
        if limit is None or connection.execute(came).scalar_one() >= limit:
            return False
        connection.execute(DEVICE.insert(), [{"invitation": invitation, "hash": hash, "came": at}])
    return True


def delete_invitation(engine: sa.Engine, id: str) -> bool:
    """Revoke one; whether there was one."""
    with writing(engine) as connection:
        return bool(connection.execute(INVITATION.delete().where(INVITATION.c.id == id)).rowcount)


def note_invitations(engine: sa.Engine, used: dict[str, datetime]) -> None:
    """Somebody came by these, by id."""
    with writing(engine) as connection:
        for id, at in used.items():
            connection.execute(INVITATION.update().where(INVITATION.c.id == id).values(used=at))


def _utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC)


def _kept(value: Any) -> Any:
    return _utc(value) if isinstance(value, datetime) else value
