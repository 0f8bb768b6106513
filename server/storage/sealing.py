"""What of the store is sealed, with whose key, and what each seal is bound to.

Everything about a person lies under that person's key, which the seal of their name tells; rows that change hands are
sealed anew. What a sample's embedding is bound to is the same beside the sample and aside of it (``other_embedding``),
so that packs can be exchanged without opening anything.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Any

import sqlalchemy as sa

from server.storage.chunks import chunks
from server.storage.engine import backend_of
from server.storage.names import name_key, unique_key
from server.storage.rows import StorageError
from server.storage.schema import OTHER, PERSON, SAMPLE, VAULT
from server.vault import KeyDestroyed, KeyUnknown, SealError, Vault
from server.vault.seal import about, keys_of

OPTION = "visavis_vault"
# Table → sealed column → (purpose, the columns that say which row).
SEALED: Mapping[str, Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "person": {"name": ("person.name", ("id",))},
    "sample": {
        "embedding": ("sample.embedding", ("id", "pack_digest")),
        "crop": ("sample.crop", ("id",)),
        "crop_landmarks": ("sample.crop_landmarks", ("id",)),
        "content": ("sample.content", ("id",)),
    },
    "other_embedding": {"embedding": ("sample.embedding", ("sample_id", "pack_digest"))},
    "negative": {"embedding": ("negative.embedding", ("id",))},
    "seen": {"crop": ("seen.crop", ("id",))},
    "stranger": {
        "embeddings": ("stranger.embeddings", ("id", "pack_digest")),
        "qualities": ("stranger.qualities", ("id",)),
        "crop": ("stranger.crop", ("id",)),
        "crop_landmarks": ("stranger.crop_landmarks", ("id",)),
    },
    "change": {"words": ("change.words", ("id",))},
    "webhook": {"url": ("webhook.url", ("id",)), "secret": ("webhook.secret", ("id",))},
    "source": {"url": ("source.url", ("id",))},
    "server_secret": {"value": ("server_secret.value", ("name",))},
}
Opener = Callable[..., bytes]


def vault_of(connection: sa.Connection) -> Vault:
    """The vault of the store that a connection is to."""
    vault: Vault = connection.get_execution_options()[OPTION]
    return vault


# -- sealing and opening -------------------------------------------------------------------------------------------


def seal_row(connection: sa.Connection, key: bytes, table: sa.Table, row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with what is secret in it sealed; ``None`` stays what it is."""
    vault, sealed = vault_of(connection), dict(row)
    for column, (purpose, ids) in SEALED[table.name].items():
        value = row.get(column)
        if value is not None:
            data = value.encode() if isinstance(value, str) else value
            sealed[column] = vault.seal(key, data, about(purpose, *(row[id] for id in ids)))
    return sealed


def opener(connection: sa.Connection, table: str, column: str) -> Opener:
    """Opens one column: called with the sealed bytes, and what says which row (see :data:`SEALED`).

    What it gives raises :class:`StorageError`.
    """
    vault, purpose = vault_of(connection), SEALED[table][column][0]

    def open_cell(blob: bytes, *ids: str) -> bytes:
        try:
            return vault.open(blob, about(purpose, *ids))
        except SealError as error:
            raise unreadable(connection, table, column, error) from None

    return open_cell


def unreadable(connection: sa.Connection, table: str, column: str, error: SealError) -> StorageError:
    """Why something cannot be opened, and what to do."""
    cell = f"{backend_of(connection).words}: {table}.{column}"
    if isinstance(error, KeyUnknown):
        return StorageError(f"{cell}: {missing(connection)}")
    if isinstance(error, KeyDestroyed):
        return StorageError(f"{cell}: {error}; start anew, and what is left of it is erased")
    return StorageError(f"{cell}: {error}; restore a backup")


def missing(connection: sa.Connection) -> str:
    """What to do where the keyring is not the right one."""
    return MISSING.replace("keyring.sqlite3", "keyring") if backend_of(connection).shared else MISSING


MISSING = (
    "it is sealed with a key that keyring.sqlite3 does not hold: put back the keyring.sqlite3 (and master key) that "
    "was used with this store last; nothing has been changed"
)


def name_opener(connection: sa.Connection) -> Callable[[bytes, str], str]:
    """Opens names: called with the sealed name and the person's id."""
    open_cell = opener(connection, "person", "name")
    return lambda blob, person_id: open_cell(blob, person_id).decode()


def open_name(connection: sa.Connection, blob: bytes, person_id: str) -> str:
    """A person's name."""
    return name_opener(connection)(blob, person_id)


def by_name(name: str) -> tuple[str, str]:
    """What people are listed by."""
    return name_key(name), name


# -- whose key -----------------------------------------------------------------------------------------------------


def key_in(blob: bytes) -> bytes:
    """The key that something is sealed with."""
    return keys_of(blob)[0]


def key_of(connection: sa.Connection, person_id: str) -> bytes:
    """The key of a person, removed ones too."""
    blob: bytes = connection.execute(sa.select(PERSON.c.name).where(PERSON.c.id == person_id)).scalar_one()
    return key_in(blob)


def keys_of_people(connection: sa.Connection, people: Iterable[str]) -> dict[str, bytes]:
    """The keys of those of some people who are there, removed ones too."""
    found: dict[str, bytes] = {}
    for chunk in chunks(set(people)):
        query = sa.select(PERSON.c.id, PERSON.c.name).where(PERSON.c.id.in_(chunk))
        found |= {row.id: key_in(row.name) for row in connection.execute(query)}
    return found


def reseal(
    connection: sa.Connection, table: sa.Table, where: sa.ColumnElement[bool], key: Callable[[Any], bytes]
) -> int:
    """Seal rows anew with the key that ``key(row)`` gives, where it is another; returns how many changed."""
    vault, sealed = vault_of(connection), SEALED[table.name]
    ids = {id for _, columns in sealed.values() for id in columns}
    owner = [table.c.person_id] if "person_id" in table.c else []
    primary = [column.name for column in table.primary_key]
    names = dict.fromkeys([*primary, *ids, *sealed])
    changed = 0
    for row in connection.execute(sa.select(*(table.c[name] for name in names), *owner).where(where)).all():
        wanted, values = key(row), {}
        for column, (purpose, columns) in sealed.items():
            blob = getattr(row, column)
            if blob is None or keys_of(blob) == (wanted,):
                continue
            bound = about(purpose, *(getattr(row, id) for id in columns))
            try:
                values[column] = vault.seal(wanted, vault.open(blob, bound), bound)
            except SealError as error:
                raise unreadable(connection, table.name, column, error) from None
        if values:
            this = sa.and_(*(table.c[name] == getattr(row, name) for name in primary))
            connection.execute(table.update().where(this).values(**values))
            changed += 1
    return changed


def reseal_owned(connection: sa.Connection, table: sa.Table, ids: Collection[str]) -> None:
    """Seal rows that changed hands with the key of whose they are now."""
    for chunk in chunks(ids):
        owners = connection.execute(sa.select(table.c.person_id).where(table.c.id.in_(chunk))).scalars()
        keys = keys_of_people(connection, {owner for owner in owners if owner is not None})
        reseal(connection, table, table.c.id.in_(chunk), partial(_key_of_owner, keys))
        if table is SAMPLE:
            whose = dict(
                connection.execute(sa.select(SAMPLE.c.id, SAMPLE.c.person_id).where(SAMPLE.c.id.in_(chunk))).all()
            )
            of_samples = {sample: keys[person] for sample, person in whose.items()}
            reseal(connection, OTHER, OTHER.c.sample_id.in_(chunk), partial(_key_of_sample, of_samples))


def _key_of_owner(keys: Mapping[str, bytes], row: Any) -> bytes:
    return keys[row.person_id]


def _key_of_sample(keys: Mapping[str, bytes], row: Any) -> bytes:
    return keys[row.sample_id]


# -- what is found without being read --------------------------------------------------------------------------------


def index_key(connection: sa.Connection) -> bytes:
    """The key that names and photos are found by; it is another one after everybody who is forgotten."""
    key: bytes = connection.execute(sa.select(VAULT.c.index_key)).scalar_one()
    return key


def blind_name(connection: sa.Connection, name: str, room: str | None = None, removed: str | None = None) -> str:
    """What stands for :func:`server.storage.names.unique_key`."""
    return vault_of(connection).blind(index_key(connection), "name", unique_key(name, room, removed))


def blind_contents(connection: sa.Connection, contents: Iterable[str]) -> dict[str, str]:
    """What photos (SHA-256) are found by: {it: photo}."""
    vault, key = vault_of(connection), index_key(connection)
    return {vault.blind(key, "content", content): content for content in contents}


def refresh_name_keys(connection: sa.Connection, people: Collection[str] | None = None) -> None:
    """Work out anew what people are found by; whoever is removed blocks no name."""
    vault, key, name_of = vault_of(connection), index_key(connection), name_opener(connection)
    for chunk in [None] if people is None else chunks(people):
        query = sa.select(PERSON.c.id, PERSON.c.name, PERSON.c.room, PERSON.c.deleted)
        rows = connection.execute(query if chunk is None else query.where(PERSON.c.id.in_(chunk))).all()
        values = [
            {
                "this": row.id,
                "found": vault.blind(
                    key, "name", unique_key(name_of(row.name, row.id), row.room, row.id if row.deleted else None)
                ),
            }
            for row in rows
        ]
        if values:
            update = PERSON.update().where(PERSON.c.id == sa.bindparam("this"))
            connection.execute(update.values(name_key=sa.bindparam("found")), values)


def reindex(connection: sa.Connection) -> None:
    """A new key to find names and photos by: what a copy of the store holds of the old one says nothing any more."""
    vault = vault_of(connection)
    old = index_key(connection)
    connection.execute(VAULT.update().values(index_key=vault.new_key("index")))
    if vault.state(old) is True:
        vault.destroy([old])
    refresh_name_keys(connection)
    open_cell = opener(connection, "sample", "content")
    query = sa.select(SAMPLE.c.id, SAMPLE.c.content).where(SAMPLE.c.content.is_not(None))
    key = index_key(connection)
    values = [
        {"this": row.id, "found": vault.blind(key, "content", open_cell(row.content, row.id).decode())}
        for row in connection.execute(query)
    ]
    if values:
        update = SAMPLE.update().where(SAMPLE.c.id == sa.bindparam("this"))
        connection.execute(update.values(content_key=sa.bindparam("found")), values)
