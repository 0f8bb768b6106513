"""Questions to the store. What was removed and can still be undone is left out everywhere."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from pipeline.gallery import Entry, Person
from pipeline.templates import person_template
from server.storage import consents
from server.storage.chunks import chunks
from server.storage.rows import NegativeRow, PersonDetail, PersonRow, SampleRow, StorageError
from server.storage.schema import NEGATIVE, PERSON, SAMPLE
from server.storage.sealing import blind_contents, blind_name, by_name, name_opener, open_name, opener


def list_people(connection: sa.Connection, person_id: str | None = None) -> list[PersonRow]:
    """Everybody, by name; or the one."""
    samples = _per_person(SAMPLE, sa.func.count().label("count"), sa.func.max(_cover()).label("cover"))
    negatives = _per_person(NEGATIVE, sa.func.count().label("count"))
    query = (
        sa.select(
            *(PERSON.c[name] for name in ("id", "name", "created", "room")),
            sa.func.coalesce(samples.c.count, 0).label("samples"),
            sa.func.coalesce(negatives.c.count, 0).label("negatives"),
            samples.c.cover,
        )
        .outerjoin(samples, samples.c.person_id == PERSON.c.id)
        .outerjoin(negatives, negatives.c.person_id == PERSON.c.id)
        .where(PERSON.c.deleted.is_(None))
    )
    if person_id is not None:
        query = query.where(PERSON.c.id == person_id)
    records = consents.newest(connection, None if person_id is None else [person_id])
    name_of = name_opener(connection)
    rows = [
        PersonRow(
            row.id,
            name_of(row.name, row.id),
            row.samples,
            row.created.replace(tzinfo=UTC),
            row.room,
            row.negatives,
            # The best crop: quality in front makes it the greatest, the id after it says which.
            row.cover.split(" ")[1] if row.cover else None,
            records.get(row.id),
        )
        for row in connection.execute(query)
    ]
    return sorted(rows, key=lambda row: (*by_name(row.name), row.room or "", row.id))


def _cover() -> sa.ColumnElement[str | None]:
    # With as many digits for each, so that as text they have the order of the numbers.
    quality = sa.cast(1_000_000 + sa.cast(SAMPLE.c.quality * 1_000_000, sa.Integer), sa.String)
    return sa.case((SAMPLE.c.crop.is_not(None), quality + " " + SAMPLE.c.id))


def _per_person(table: sa.Table, *columns: sa.ColumnElement[Any]) -> sa.Subquery:
    live = sa.select(table.c.person_id, *columns).where(table.c.deleted.is_(None))
    return live.group_by(table.c.person_id).subquery()


def find_person(connection: sa.Connection, name: str, room: str | None = None) -> Person | None:
    """Who bears this name, compared without case: in the room, or else among everyone's."""
    for where in dict.fromkeys((room, None)):
        query = sa.select(PERSON.c.id, PERSON.c.name, PERSON.c.room).where(
            PERSON.c.name_key == blind_name(connection, name, where), PERSON.c.deleted.is_(None)
        )
        if row := connection.execute(query).first():
            return Person(row.id, open_name(connection, row.name, row.id), row.room)
    return None


def person_detail(connection: sa.Connection, person_id: str) -> PersonDetail | None:
    """Somebody with all samples, newest first."""
    rows = list_people(connection, person_id)
    if not rows:
        return None
    samples = tuple(stored_samples(connection, person_id))[::-1]
    query = (
        sa.select(NEGATIVE.c.id, NEGATIVE.c.created)
        .where(NEGATIVE.c.person_id == person_id, NEGATIVE.c.deleted.is_(None))
        .order_by(NEGATIVE.c.created.desc())
    )
    negatives = tuple(NegativeRow(row.id, row.created.replace(tzinfo=UTC)) for row in connection.execute(query))
    return PersonDetail(rows[0], samples, negatives)


def stored_samples(
    connection: sa.Connection, person_id: str | None = None, digest: str | None = None
) -> Iterator[SampleRow]:
    """Samples in the order they came: all, or one person's, or one pack's."""
    names = ("id", "person_id", "pack_digest", "embedding", "quality", "source", "created", "yaw", "pitch", "size")
    query = (
        sa.select(
            *(SAMPLE.c[name] for name in names),
            SAMPLE.c.crop.is_not(None).label("cropped"),
            SAMPLE.c.content,
            SAMPLE.c.challenge,
        )
        .join(PERSON)
        .where(SAMPLE.c.deleted.is_(None), PERSON.c.deleted.is_(None))
        .order_by(SAMPLE.c.created, SAMPLE.c.id)
    )
    if person_id is not None:
        query = query.where(SAMPLE.c.person_id == person_id)
    if digest is not None:
        query = query.where(SAMPLE.c.pack_digest == digest)
    embedding, content = opener(connection, "sample", "embedding"), opener(connection, "sample", "content")
    for row in connection.execute(query):
        yield SampleRow(
            id=row.id,
            person=row.person_id,
            digest=row.pack_digest,
            embedding=np.frombuffer(embedding(row.embedding, row.id, row.pack_digest), "<f4").astype(np.float32),
            quality=row.quality,
            source=row.source,
            created=row.created.replace(tzinfo=UTC),
            yaw=row.yaw,
            pitch=row.pitch,
            size=row.size,
            crop=bool(row.cropped),
            content=None if row.content is None else content(row.content, row.id).decode(),
            challenge=row.challenge,
        )


def every_embedding(
    connection: sa.Connection, person_id: str, digest: str
) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """Somebody's embeddings (N, dimension) of a pack and their qualities (N,), also of who was removed: for whoever
    erases them. ``None`` if there are none."""
    query = sa.select(SAMPLE.c.id, SAMPLE.c.embedding, SAMPLE.c.quality).order_by(SAMPLE.c.created, SAMPLE.c.id)
    rows = connection.execute(query.where(SAMPLE.c.person_id == person_id, SAMPLE.c.pack_digest == digest)).all()
    if not rows:
        return None
    open_cell = opener(connection, "sample", "embedding")
    opened = [open_cell(row.embedding, row.id, digest) for row in rows]
    vectors = np.stack([np.frombuffer(data, "<f4") for data in opened]).astype(np.float32)
    return vectors, np.array([row.quality for row in rows], np.float32)


def crop(connection: sa.Connection, sample_id: str) -> tuple[bytes, NDArray[np.float32] | None] | None:
    """A sample's JPEG and where its landmarks (5, 2) lie in it; ``None`` if there is no sample or no crop."""
    query = (
        sa.select(SAMPLE.c.crop, SAMPLE.c.crop_landmarks)
        .join(PERSON)
        .where(SAMPLE.c.id == sample_id, SAMPLE.c.deleted.is_(None), PERSON.c.deleted.is_(None))
    )
    row = connection.execute(query).first()
    if row is None or row.crop is None:
        return None
    jpeg = opener(connection, "sample", "crop")(row.crop, sample_id)
    if row.crop_landmarks is None:
        return jpeg, None
    points = opener(connection, "sample", "crop_landmarks")(row.crop_landmarks, sample_id)
    return jpeg, np.frombuffer(points, "<f4").reshape(5, 2)


def known_contents(connection: sa.Connection, contents: Collection[str]) -> dict[str, tuple[str, str]]:
    """Which photos (SHA-256) are somebody's samples already: {content: (person's id, name)}."""
    found: dict[str, tuple[str, str]] = {}
    blinded, name_of = blind_contents(connection, contents), name_opener(connection)
    for chunk in chunks(blinded):
        query = (
            sa.select(SAMPLE.c.content_key, PERSON.c.id, PERSON.c.name)
            .join(PERSON)
            .where(SAMPLE.c.content_key.in_(chunk), SAMPLE.c.deleted.is_(None), PERSON.c.deleted.is_(None))
        )
        found |= {blinded[row.content_key]: (row.id, name_of(row.name, row.id)) for row in connection.execute(query)}
    return found


def contradicted(connection: sa.Connection, one: str, other: str, digest: str, same_face: float) -> list[str]:
    """Marks 'not this person' of either that the other's samples resemble by ``same_face`` (cosine) or more."""
    found = []
    open_cell = opener(connection, "negative", "embedding")
    for person_id, rival in ((one, other), (other, one)):
        samples = [row.embedding for row in stored_samples(connection, rival, digest)]
        query = sa.select(NEGATIVE.c.id, NEGATIVE.c.embedding).where(
            NEGATIVE.c.person_id == person_id, NEGATIVE.c.pack_digest == digest, NEGATIVE.c.deleted.is_(None)
        )
        for row in connection.execute(query):
            mark = np.frombuffer(open_cell(row.embedding, row.id), "<f4")
            if samples and float((np.stack(samples) @ mark).max()) >= same_face:
                found.append(row.id)
    return found


def gallery_entries(
    connection: sa.Connection,
    digest: str,
    dimension: int,
    max_samples: int,
    ids: Collection[str] | None = None,
    at: datetime | None = None,
) -> list[Entry]:
    """Who can and may be recognised with the pack ``digest`` at a time (UTC; now), each with template and negatives;
    all, or those of some ids.

    The template is the fusion of the ``max_samples`` samples that :func:`pipeline.templates.choose_samples` keeps.
    """
    entries: list[Entry] = []
    over = consents.left_out(connection, at or datetime.now(UTC), ids)
    for chunk in [None] if ids is None else chunks(ids):
        people = _live(sa.select(PERSON.c.id, PERSON.c.name, PERSON.c.room), chunk)
        name_of = name_opener(connection)
        named = {row.id: Person(row.id, name_of(row.name, row.id), row.room) for row in connection.execute(people)}
        negatives = _stacks(connection, NEGATIVE, digest, dimension, chunk)
        for person_id, (vectors, qualities) in _stacks(connection, SAMPLE, digest, dimension, chunk).items():
            if person_id in over:
                continue
            marks = negatives.get(person_id)
            template = person_template(vectors, qualities, max_samples)
            entries.append((named[person_id], template, None if marks is None else marks[0]))
    return entries


def _live(query: Any, ids: Sequence[str] | None) -> Any:
    query = query.where(PERSON.c.deleted.is_(None)).order_by(PERSON.c.created, PERSON.c.id)
    return query if ids is None else query.where(PERSON.c.id.in_(ids))


def _stacks(
    connection: sa.Connection, table: sa.Table, digest: str, dimension: int, ids: Sequence[str] | None
) -> dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """{person's id: embeddings (N, dimension) and qualities (N,)}, people and samples in the order they came."""
    quality = table.c.quality if "quality" in table.c else sa.literal(1.0)
    query = _live(sa.select(table.c.person_id, table.c.embedding, quality, table.c.id).join(PERSON), ids)
    query = query.where(table.c.pack_digest == digest, table.c.deleted.is_(None)).order_by(table.c.created, table.c.id)
    rows = connection.execute(query).all()
    open_cell, bound = opener(connection, table.name, "embedding"), (digest,) if table is SAMPLE else ()
    opened = [open_cell(row[1], row[3], *bound) for row in rows]
    if any(len(data) != 4 * dimension for data in opened):
        wrong = next(len(data) for data in opened if len(data) != 4 * dimension)
        raise StorageError(f"the store holds a sample of {wrong // 4} numbers instead of {dimension}")
    vectors = np.frombuffer(b"".join(opened), "<f4").reshape(-1, dimension).astype(np.float32)
    qualities = np.array([row[2] for row in rows], np.float32)
    stacks = {}
    start = 0
    for end in range(1, len(rows) + 1):
        if end == len(rows) or rows[end][0] != rows[start][0]:
            stacks[rows[start][0]] = (vectors[start:end], qualities[start:end])
            start = end
    return stacks
