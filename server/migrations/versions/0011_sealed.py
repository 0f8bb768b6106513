"""Names, embeddings, pictures, the log of changes, addresses and secrets are sealed, with the key of whose they are."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

from server.vault import Vault
from server.vault.seal import MOST_KEYS, about

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

BATCH = 500  # rows held at once: they have pictures
TEXTS = {"person": ("name",), "change": ("words",), "webhook": ("url", "secret"), "source": ("url",)}


def upgrade() -> None:
    """Seal everything in this one transaction; what stood there is cleared from free pages after it."""
    connection = op.get_bind()
    vault: Vault = connection.get_execution_options()["visavis_vault"]
    op.create_table(
        "vault_state",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("index_key", sa.LargeBinary, nullable=False),
        sa.Column("common_key", sa.LargeBinary, nullable=False),
        sa.Column("mark", sa.LargeBinary),
        sa.Column("dirty", sa.Boolean, nullable=False),
    )
    index, common = vault.new_key("index"), vault.new_key("common")
    connection.exec_driver_sql("INSERT INTO vault_state VALUES (1, ?, ?, NULL, 1)", (index, common))
    for table, columns in TEXTS.items():
        for column in columns:
            op.execute(f"ALTER TABLE {_quoted(table)} ADD COLUMN sealed_{column} BLOB NOT NULL DEFAULT x''")
    op.drop_index("ix_sample_content", "sample")
    op.add_column("sample", sa.Column("sealed_content", sa.LargeBinary))
    op.add_column("sample", sa.Column("content_key", sa.String(64)))

    people = _people(connection, vault, index)
    _samples(connection, vault, people, index)
    _owned(connection, vault, people)
    _strangers(connection, vault)
    _changes(connection, vault, people, common)
    for table, kind in (("webhook", "webhook"), ("source", "source")):
        _secrets(connection, vault, table, kind, TEXTS[table])

    for table, columns in {**TEXTS, "sample": ("content",)}.items():
        for column in columns:
            op.execute(f"ALTER TABLE {_quoted(table)} DROP COLUMN {column}")
            op.execute(f"ALTER TABLE {_quoted(table)} RENAME COLUMN sealed_{column} TO {column}")
    op.create_index("ix_sample_content_key", "sample", ["content_key"])


def downgrade() -> None:
    """There is no way back: names would stand in the open again."""
    raise NotImplementedError("a sealed store stays sealed; restore a backup made before")


def _people(connection: sa.Connection, vault: Vault, index: bytes) -> dict[str, tuple[bytes, str]]:
    people = {}
    for id, name, found in _rows(connection, "SELECT id, name, name_key FROM person"):
        key = vault.new_key("person")
        people[id] = (key, name)
        values = (vault.seal(key, name.encode(), about("person.name", id)), vault.blind(index, "name", found), id)
        connection.exec_driver_sql("UPDATE person SET sealed_name = ?, name_key = ? WHERE id = ?", values)
    return people


def _samples(connection: sa.Connection, vault: Vault, people: dict[str, tuple[bytes, str]], index: bytes) -> None:
    names = "id, person_id, pack_digest, embedding, crop, crop_landmarks, content"
    for id, owner, digest, embedding, crop, points, content in _rows(connection, f"SELECT {names} FROM sample"):
        key = people[owner][0]
        values = (
            vault.seal(key, embedding, about("sample.embedding", id, digest)),
            _sealed(vault, key, crop, "sample.crop", id),
            _sealed(vault, key, points, "sample.crop_landmarks", id),
            _sealed(vault, key, None if content is None else content.encode(), "sample.content", id),
            None if content is None else vault.blind(index, "content", content),
            id,
        )
        columns = "embedding = ?, crop = ?, crop_landmarks = ?, sealed_content = ?, content_key = ?"
        connection.exec_driver_sql(f"UPDATE sample SET {columns} WHERE id = ?", values)


def _owned(connection: sa.Connection, vault: Vault, people: dict[str, tuple[bytes, str]]) -> None:
    query = (
        "SELECT sample_id, other.pack_digest, other.embedding, person_id FROM other_embedding AS other "
        "JOIN sample ON sample.id = sample_id"
    )
    for id, digest, embedding, owner in _rows(connection, query, "sample_id, other.pack_digest"):
        blob = vault.seal(people[owner][0], embedding, about("sample.embedding", id, digest))
        update = "UPDATE other_embedding SET embedding = ? WHERE sample_id = ? AND pack_digest = ?"
        connection.exec_driver_sql(update, (blob, id, digest))
    for id, owner, embedding in _rows(connection, "SELECT id, person_id, embedding FROM negative"):
        blob = vault.seal(people[owner][0], embedding, about("negative.embedding", id))
        connection.exec_driver_sql("UPDATE negative SET embedding = ? WHERE id = ?", (blob, id))
    for id, owner, crop in _rows(connection, "SELECT id, person_id, crop FROM seen WHERE crop IS NOT NULL"):
        key = vault.new_key("seen") if owner is None else people[owner][0]
        blob = vault.seal(key, crop, about("seen.crop", id))
        connection.exec_driver_sql("UPDATE seen SET crop = ? WHERE id = ?", (blob, id))


def _strangers(connection: sa.Connection, vault: Vault) -> None:
    names = "id, pack_digest, embeddings, qualities, crop, crop_landmarks"
    for id, digest, embeddings, qualities, crop, points in _rows(connection, f"SELECT {names} FROM stranger"):
        key = vault.new_key("stranger")
        values = (
            vault.seal(key, embeddings, about("stranger.embeddings", id, digest)),
            vault.seal(key, qualities, about("stranger.qualities", id)),
            _sealed(vault, key, crop, "stranger.crop", id),
            _sealed(vault, key, points, "stranger.crop_landmarks", id),
            id,
        )
        columns = "embeddings = ?, qualities = ?, crop = ?, crop_landmarks = ?"
        connection.exec_driver_sql(f"UPDATE stranger SET {columns} WHERE id = ?", values)


def _changes(connection: sa.Connection, vault: Vault, people: dict[str, tuple[bytes, str]], common: bytes) -> None:
    """The words of a change lie under the keys of all it may speak of; names it noted under their owner's."""
    concerned: dict[str, set[str]] = {}
    owners = dict(_rows(connection, "SELECT id, person_id FROM sample"))
    owners |= dict(_rows(connection, "SELECT id, person_id FROM negative"))
    query = 'SELECT number, change_id, "table", "row", before, after FROM change_row'
    for number, change, table, row, *notes in _rows(connection, query, "number"):
        said = [json.loads(note) for note in notes]
        about_whom = concerned.setdefault(change, set())
        about_whom |= {row} if table == "person" else {owners.get(row, "")}
        about_whom |= {str(note["person_id"]) for note in said if note.get("person_id")}
        if table == "person" and row in people:
            sealed = [json.dumps(_without_names(note, vault, people[row][0], row)) for note in said]
            update = "UPDATE change_row SET before = ?, after = ? WHERE number = ?"
            connection.exec_driver_sql(update, (*sealed, number))
    for id, words in _rows(connection, "SELECT id, words FROM change"):
        named = {person for person, (_, name) in people.items() if name in words}
        whose = concerned.get(id, set()) & people.keys()
        whose = named | (whose if len(whose) <= MOST_KEYS - len(named) else set())
        keys = [people[person][0] for person in whose] or [common]
        bound, data = about("change.words", id), words.encode()
        blob = vault.seal(keys[0], data, bound) if len(keys) == 1 else vault.seal_together(keys, data, bound)
        connection.exec_driver_sql("UPDATE change SET sealed_words = ? WHERE id = ?", (blob, id))


def _without_names(note: dict[str, Any], vault: Vault, key: bytes, person: str) -> dict[str, Any]:
    said = {name: value for name, value in note.items() if name != "name_key"}  # it is worked out anew
    if isinstance(said.get("name"), str):
        blob = vault.seal(key, said["name"].encode(), about("person.name", person))
        said["name"] = base64.b64encode(blob).decode()
    return said


def _secrets(connection: sa.Connection, vault: Vault, table: str, kind: Any, columns: tuple[str, ...]) -> None:
    for id, *values in _rows(connection, f"SELECT id, {', '.join(columns)} FROM {table}"):
        key = vault.new_key(kind)
        for column, value in zip(columns, values, strict=True):
            blob = vault.seal(key, value.encode(), about(f"{table}.{column}", id))
            connection.exec_driver_sql(f"UPDATE {table} SET sealed_{column} = ? WHERE id = ?", (blob, id))


def _sealed(vault: Vault, key: bytes, data: bytes | None, *bound: str) -> bytes | None:
    return None if data is None else vault.seal(key, data, about(*bound))


def _rows(connection: sa.Connection, query: str, order: str = "id") -> Iterator[Any]:
    """Rows in batches: they are changed while they are read, but never what they are ordered by."""
    done = 0
    while rows := connection.exec_driver_sql(f"{query} ORDER BY {order} LIMIT {BATCH} OFFSET {done}").fetchall():
        yield from map(tuple, rows)
        done += len(rows)


def _quoted(table: str) -> str:
    return f'"{table}"'
