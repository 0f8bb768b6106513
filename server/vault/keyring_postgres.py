"""The keyring as a schema of its own, ``visavis_keyring``, in the store's database: common to all nodes.

It is written in the store's own transaction, so what is sealed and its key are there together or not at all. Each
change has a number, which all rows it touched get too: so another node reads what is new and nothing else. What the
methods do stands at :class:`server.vault.keyring.Keyring`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server.database import WAIT, Database
from server.vault.errors import VaultError
from server.vault.keyring import (
    VERSION,
    Destroyed,
    Keyring,
    NewKey,
    Why,
    check_of,
    hash_of_row,
    is_master,
    wrap,
)

SCHEMA = "visavis_keyring"
IN_USE = 0x76697361  # held by all who have it open, or by one alone
_MAKING = IN_USE + 1
_TABLES = sa.MetaData(schema=SCHEMA)
_TIME = sa.DateTime(timezone=True)
RING = sa.Table(
    "ring",
    _TABLES,
    sa.Column("one", sa.Integer, sa.CheckConstraint("one = 1"), primary_key=True, autoincrement=False),
    sa.Column("version", sa.Integer, nullable=False),  # of these tables
    sa.Column("master", sa.LargeBinary, nullable=False),  # what tells the right master key
    sa.Column("made", _TIME, nullable=False),
    sa.Column("wrapped_at", _TIME, nullable=False),
    sa.Column("change", sa.BigInteger, nullable=False),  # the newest
)
KEY = sa.Table(
    "key",
    _TABLES,
    sa.Column("id", sa.LargeBinary, primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("wrapped", sa.LargeBinary),  # NULL: destroyed
    sa.Column("made", _TIME, nullable=False),
    sa.Column("gone", _TIME),
    sa.Column("why", sa.String(16)),
    sa.Column("old", sa.Boolean, nullable=False),
    sa.Column("change", sa.BigInteger, nullable=False, index=True),
)
ERASED = sa.Table(
    "erased",
    _TABLES,
    sa.Column("row", sa.LargeBinary, primary_key=True),
    sa.Column("at", _TIME, nullable=False),
)


def is_there(database: Database) -> bool:
    """Whether a keyring was ever made there. Raises :class:`VaultError`."""
    engine = database.engine()
    try:
        with engine.connect() as connection:
            made = sa.inspect(connection).has_table(RING.name, SCHEMA)
            return made and connection.execute(sa.select(RING.c.one)).first() is not None
    except sa.exc.DBAPIError as error:
        raise _unreachable(database.words, error) from None
    finally:
        engine.dispose()


class PostgresKeyring(Keyring):
    """The keys of one database. Any thread may call. ``alone``: nobody else may have it open. Raises
    :class:`VaultError` if it cannot be opened."""

    follows_store = True

    def __init__(self, database: Database, master: bytes, alone: bool = False) -> None:
        super().__init__(database.words, master)
        self._engine = database.engine()
        self._change = 0
        self._unsure: set[bytes] = set()  # written by us, in a transaction that may not have come about
        self._alone = alone
        sa.event.listen(self._engine, "connect", self._take)
        try:
            with self._transaction() as connection:
                self._prepare(connection)
            self.refresh()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._engine.dispose()

    # -- looking ---------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        with self._reading() as connection:
            change = connection.execute(sa.select(RING.c.change)).scalar_one()
            if change == self._change and not self._unsure:
                return
            fresh = self._read(connection, self._change)
            if not self._unsure <= fresh:  # what we wrote did not come about
                self._wrapped, self._gone = {}, {}
                self._read(connection, 0)
            self._unsure = set()
            # Rows of a later change may be in it already: they are read once more then.
            self._change = change

    def _read(self, connection: sa.Connection, after: int) -> set[bytes]:
        """Take up what changed after a change; the ids of it."""
        columns = (KEY.c.id, KEY.c.kind, KEY.c.wrapped, KEY.c.gone, KEY.c.why)
        found = set()
        for row in connection.execute(sa.select(*columns).where(KEY.c.change > after)):
            id = bytes(row.id)
            found.add(id)
            if row.wrapped is None:
                self._wrapped.pop(id, None)
                self._gone[id] = Destroyed(row.why, row.gone)
            else:
                self._wrapped[id] = (row.kind, bytes(row.wrapped))
        return found

    def count(self) -> dict[str, int]:
        query = sa.select(KEY.c.kind, sa.func.count()).where(KEY.c.wrapped.is_not(None)).group_by(KEY.c.kind)
        with self._reading() as connection:
            return {row.kind: row[1] for row in connection.execute(query)}

    def wrapped_at(self) -> datetime:
        with self._reading() as connection:
            at: datetime = connection.execute(sa.select(RING.c.wrapped_at)).scalar_one()
            return at

    def notes_rows(self) -> bool:
        with self._reading() as connection:
            return connection.execute(sa.select(ERASED.c.row).limit(1)).first() is not None

    def erased_rows(self, rows: Collection[str]) -> set[str]:
        with self._reading() as connection:
            erased = {bytes(row) for row in connection.execute(sa.select(ERASED.c.row)).scalars()}
        return {row for row in rows if hash_of_row(row) in erased}

    # -- changing --------------------------------------------------------------------------------------------------

    def write(
        self,
        new: Sequence[NewKey] = (),
        destroyed: Mapping[bytes, Why] | None = None,
        rows: Collection[str] = (),
        readmitted: Collection[str] = (),
        marks: tuple[bytes | None, bytes] | None = None,
        within: Any = None,
    ) -> None:
        now, destroyed = datetime.now(UTC), destroyed or {}
        wrapped = {key.id: (key.kind, wrap(self._master, key.id, key.kind, key.raw)) for key in new}
        hashed = [hash_of_row(row) for row in rows]
        with self._lock, self._transaction() if within is None else contextlib.nullcontext(within) as connection:
            change = self._next(connection)
            if wrapped:
                fresh = {"made": now, "old": False, "change": change}
                connection.execute(
                    KEY.insert(),
                    [{"id": id, "kind": kind, "wrapped": blob, **fresh} for id, (kind, blob) in wrapped.items()],
                )
            for why in set(destroyed.values()):
                these = [id for id, its in destroyed.items() if its == why]
                gone = KEY.update().where(KEY.c.id.in_(these), KEY.c.gone.is_(None))
                connection.execute(gone.values(wrapped=None, gone=now, why=why, change=change))
            if hashed:
                there = set(connection.execute(sa.select(ERASED.c.row).where(ERASED.c.row.in_(hashed))).scalars())
                missing = [{"row": row, "at": now} for row in dict.fromkeys(hashed) if row not in there]
                if missing:
                    connection.execute(ERASED.insert(), missing)
            if readmitted:
                connection.execute(ERASED.delete().where(ERASED.c.row.in_([hash_of_row(row) for row in readmitted])))
            self._wrapped.update(wrapped)
            for id, why in destroyed.items():
                if self._wrapped.pop(id, None):
                    self._gone[id] = Destroyed(why, now)
                    self._unsure.add(id)
            self._unsure |= set(wrapped)

    def reconcile(self, mark: bytes | None) -> None:
        """Nothing to do: they came about together."""

    def exchange_master(self, master: bytes) -> None:
        cipher = AESGCM(master)
        with self._lock:
            self.refresh()
            with self._transaction() as connection:
                change = self._next(connection)
                for id, (kind, _) in self._wrapped.items():
                    blob = wrap(cipher, id, kind, self.raw(id))
                    connection.execute(KEY.update().where(KEY.c.id == id).values(wrapped=blob, change=change))
                connection.execute(RING.update().values(master=check_of(cipher), wrapped_at=datetime.now(UTC)))
            self._master = cipher
            self.refresh()
            self.vacuum()

    def begin_replacing(self) -> None:
        if self.old():
            return
        with self._lock, self._transaction() as connection:
            these = sa.and_(KEY.c.wrapped.is_not(None), KEY.c.kind != "video")
            connection.execute(KEY.update().where(these).values(old=True))

    def old(self) -> set[bytes]:
        with self._reading() as connection:
            query = sa.select(KEY.c.id).where(KEY.c.old, KEY.c.wrapped.is_not(None))
            return {bytes(id) for id in connection.execute(query).scalars()}

    def vacuum(self) -> None:
        """Let PostgreSQL write the tables anew: destroyed keys stay in its write-ahead log until that is reused."""
        with self._lock, self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for table in _TABLES.sorted_tables:
                connection.exec_driver_sql(f'VACUUM FULL {SCHEMA}."{table.name}"')

    # -- inside ----------------------------------------------------------------------------------------------------

    def _take(self, driver: Any, _record: Any) -> None:
        """Each connection says that the keyring is in use; the lock ends with it."""
        lock = "pg_advisory_lock" if self._alone else "pg_advisory_lock_shared"
        try:
            driver.execute(f"SELECT {lock}({IN_USE})")
            driver.commit()
        except Exception as error:
            driver.rollback()
            if getattr(error, "sqlstate", None) == "55P03":  # lock_not_available
                raise VaultError(_IN_USE if self._alone else _CHANGING) from None
            raise

    def _prepare(self, connection: sa.Connection) -> None:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MAKING})")
        if not sa.inspect(connection).has_table(RING.name, SCHEMA):
            connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
            _TABLES.create_all(connection)
        ring = connection.execute(sa.select(RING)).first()
        if ring is None:
            now = datetime.now(UTC)
            row = {"one": 1, "version": VERSION, "master": check_of(self._master), "made": now, "wrapped_at": now}
            connection.execute(RING.insert(), [{**row, "change": 0}])
        elif ring.version > VERSION:
            raise VaultError(f"{self.origin}: its keyring was made by a newer version of Visavis")
        elif not is_master(self._master, bytes(ring.master)):
            raise self._wrong_master()

    def _next(self, connection: sa.Connection) -> int:
        """The number of this change. Others who write wait here. Raises :class:`VaultError` for a wrong master."""
        query = RING.update().values(change=RING.c.change + 1).returning(RING.c.change, RING.c.master)
        change, check = connection.execute(query).one()
        if not is_master(self._master, bytes(check)):
            raise self._wrong_master()
        return int(change)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except sa.exc.DBAPIError as error:
            raise _unreachable(self.origin, error) from error

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        try:
            with self._lock, self._engine.connect() as connection:
                yield connection
        except sa.exc.DBAPIError as error:
            raise _unreachable(self.origin, error) from error


def _unreachable(where: str, error: sa.exc.DBAPIError) -> VaultError:
    """Of what the driver says only the kind: addresses and names may be in its words."""
    state = getattr(error.orig, "sqlstate", None)
    if state in ("28P01", "28000"):
        return VaultError(f"{where} does not let this user in; see the setting database")
    if state == "42501":
        return VaultError(f"{where}: this user may not make the schema {SCHEMA}; grant it CREATE on the database")
    if state == "3D000":
        return VaultError(f"{where} does not exist; make it first, or see the setting database")
    if state is None:
        return VaultError(f"{where} cannot be reached; start it, or see the setting database")
    return VaultError(f"{where} cannot be used (SQLSTATE {state}); see the setting database")


_IN_USE = f"another node, or a command, has this database open (waited {WAIT} seconds); stop it first"
_CHANGING = "the keys of this database are just being exchanged; try again when that is over"
