"""Strangers in the store: what the inbox keeps of them, and where they were seen. All of it blocks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from server.storage.engine import erase_traces, writing
from server.storage.names import MAX_ROOM
from server.storage.schema import METADATA, PERSON, TIME
from server.storage.sealing import Opener, key_in, opener, seal_row, vault_of
from tracking import Embedding

STRANGER = sa.Table(
    "stranger",
    METADATA,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("room", sa.String(MAX_ROOM)),  # where they were seen; NULL: outside any room
    sa.Column("pack_digest", sa.String(64), nullable=False),
    sa.Column("seen", sa.Integer, nullable=False),  # times, also those whose sighting is no longer kept
    sa.Column("first", TIME, nullable=False),
    sa.Column("last", TIME, nullable=False, index=True),
    sa.Column("embeddings", sa.LargeBinary, nullable=False),  # little-endian float32 (samples, dimension), sealed
    sa.Column("qualities", sa.LargeBinary, nullable=False),  # little-endian float32 (samples,), sealed
    sa.Column("crop", sa.LargeBinary),  # JPEG, sealed
    sa.Column("crop_landmarks", sa.LargeBinary),  # little-endian float32 (5, 2), pixels of the crop; sealed
    sa.Column("crop_quality", sa.Float, nullable=False),
)
SIGHTING = sa.Table(
    "sighting",
    METADATA,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("stranger_id", sa.String(32), sa.ForeignKey("stranger.id", ondelete="CASCADE"), index=True),
    sa.Column("person_id", sa.String(32), sa.ForeignKey("person.id", ondelete="CASCADE"), index=True),  # once named
    sa.Column("session", sa.String(64), nullable=False),
    sa.Column("began", TIME, nullable=False),
    sa.Column("ended", TIME, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Sighting:
    """Somebody seen in a session, from and to (UTC)."""

    id: str
    session: str
    began: datetime
    ended: datetime


@dataclass(frozen=True, slots=True)
class Stranger:
    """One entry of the inbox. ``embeddings`` are unit length; ``sightings`` the newest ones, oldest first."""

    id: str
    room: str | None
    digest: str
    seen: int
    first: datetime
    last: datetime
    embeddings: tuple[Embedding, ...]
    qualities: tuple[float, ...]
    crop: bytes | None
    crop_landmarks: NDArray[np.float32] | None
    crop_quality: float
    sightings: tuple[Sighting, ...]


def load(engine: sa.Engine, digest: str, since: datetime) -> list[Stranger]:
    """The strangers of a pack last seen since then, oldest first. What is older or of another pack is erased."""
    erase_before(engine, since)
    erase_other_packs(engine, digest)
    return read(engine, digest)


def read(engine: sa.Engine, digest: str) -> list[Stranger]:
    """The strangers of a pack, oldest first."""
    with engine.connect() as connection:
        mine = STRANGER.c.pack_digest == digest
        rows = connection.execute(sa.select(STRANGER).where(mine).order_by(STRANGER.c.last)).all()
        query = sa.select(SIGHTING).where(SIGHTING.c.stranger_id.is_not(None)).order_by(SIGHTING.c.began)
        sightings: dict[str, list[Sighting]] = {}
        for row in connection.execute(query):
            sightings.setdefault(row.stranger_id, []).append(_sighting(row))
        open_cell = {name: opener(connection, STRANGER.name, name) for name in _SEALED}
        return [_stranger(row, tuple(sightings.get(row.id, ())), open_cell) for row in rows]


def save(
    engine: sa.Engine, strangers: Sequence[Stranger], gone: Collection[str] = (), kept: Collection[str] = ()
) -> set[str]:
    """Write entries with all their sightings as they are now, and erase those ``gone`` and their keys, in one
    transaction. Those that were ``kept`` before and are no more, somebody else has erased or named: they are not
    written again; returns which."""
    with writing(engine) as connection:
        vault, there = vault_of(connection), STRANGER.c.id.in_([*gone, *(s.id for s in strangers)])
        keys = _keys(connection, there)
        lost = {stranger.id for stranger in strangers if stranger.id in kept} - keys.keys()
        connection.execute(STRANGER.delete().where(there))
        for stranger in strangers:
            if stranger.id in lost:
                continue
            key = keys.pop(stranger.id, None) or vault.new_key("stranger")
            connection.execute(STRANGER.insert(), [seal_row(connection, key, STRANGER, _row(stranger))])
            if stranger.sightings:
                connection.execute(
                    SIGHTING.insert(), [_sighting_row(s, stranger_id=stranger.id) for s in stranger.sightings]
                )
        vault.destroy(keys.values())
    if gone:
        erase_traces(engine)
    return lost


def give_name(engine: sa.Engine, stranger: Stranger, person_id: str) -> None:
    """Let the sightings of an entry be those of a person, and erase the rest of it."""
    with writing(engine) as connection:
        known = connection.execute(sa.select(PERSON.c.id).where(PERSON.c.id == person_id)).first()
        vault_of(connection).destroy(_keys(connection, STRANGER.c.id == stranger.id).values())
        connection.execute(STRANGER.delete().where(STRANGER.c.id == stranger.id))
        if known is not None and stranger.sightings:  # of a guest's people nothing is kept
            rows = [_sighting_row(s, person_id=person_id) for s in stranger.sightings]
            connection.execute(SIGHTING.insert(), rows)
    erase_traces(engine)


def sightings_of(engine: sa.Engine, person_id: str) -> list[Sighting]:
    """Where somebody was seen before they had a name, newest first."""
    query = sa.select(SIGHTING).where(SIGHTING.c.person_id == person_id).order_by(SIGHTING.c.began.desc())
    with engine.connect() as connection:
        return [_sighting(row) for row in connection.execute(query)]


def erase_before(engine: sa.Engine, time: datetime) -> None:
    """Erase strangers last seen before then, and named people's sightings that ended before."""
    _erase(engine, STRANGER.c.last < time, sa.and_(SIGHTING.c.person_id.is_not(None), SIGHTING.c.ended < time))


def erase_other_packs(engine: sa.Engine, digest: str) -> None:
    """Erase strangers whose numbers are another pack's: nobody can be compared with them any more."""
    _erase(engine, STRANGER.c.pack_digest != digest, sa.false())


def erase_all(engine: sa.Engine) -> None:
    """Erase every stranger and sighting, named ones too."""
    _erase(engine, sa.true(), sa.true())


def _erase(engine: sa.Engine, strangers: sa.ColumnElement[bool], sightings: sa.ColumnElement[bool]) -> None:
    with writing(engine) as connection:
        vault_of(connection).destroy(_keys(connection, strangers).values())
        erased = connection.execute(STRANGER.delete().where(strangers)).rowcount
        erased += connection.execute(SIGHTING.delete().where(sightings)).rowcount
    if erased:
        erase_traces(engine)


def _keys(connection: sa.Connection, where: sa.ColumnElement[bool]) -> dict[str, bytes]:
    rows = connection.execute(sa.select(STRANGER.c.id, STRANGER.c.embeddings).where(where))
    return {row.id: key_in(row.embeddings) for row in rows}


_SEALED = ("embeddings", "qualities", "crop", "crop_landmarks")


def _row(stranger: Stranger) -> dict[str, object]:
    points = stranger.crop_landmarks
    return {
        "id": stranger.id,
        "room": stranger.room,
        "pack_digest": stranger.digest,
        "seen": stranger.seen,
        "first": stranger.first,
        "last": stranger.last,
        "embeddings": np.stack(stranger.embeddings).astype("<f4").tobytes(),
        "qualities": np.asarray(stranger.qualities, "<f4").tobytes(),
        "crop": stranger.crop,
        "crop_landmarks": None if points is None else points.astype("<f4").tobytes(),
        "crop_quality": stranger.crop_quality,
    }


def _sighting_row(
    sighting: Sighting, stranger_id: str | None = None, person_id: str | None = None
) -> dict[str, object]:
    return {
        "id": sighting.id,
        "stranger_id": stranger_id,
        "person_id": person_id,
        "session": sighting.session,
        "began": sighting.began,
        "ended": sighting.ended,
    }


def _stranger(
    row: sa.Row[tuple[object, ...]], sightings: tuple[Sighting, ...], open_cell: Mapping[str, Opener]
) -> Stranger:
    qualities = np.frombuffer(open_cell["qualities"](row.qualities, row.id), "<f4")
    data = open_cell["embeddings"](row.embeddings, row.id, row.pack_digest)
    embeddings = np.frombuffer(data, "<f4").reshape(len(qualities), -1).astype(np.float32)
    crop, points = (
        None if blob is None else open_cell[name](blob, row.id)
        for name, blob in (("crop", row.crop), ("crop_landmarks", row.crop_landmarks))
    )
    return Stranger(
        id=row.id,
        room=row.room,
        digest=row.pack_digest,
        seen=row.seen,
        first=row.first.replace(tzinfo=UTC),
        last=row.last.replace(tzinfo=UTC),
        embeddings=tuple(embeddings),
        qualities=tuple(float(q) for q in qualities),
        crop=crop,
        crop_landmarks=None if points is None else np.frombuffer(points, "<f4").reshape(5, 2).astype(np.float32),
        crop_quality=row.crop_quality,
        sightings=sightings,
    )


def _sighting(row: sa.Row[tuple[object, ...]]) -> Sighting:
    return Sighting(row.id, row.session, row.began.replace(tzinfo=UTC), row.ended.replace(tzinfo=UTC))
