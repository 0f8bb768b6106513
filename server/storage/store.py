"""People and their samples in SQLite, by SQLAlchemy; the schema is brought up to date by Alembic when the store is
opened.

All methods block: :mod:`server.people` calls them from the one thread that owns the store.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError

from pipeline.gallery import Gallery, Person
from pipeline.templates import fuse_template
from server.storage.names import clean_name, name_key
from server.storage.rows import NameTaken, NewSample, PersonRow, StorageError
from server.storage.schema import PERSON, SAMPLE
from tracking import Embedding


class PeopleStore:
    """The people of one server. ``path`` is the SQLite file; it and its folder are made with owner-only rights."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600, exist_ok=True)
            path.chmod(0o600)
        except OSError as error:
            raise StorageError(f"cannot open {path}: {error.strerror}; see the setting data_dir") from error
        # Parameters are names and embeddings: an error must not carry them into a log.
        self._engine = sa.create_engine(f"sqlite:///{path}", hide_parameters=True)
        sa.event.listen(self._engine, "connect", _configure)
        try:
            with self._engine.begin() as connection:
                _migrate(connection)
        except sa.exc.DatabaseError as error:
            self._engine.dispose()
            raise StorageError(
                f"cannot open {path}: {error.orig}; check its rights and free space, or move it away"
            ) from error
        except CommandError as error:
            self._engine.dispose()
            raise StorageError(f"cannot open {path}: it was made by a newer version of Visavis") from error

    def close(self) -> None:
        """Let go of the file; may be called twice."""
        self._engine.dispose()

    def people(self) -> list[PersonRow]:
        """Everybody, by name."""
        count = sa.func.count(SAMPLE.c.id)
        query = (
            sa.select(PERSON.c.id, PERSON.c.name, count, PERSON.c.created)
            .outerjoin(SAMPLE)
            .group_by(PERSON.c.id)
            .order_by(PERSON.c.name_key)
        )
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        # SQLite keeps no time zone.
        return [PersonRow(id, name, samples, created.replace(tzinfo=UTC)) for id, name, samples, created in rows]

    def find(self, name: str) -> Person | None:
        """Who bears this name, compared without case."""
        query = sa.select(PERSON.c.id, PERSON.c.name).where(PERSON.c.name_key == name_key(name))
        with self._engine.connect() as connection:
            row = connection.execute(query).first()
        return Person(row.id, row.name) if row else None

    def add_person(self, name: str, samples: Sequence[NewSample], digest: str) -> Person:
        """Enrol somebody new, all samples or none. Raises :class:`BadName` or :class:`NameTaken`."""
        name = clean_name(name)
        if not samples:
            raise ValueError("a person needs at least one sample")
        person = Person(uuid4().hex, name)
        row = {"id": person.id, "name": name, "name_key": name_key(name), "created": datetime.now(UTC)}
        try:
            with self._engine.begin() as connection:
                connection.execute(PERSON.insert(), [row])
                connection.execute(SAMPLE.insert(), _rows(person.id, samples, digest))
        except sa.exc.IntegrityError as error:
            raise _name_taken(error) from error
        return person

    def add_samples(self, person_id: str, samples: Sequence[NewSample], digest: str) -> bool:
        """Add samples to somebody; ``False`` if they are gone."""
        with self._engine.begin() as connection:
            if connection.execute(sa.select(PERSON.c.id).where(PERSON.c.id == person_id)).first() is None:
                return False
            connection.execute(SAMPLE.insert(), _rows(person_id, samples, digest))
            return True

    def rename(self, person_id: str, name: str) -> bool:
        """Give somebody another name; ``False`` if they are gone. Raises :class:`BadName` or :class:`NameTaken`."""
        name = clean_name(name)
        update = PERSON.update().where(PERSON.c.id == person_id).values(name=name, name_key=name_key(name))
        try:
            with self._engine.begin() as connection:
                return connection.execute(update).rowcount == 1
        except sa.exc.IntegrityError as error:
            raise _name_taken(error) from error

    def forget(self, person_id: str) -> bool:
        """Erase somebody with all samples, from the file's free pages and its log too; ``False`` if they are gone
        already."""
        with self._engine.begin() as connection:
            found = connection.execute(PERSON.delete().where(PERSON.c.id == person_id)).rowcount == 1
        if found:
            with self._engine.connect() as connection:
                connection.execute(sa.text("PRAGMA wal_checkpoint(TRUNCATE)"))
        return found

    def gallery(self, digest: str, dimension: int, version: int) -> Gallery:
        """Everybody who has samples of the pack ``digest``, each with a quality-weighted template."""
        query = (
            sa.select(PERSON.c.id, PERSON.c.name, SAMPLE.c.embedding, SAMPLE.c.quality)
            .join(SAMPLE)
            .where(SAMPLE.c.pack_digest == digest)
            .order_by(PERSON.c.created, PERSON.c.id)
        )
        samples: dict[Person, list[tuple[Embedding, float]]] = {}
        with self._engine.connect() as connection:
            for row in connection.execute(query):
                vector = np.frombuffer(row.embedding, "<f4").astype(np.float32)
                if vector.shape != (dimension,):
                    raise StorageError(f"{self.path}: a sample has {vector.size} numbers instead of {dimension}")
                samples.setdefault(Person(row.id, row.name), []).append((vector, max(row.quality, 0.02)))
        templates = [fuse_template([v for v, _ in rows], [q for _, q in rows]) for rows in samples.values()]
        stack = np.stack(templates) if templates else np.zeros((0, dimension), np.float32)
        return Gallery(tuple(samples), stack, digest, version)


def _name_taken(error: sa.exc.IntegrityError) -> Exception:
    unique = getattr(error.orig, "sqlite_errorname", None) == "SQLITE_CONSTRAINT_UNIQUE"
    return NameTaken("somebody of this name is enrolled already") if unique else error


def _rows(person_id: str, samples: Sequence[NewSample], digest: str) -> list[dict[str, Any]]:
    now = datetime.now(UTC)
    return [
        {
            "id": uuid4().hex,
            "person_id": person_id,
            "pack_digest": digest,
            "embedding": np.asarray(sample.embedding, "<f4").tobytes(),
            "quality": float(sample.quality),
            "source": sample.source,
            "created": now,
        }
        for sample in samples
    ]


def _configure(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "foreign_keys=ON", "synchronous=FULL", "secure_delete=ON", "busy_timeout=5000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _migrate(connection: sa.Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parents[1] / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
