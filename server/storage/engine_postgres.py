"""The store in a PostgreSQL database that several nodes have open at once.

One of them writes at a time: each transaction that may write takes a lock of the whole database first, as a SQLite file
would give. So what was read in it holds until it is committed, and numbers follow each other in the order of commits.
The keyring lies in the same database and is written in the same transaction. Each transaction that changed something
gets the next number, and tells it to all who listen (:mod:`server.storage.listener`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from alembic import command
from alembic.util.exc import CommandError

from server.database import Database
from server.storage.change_number import CHANNEL, STORE_CHANGE
from server.storage.consents import CONSENT
from server.storage.elsewhere import Changes, Elsewhere
from server.storage.engine import BACKEND, TOUCHED, WRITES, migrate, migrations
from server.storage.faults import fault
from server.storage.postgres_guards import GUARDS
from server.storage.rows import StorageError
from server.storage.schema import GALLERY_SETTING, METADATA, NEGATIVE, PERSON, SAMPLE, VAULT
from server.storage.sealing import OPTION, vault_of
from server.vault import Vault

WRITER = 0x76697300  # the lock of whoever writes
MOST_TOLD = 100  # people in one notification, which may have 8,000 bytes
RECOGNISED_BY = frozenset(table.name for table in (PERSON, SAMPLE, NEGATIVE, CONSENT, GALLERY_SETTING))
"""Tables that galleries are made of."""


@dataclass
class Touched:
    """What a transaction has changed."""

    tables: set[str] = field(default_factory=set)
    people: set[str] | None = None

    def name(self, people: Collection[str]) -> None:
        """Say whose template it may alter."""
        self.people = (self.people or set()) | set(people)

    def told(self) -> list[str] | None:
        """Who is to be read anew; ``None``: everybody."""
        if not self.tables & RECOGNISED_BY:
            return []
        if self.people is None or len(self.people) > MOST_TOLD or GALLERY_SETTING.name in self.tables:
            return None
        return sorted(self.people)


class PostgresDatabase:
    """One database. What the methods do stands at :class:`server.storage.engine.Backend`."""

    shared = True

    def __init__(self, database: Database) -> None:
        self.database = database
        self.words = database.words
        self.node = uuid4().hex[:12]
        """Who wrote, in notifications: another one for each that has the store open."""

    def prepare(self) -> None:
        """Nothing: the database is made by whoever looks after the server it is on."""

    def open(self, vault: Vault) -> sa.Engine:
        """Open it; the tables are made where there are none. Raises :class:`StorageError`."""
        made = self.database.engine()
        engine = made.execution_options(**{OPTION: vault, BACKEND: self})
        sa.event.listen(engine, "begin", _begin)
        sa.event.listen(engine, "after_cursor_execute", _note)
        sa.event.listen(engine, "commit", _commit)
        sa.event.listen(engine, "rollback", _rollback)
        try:
            with engine.execution_options(**{WRITES: True}).begin() as connection:
                self._bring_up_to_date(connection)
        except sa.exc.DatabaseError as error:
            engine.dispose()
            raise self.cannot_open(error) from error
        except CommandError as error:
            engine.dispose()
            raise StorageError(f"cannot open {self.words}: it was made by a newer version of Visavis") from error
        except BaseException:
            engine.dispose()
            raise
        return engine

    def cannot_open(self, error: sa.exc.DatabaseError) -> StorageError:
        """Of what PostgreSQL says only what is known to hold no secret."""
        state = getattr(error.orig, "sqlstate", None)
        if state == "42501":
            return StorageError(f"cannot open {self.words}: this user may not make tables there; grant it CREATE")
        found = fault(error)
        words = found.words if found is not None else f"it answered with SQLSTATE {state}; see the setting database"
        return StorageError(f"cannot open {self.words}: {words}")

    def version(self, engine: sa.Engine) -> int:
        """The number of the newest change, whoever made it."""
        with engine.connect() as connection:
            return int(connection.execute(sa.select(STORE_CHANGE.c.number)).scalar_one())

    def changes(self, told: Callable[[Elsewhere], None]) -> Changes:
        """Follow what other nodes write."""
        return Changes(self.database, self.node, told)

    def erase_traces(self, engine: sa.Engine) -> bool:
        """Its write-ahead log is PostgreSQL's own affair: nothing can be done from here."""
        return True

    def clean(self, engine: sa.Engine) -> None:
        """Let PostgreSQL give the room of deleted rows free to be written over, and write the keyring anew."""
        with engine.connect() as connection:
            if not connection.execute(sa.select(VAULT.c.dirty)).scalar():
                return
        names = ", ".join(f'"{table.name}"' for table in METADATA.sorted_tables)
        driver = engine.raw_connection()
        try:
            driver.rollback()
            connected: Any = driver.driver_connection
            connected.autocommit, connected.read_only, connected.isolation_level = True, None, None
            try:
                connected.execute(f"VACUUM {names}")
            finally:
                connected.autocommit = False
        finally:
            driver.close()
        vault: Vault = engine.get_execution_options()[OPTION]
        vault.keyring.vacuum()
        with engine.execution_options(**{WRITES: True}).begin() as connection:
            connection.execute(VAULT.update().values(dirty=False))

    def _bring_up_to_date(self, connection: sa.Connection) -> None:
        if (encoding := connection.exec_driver_sql("SHOW server_encoding").scalar_one()) != "UTF8":
            words = f"its encoding is {encoding}; make it anew with ENCODING 'UTF8' TEMPLATE template0"
            raise StorageError(f"cannot open {self.words}: {words}")
        if sa.inspect(connection).has_table("alembic_version"):
            migrate(connection)
        else:
            _make(connection)
        if connection.execute(sa.select(VAULT.c.id)).first() is None:
            vault = vault_of(connection)
            keys = {"index_key": vault.new_key("index"), "common_key": vault.new_key("common")}
            connection.execute(VAULT.insert(), [{"id": 1, "dirty": False, **keys}])


def _make(connection: sa.Connection) -> None:
    """All tables as they are today, in one step: tests hold them against those that the steps make."""
    from server.storage import all_tables  # each of which is opened by means of this module

    all_tables.schema.METADATA.create_all(connection)
    for statement in GUARDS:
        connection.exec_driver_sql(statement)
    connection.execute(STORE_CHANGE.insert(), [{"id": 1, "number": 0}])
    command.stamp(migrations(connection), "head")


def _begin(connection: sa.Connection) -> None:
    import psycopg

    # Whoever reads sees one moment throughout; whoever writes sees what was written before they came in.
    writes = bool(connection.get_execution_options().get(WRITES))
    driver: Any = connection.connection.driver_connection
    level = psycopg.IsolationLevel.READ_COMMITTED if writes else psycopg.IsolationLevel.REPEATABLE_READ
    driver.isolation_level, driver.read_only = level, not writes
    connection.info[TOUCHED] = Touched()
    if writes:
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (WRITER,))


def _note(connection: sa.Connection, cursor: Any, _statement: str, _parameters: Any, context: Any, _many: bool) -> None:
    statement = context.invoked_statement
    if isinstance(statement, sa.UpdateBase) and cursor.rowcount != 0:
        touched: Touched = connection.info[TOUCHED]
        touched.tables.add(str(getattr(statement.table, "name", "")))


def _commit(connection: sa.Connection) -> None:
    touched: Touched = connection.info[TOUCHED]
    vault = vault_of(connection)
    if vault.pending:
        vault.flush(None, connection)
    if not touched.tables:
        return
    tables, people = sorted(touched.tables), touched.told()
    number = connection.execute(
        STORE_CHANGE.update().values(number=STORE_CHANGE.c.number + 1).returning(STORE_CHANGE.c.number)
    ).scalar_one()
    backend: PostgresDatabase = connection.get_execution_options()[BACKEND]
    told = json.dumps({"change": number, "node": backend.node, "people": people, "tables": tables})
    connection.exec_driver_sql("SELECT pg_notify(%s, %s)", (CHANNEL, told))


def _rollback(connection: sa.Connection) -> None:
    vault_of(connection).drop()
