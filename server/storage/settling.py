"""What is done when a store is opened: its seals are held against the keyring.

What a destroyed key sealed is erased: so a change ends that was interrupted, and a copy of yesterday loses whoever was
forgotten since. What an unknown key sealed is left alone, and opening refused: the keyring is not the right one.
"""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from server.storage.chunks import chunks
from server.storage.engine import backend_of
from server.storage.events import WEBHOOK
from server.storage.inbox import STRANGER
from server.storage.journal import forget_changes, forget_words
from server.storage.rows import StorageError
from server.storage.schema import CHANGE, NEGATIVE, OTHER, PERSON, SAMPLE, SEEN, VAULT
from server.storage.sealing import index_key, missing, reindex, vault_of
from server.storage.sources import TABLE as SOURCE
from server.vault import Vault
from server.vault.keyring import Destroyed
from server.vault.seal import keys_of

# One column of each row says its key: whatever is sealed of a row is so with the same one.
TELLING = (
    PERSON.c.name,
    SAMPLE.c.embedding,
    OTHER.c.embedding,
    NEGATIVE.c.embedding,
    SEEN.c.crop,
    STRANGER.c.embeddings,
    WEBHOOK.c.secret,
    SOURCE.c.url,
)


def settle(connection: sa.Connection) -> int:
    """Bring store and keyring together; returns how many rows were erased. Raises :class:`StorageError` where keys are
    missing, and changes nothing then."""
    vault = vault_of(connection)
    vault.refresh()
    vault.keyring.reconcile(connection.execute(sa.select(VAULT.c.mark)).scalar())
    gone = _destroyed(connection, vault)
    erased = _erase_sealed(connection, gone) if gone else 0
    erased += _erase_noted(connection, vault)
    if not isinstance(vault.state(index_key(connection)), bool) or not vault.state(index_key(connection)):
        reindex(connection)
    common = connection.execute(sa.select(VAULT.c.common_key)).scalar_one()
    if vault.state(common) is not True:
        connection.execute(VAULT.update().values(common_key=vault.new_key("common")))
    if erased:
        connection.execute(VAULT.update().values(dirty=True))
    return erased


def keys_used(connection: sa.Connection) -> Iterator[bytes]:
    """Every key that seals something in the store, some of them more than once."""
    for column in TELLING:
        query = sa.select(_key(column)).where(column.is_not(None)).distinct()
        yield from connection.execute(query).scalars()
    for words in connection.execute(sa.select(CHANGE.c.words)).scalars():
        yield from keys_of(words)


def _destroyed(connection: sa.Connection, vault: Vault) -> set[bytes]:
    """The keys in use that have been destroyed."""
    gone = set()
    for key in set(keys_used(connection)):
        match vault.state(key):
            case False:
                raise StorageError(f"cannot open {backend_of(connection).words}: {missing(connection)}")
            case Destroyed(why="replaced", at=at):
                where = backend_of(connection).words
                raise StorageError(
                    f"cannot open {where}: everybody's keys were exchanged on {at:%Y-%m-%d}, after it was made "
                    "(visavis vault rotate --people); put back a copy made since; nothing has been changed"
                )
            case Destroyed():
                gone.add(key)
    return gone


def _erase_sealed(connection: sa.Connection, keys: set[bytes]) -> int:
    """Erase what some keys sealed."""
    erased = forget_words(connection, keys)
    for column in TELLING:
        used = set(connection.execute(sa.select(_key(column)).where(column.is_not(None)).distinct()).scalars())
        for chunk in chunks([key.hex() for key in used & keys]):
            these = _key(column).in_([bytes.fromhex(key) for key in chunk])
            forget_changes(connection, _rows_of(connection, column.table, these))
            erased += connection.execute(column.table.delete().where(these)).rowcount
    return erased


def _rows_of(connection: sa.Connection, table: sa.Table, where: sa.ColumnElement[bool]) -> list[str]:
    """The rows that changes may speak of: these, and all of people among them."""
    if table not in (PERSON, SAMPLE, NEGATIVE):
        return []
    ids = list(connection.execute(sa.select(table.c.id).where(where)).scalars())
    for owned in (SAMPLE, NEGATIVE) if table is PERSON else ():
        for chunk in chunks(ids):
            ids += connection.execute(sa.select(owned.c.id).where(owned.c.person_id.in_(chunk))).scalars()
    return ids


def _erase_noted(connection: sa.Connection, vault: Vault) -> int:
    """Erase rows that the keyring notes as erased: pictures that had another owner in this copy."""
    if not vault.keyring.notes_rows():
        return 0
    erased = 0
    for table in (PERSON, SAMPLE, NEGATIVE):
        ids = vault.keyring.erased_rows(connection.execute(sa.select(table.c.id)).scalars().all())
        forget_changes(connection, ids)
        for chunk in chunks(ids):
            erased += connection.execute(table.delete().where(table.c.id.in_(chunk))).rowcount
    return erased


def _key(column: sa.Column[bytes]) -> sa.ColumnElement[bytes]:
    """The key's id in a seal made with one key; see :mod:`server.vault.seal`."""
    return sa.func.substr(column, 2, 16, type_=sa.LargeBinary)
