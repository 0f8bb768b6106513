"""Embeddings of samples under packs that are not in use, and the choice of pack. Blocking; one thread owns the store.

A sample has its embedding of the pack in use in its own row; all others wait in ``other_embedding``. To change the
pack is to exchange the two, so nothing is lost and the way back is as short.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from server.database import Database
from server.storage.engine import writing
from server.storage.schema import METADATA, NEGATIVE, OTHER, PERSON, SAMPLE
from server.storage.sealing import by_name, key_in, name_opener, opener, seal_row
from tracking import Embedding

CHOICE = sa.Table(
    "pack_choice",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),  # 1: there is one row
    sa.Column("name", sa.String(80)),  # the pack chosen; NULL: the setting's
    sa.Column("next", sa.String(80)),  # the pack that samples are being embedded with
)


@dataclass(frozen=True, slots=True)
class CroppedSample:
    """A sample that can be embedded anew: a JPEG and the face's landmarks (5, 2) in its pixels."""

    id: str
    jpeg: bytes
    landmarks: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """How many samples of somebody have no picture to be embedded from."""

    person: str
    name: str
    samples: int


@dataclass(frozen=True, slots=True)
class BothWays:
    """Samples embedded by both packs: N owners (person numbers), qualities (N,), and embeddings (N, d) of either."""

    owners: NDArray[np.int64]
    qualities: NDArray[np.float32]
    old: NDArray[np.float32]
    new: NDArray[np.float32]


def read_choice(path: Path, database: str = "") -> str | None:
    """The pack that was switched to, read before the store is opened; ``None``: the setting's."""
    if not database and not path.exists():
        return None
    file = f"sqlite:///{path.resolve().as_uri()}?mode=ro&uri=true"
    engine = Database(database).engine() if database else sa.create_engine(file)
    try:
        with engine.connect() as connection:
            if not sa.inspect(connection).has_table(CHOICE.name):
                return None
            return connection.execute(sa.select(CHOICE.c.name)).scalar()
    except sa.exc.DatabaseError:
        return None  # opening the store says what is wrong with it
    finally:
        engine.dispose()


def read_chosen(engine: sa.Engine) -> str | None:
    """The pack that was switched to; ``None``: the setting's."""
    with engine.connect() as connection:
        return connection.execute(sa.select(CHOICE.c.name)).scalar()


def read_next(engine: sa.Engine) -> str | None:
    """The pack whose change was begun and neither finished nor cancelled."""
    with engine.connect() as connection:
        return connection.execute(sa.select(CHOICE.c.next)).scalar()


def set_next(engine: sa.Engine, name: str | None) -> None:
    """Note that a change has begun, or is over."""
    with writing(engine) as connection:
        _choose(connection, next=name)


def waiting(engine: sa.Engine, digest: str, limit: int, without: Collection[str] = ()) -> list[CroppedSample]:
    """Samples with a crop that pack ``digest`` has not embedded, removed ones too, for that can be undone."""
    query = (
        sa.select(SAMPLE.c.id, SAMPLE.c.crop, SAMPLE.c.crop_landmarks)
        .where(_cropped(), ~_has(digest), SAMPLE.c.id.not_in(without))
        .order_by(SAMPLE.c.created, SAMPLE.c.id)
        .limit(limit)
    )
    with engine.connect() as connection:
        rows = connection.execute(query).all()
        crop, points = opener(connection, "sample", "crop"), opener(connection, "sample", "crop_landmarks")
        return [
            CroppedSample(
                row.id,
                crop(row.crop, row.id),
                np.frombuffer(points(row.crop_landmarks, row.id), "<f4").reshape(5, 2),
            )
            for row in rows
        ]


def keep(engine: sa.Engine, digest: str, embeddings: Sequence[tuple[str, Embedding]]) -> None:
    """Write what pack ``digest`` says of samples; those gone meanwhile are left out."""
    with writing(engine) as connection:
        ids = [id for id, _ in embeddings]
        there = connection.execute(sa.select(SAMPLE.c.id, SAMPLE.c.embedding).where(SAMPLE.c.id.in_(ids)))
        keys = {row.id: key_in(row.embedding) for row in there}
        rows = [
            seal_row(
                connection,
                keys[id],
                OTHER,
                {"sample_id": id, "pack_digest": digest, "embedding": np.asarray(vector, "<f4").tobytes()},
            )
            for id, vector in embeddings
            if id in keys
        ]
        if rows:
            again = sa.and_(OTHER.c.sample_id.in_(keys), OTHER.c.pack_digest == digest)
            connection.execute(OTHER.delete().where(again))
            connection.execute(OTHER.insert(), rows)


def progress(engine: sa.Engine, digest: str) -> tuple[int, int]:
    """How many samples with a crop pack ``digest`` has embedded, and how many there are."""
    with engine.connect() as connection:
        total = connection.execute(sa.select(sa.func.count()).select_from(SAMPLE).where(_cropped())).scalar_one()
        done = connection.execute(
            sa.select(sa.func.count()).select_from(SAMPLE).where(_cropped(), _has(digest))
        ).scalar_one()
    return done, total


def left_behind(engine: sa.Engine, digest: str) -> list[LeftBehind]:
    """Whose samples pack ``digest`` does not know and cannot be told, by name."""
    query = (
        sa.select(PERSON.c.id, PERSON.c.name, sa.func.count())
        .join(SAMPLE)
        .where(SAMPLE.c.deleted.is_(None), PERSON.c.deleted.is_(None), ~_cropped(), ~_has(digest))
        .group_by(PERSON.c.id)
    )
    with engine.connect() as connection:
        name_of = name_opener(connection)
        found = [LeftBehind(id, name_of(name, id), samples) for id, name, samples in connection.execute(query)]
    return sorted(found, key=lambda one: by_name(one.name))


def negatives_left(engine: sa.Engine, digest: str) -> int:
    """How many 'this is not NAME' are of other packs; they have no pictures."""
    query = sa.select(sa.func.count()).select_from(NEGATIVE)
    with engine.connect() as connection:
        return connection.execute(
            query.where(NEGATIVE.c.deleted.is_(None), NEGATIVE.c.pack_digest != digest)
        ).scalar_one()


def both_ways(engine: sa.Engine, old: str, new: str) -> BothWays:
    """The samples in use that both packs have embedded."""
    query = (
        sa.select(SAMPLE.c.person_id, SAMPLE.c.quality, SAMPLE.c.embedding, OTHER.c.embedding, SAMPLE.c.id)
        .join(OTHER, OTHER.c.sample_id == SAMPLE.c.id)
        .join(PERSON, PERSON.c.id == SAMPLE.c.person_id)
        .where(SAMPLE.c.pack_digest == old, OTHER.c.pack_digest == new)
        .where(SAMPLE.c.deleted.is_(None), PERSON.c.deleted.is_(None))
        .order_by(SAMPLE.c.created, SAMPLE.c.id)
    )
    with engine.connect() as connection:
        rows = connection.execute(query).all()
        open_cell = opener(connection, "sample", "embedding")
        opened = [(open_cell(row[2], row.id, old), open_cell(row[3], row.id, new)) for row in rows]
    number: dict[str, int] = {}
    owners = np.array([number.setdefault(row[0], len(number)) for row in rows], np.int64)
    vectors = [
        np.frombuffer(b"".join(pair[column] for pair in opened), "<f4").astype(np.float32).reshape(len(rows), -1)
        if rows
        else np.zeros((0, 1), np.float32)
        for column in (0, 1)
    ]
    return BothWays(owners, np.array([row[1] for row in rows], np.float32), vectors[0], vectors[1])


def exchange(engine: sa.Engine, digest: str, name: str | None = None) -> int:
    """Put the embeddings of pack ``digest`` in use and the others aside, in one transaction; returns how many.

    With ``name`` that pack is the one chosen from now on, and the change is over.
    """
    embedded = sa.select(OTHER.c.sample_id).where(OTHER.c.pack_digest == digest)
    ready = sa.and_(SAMPLE.c.id.in_(embedded), SAMPLE.c.pack_digest != digest)
    vector = sa.select(OTHER.c.embedding).where(OTHER.c.sample_id == SAMPLE.c.id, OTHER.c.pack_digest == digest)
    with writing(engine) as connection:
        aside = sa.select(SAMPLE.c.id, SAMPLE.c.pack_digest, SAMPLE.c.embedding).where(ready)
        columns = ["sample_id", "pack_digest", "embedding"]
        same = sa.and_(SAMPLE.c.id == OTHER.c.sample_id, SAMPLE.c.pack_digest == OTHER.c.pack_digest)
        connection.execute(OTHER.delete().where(sa.exists().where(same, ready)))
        connection.execute(OTHER.insert().from_select(columns, aside))
        update = SAMPLE.update().where(ready).values(embedding=vector.scalar_subquery(), pack_digest=digest)
        moved: int = connection.execute(update).rowcount
        connection.execute(OTHER.delete().where(OTHER.c.pack_digest == digest))
        if name is not None:
            _choose(connection, name=name, next=None)
    return moved


def _choose(connection: sa.Connection, **values: str | None) -> None:
    if connection.execute(CHOICE.update().where(CHOICE.c.id == 1).values(**values)).rowcount == 0:
        connection.execute(CHOICE.insert(), [{"id": 1, **values}])


def _cropped() -> sa.ColumnElement[bool]:
    return sa.and_(SAMPLE.c.crop.is_not(None), SAMPLE.c.crop_landmarks.is_not(None))


def _has(digest: str) -> sa.ColumnElement[bool]:
    """Whether the pack ``digest`` has embedded the sample."""
    aside = sa.select(OTHER.c.sample_id).where(OTHER.c.sample_id == SAMPLE.c.id, OTHER.c.pack_digest == digest)
    return sa.or_(SAMPLE.c.pack_digest == digest, aside.exists())
