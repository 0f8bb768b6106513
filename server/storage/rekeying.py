"""New keys for everybody and everything in the store, a few at a time; what was interrupted goes on where it was.

Copies made before can be read no more: their keys are destroyed one after the other, as *replaced*, so that such a copy
is refused instead of being taken for one whose people were all forgotten.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from functools import partial

import sqlalchemy as sa

from server.storage.engine import clean, mark_dirty, writing
from server.storage.events import WEBHOOK
from server.storage.inbox import STRANGER
from server.storage.schema import CHANGE, CHANGE_ROW, NEGATIVE, OTHER, PERSON, SAMPLE, SEEN, VAULT
from server.storage.sealing import key_in, opener, reindex, reseal, seal_row, vault_of
from server.storage.sources import TABLE as SOURCE
from server.vault.keyring import Kind
from server.vault.seal import about, keys_of

BATCH = 100  # people, or other rows, in one transaction
# Rows with a key of their own, and the column that says which.
ALONE: tuple[tuple[sa.Table, str, Kind], ...] = (
    (STRANGER, "embeddings", "stranger"),
    (SEEN, "crop", "seen"),
    (WEBHOOK, "secret", "webhook"),
    (SOURCE, "url", "source"),
)
Step = Callable[[sa.Connection, set[bytes]], int]


def rekey(engine: sa.Engine, told: Callable[[int], None] = lambda count: None) -> int:
    """Seal everything anew; returns how many keys were replaced. ``told`` hears so after each batch. Blocks."""
    with engine.connect() as connection:
        vault = vault_of(connection)
    vault.keyring.begin_replacing()
    done = 0
    steps: list[Step] = [_people, *(partial(_alone, *row) for row in ALONE)]
    for step in steps:
        while count := _in_transaction(engine, step):
            done += count
            told(done)
    done += _in_transaction(engine, _common)
    left = vault.keyring.old()  # of nothing that is in this store
    vault.keyring.write(destroyed=dict.fromkeys(left, "replaced"))
    with writing(engine) as connection:
        mark_dirty(connection)
    clean(engine)
    told(done)
    return done


def _in_transaction(engine: sa.Engine, step: Step) -> int:
    with writing(engine) as connection:
        return step(connection, vault_of(connection).keyring.old())


def _people(connection: sa.Connection, old: set[bytes]) -> int:
    """The next few people who have an old key, with all that is theirs."""
    vault = vault_of(connection)
    rows = connection.execute(sa.select(PERSON.c.id, PERSON.c.name)).all()
    chosen = [(row.id, key_in(row.name)) for row in rows if key_in(row.name) in old][:BATCH]
    keys = {person: vault.new_key("person") for person, _ in chosen}
    replaced = {before: keys[person] for person, before in chosen}
    _change_words(connection, replaced)
    reseal(connection, PERSON, PERSON.c.id.in_(keys), lambda row: keys[row.id])
    for table in (SAMPLE, NEGATIVE, SEEN):
        reseal(connection, table, table.c.person_id.in_(keys), lambda row: keys[row.person_id])
    owners: dict[str, str] = {
        row.id: row.person_id
        for row in connection.execute(sa.select(SAMPLE.c.id, SAMPLE.c.person_id).where(SAMPLE.c.person_id.in_(keys)))
    }
    mine = sa.select(SAMPLE.c.id).where(SAMPLE.c.person_id.in_(keys))
    reseal(connection, OTHER, OTHER.c.sample_id.in_(mine), lambda row: keys[owners[row.sample_id]])
    _notes(connection, keys)
    vault.destroy(replaced, why="replaced")
    return len(chosen)


def _alone(table: sa.Table, telling: str, kind: Kind, connection: sa.Connection, old: set[bytes]) -> int:
    """The next few rows that have a key of their own, and an old one."""
    vault, column = vault_of(connection), table.c[telling]
    mine = table.c.person_id.is_(None) if table is SEEN else sa.true()
    rows = connection.execute(sa.select(table.c.id, column.label("blob")).where(mine, column.is_not(None))).all()
    replaced = {row.id: key_in(row.blob) for row in rows if key_in(row.blob) in old}
    chosen = dict(list(replaced.items())[:BATCH])
    reseal(connection, table, table.c.id.in_(chosen), lambda row: vault.new_key(kind))
    vault.destroy(chosen.values(), why="replaced")
    return len(chosen)


def _common(connection: sa.Connection, old: set[bytes]) -> int:
    """The keys of the store itself."""
    vault = vault_of(connection)
    index, common = connection.execute(sa.select(VAULT.c.index_key, VAULT.c.common_key)).one()
    if index in old:
        reindex(connection)
    if common in old:
        new = vault.new_key("common")
        _change_words(connection, {common: new})
        connection.execute(VAULT.update().values(common_key=new))
        vault.destroy([common], why="replaced")
    return (index in old) + (common in old)


def _change_words(connection: sa.Connection, replaced: Mapping[bytes, bytes]) -> None:
    vault, open_cell = vault_of(connection), opener(connection, CHANGE.name, "words")
    for row in connection.execute(sa.select(CHANGE.c.id, CHANGE.c.words)).all():
        before = keys_of(row.words)
        keys = [replaced.get(key, key) for key in before]
        if tuple(keys) == before:
            continue
        data, bound = open_cell(row.words, row.id), about("change.words", row.id)
        words = vault.seal(keys[0], data, bound) if len(keys) == 1 else vault.seal_together(keys, data, bound)
        connection.execute(CHANGE.update().where(CHANGE.c.id == row.id).values(words=words))


def _notes(connection: sa.Connection, keys: Mapping[str, bytes]) -> None:
    """Names that changes have noted."""
    where = sa.and_(CHANGE_ROW.c.table == PERSON.name, CHANGE_ROW.c.row.in_(keys))
    open_cell = opener(connection, PERSON.name, "name")
    for row in connection.execute(sa.select(CHANGE_ROW).where(where)).all():
        values = {}
        for side, said in (("before", row.before), ("after", row.after)):
            if said.get("name") is not None:
                name = open_cell(base64.b64decode(said["name"]), row.row)
                blob = seal_row(connection, keys[row.row], PERSON, {"id": row.row, "name": name})["name"]
                values[side] = {**said, "name": base64.b64encode(blob).decode()}
        if values:
            connection.execute(CHANGE_ROW.update().where(CHANGE_ROW.c.number == row.number).values(**values))
