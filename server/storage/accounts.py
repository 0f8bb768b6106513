"""Who may sign in: accounts, their passkeys and sessions, and links that work once. Of everything that opens, the hash
alone. Blocking; one thread owns the store."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import sqlalchemy as sa

from server.storage.engine import writing
from server.storage.names import MAX_NAME, name_key
from server.storage.rows import NameTaken
from server.storage.schema import METADATA, TIME
from server.visitor import Role

MAX_ACCOUNTS = 100
MAX_PASSKEYS = 20  # of one account
MAX_ONE_TIME = 500
Kind = Literal["owner", "account", "device"]

ACCOUNT = sa.Table(
    "account",
    METADATA,
    sa.Column("id", sa.String(8), primary_key=True),
    sa.Column("name", sa.String(MAX_NAME), nullable=False),
    sa.Column("name_key", sa.String(4 * MAX_NAME), nullable=False, unique=True),
    sa.Column("role", sa.String(8), nullable=False),
    sa.Column("password", sa.String(300)),  # Argon2id, with its parameters and salt
    sa.Column("created", TIME, nullable=False),
    sa.Column("used", TIME),
    sa.Column("disabled", sa.Boolean, nullable=False),
)
PASSKEY = sa.Table(
    "passkey",
    METADATA,
    sa.Column("id", sa.String(8), primary_key=True),
    sa.Column("account", sa.String(8), sa.ForeignKey("account.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("credential", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("public_key", sa.LargeBinary, nullable=False),
    sa.Column("counter", sa.Integer, nullable=False),
    sa.Column("label", sa.String(MAX_NAME), nullable=False),
    sa.Column("created", TIME, nullable=False),
    sa.Column("used", TIME),
)
SESSION = sa.Table(
    "account_session",
    METADATA,
    sa.Column("id", sa.String(8), primary_key=True),
    sa.Column("account", sa.String(8), sa.ForeignKey("account.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("hash", sa.String(64), nullable=False, unique=True),  # SHA-256 of 256 random bits
    sa.Column("created", TIME, nullable=False),
    sa.Column("used", TIME, nullable=False),
    sa.Column("device", sa.String(MAX_NAME), nullable=False),
)
ONE_TIME = sa.Table(
    "one_time_link",
    METADATA,
    sa.Column("hash", sa.String(64), primary_key=True),  # SHA-256 of 256 random bits
    sa.Column("kind", sa.String(8), nullable=False),
    sa.Column("account", sa.String(8), sa.ForeignKey("account.id", ondelete="CASCADE"), index=True),
    sa.Column("created", TIME, nullable=False),
    sa.Column("expires", TIME, nullable=False),
)


class LastOwner(ValueError):
    """Nobody else who is an owner could sign in."""


class NoSuchAccount(LookupError):
    """There is no account, passkey or session of this id."""


class TooManyAccounts(ValueError):
    """There are as many accounts, passkeys or links as there may be."""


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may sign in. ``password`` is its hash; ``used`` when they last signed in."""

    id: str
    name: str
    role: Role
    password: str | None
    created: datetime
    used: datetime | None = None
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class Passkey:
    """A key pair of somebody's device, of which the public half is kept (WebAuthn)."""

    id: str
    account: str
    credential: bytes
    public_key: bytes
    counter: int
    label: str
    created: datetime
    used: datetime | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that signed in; ``used`` to within a minute, ``device`` in words."""

    id: str
    account: str
    hash: str
    created: datetime
    used: datetime
    device: str


@dataclass(frozen=True, slots=True)
class OneTimeLink:
    """What a link that works once does: make an owner, let an account in, or another device of it."""

    hash: str
    kind: Kind
    account: str | None
    created: datetime
    expires: datetime


@dataclass(frozen=True, slots=True)
class Kept:
    """All there is of accounts: by id, and sessions by the hash of what is in their cookie."""

    accounts: Mapping[str, Account]
    passkeys: tuple[Passkey, ...]
    sessions: Mapping[str, Session]


def read_accounts(engine: sa.Engine) -> Kept:
    """All of it, the oldest first."""
    with engine.connect() as connection:

        def all_of(table: sa.Table) -> list[dict[str, Any]]:
            rows = connection.execute(sa.select(table).order_by(table.c.created, table.c.id)).mappings()
            return [{name: _utc(value) for name, value in row.items() if name != "name_key"} for row in rows]

        accounts = [Account(**row) for row in all_of(ACCOUNT)]
        passkeys = tuple(Passkey(**row) for row in all_of(PASSKEY))
        sessions = [Session(**row) for row in all_of(SESSION)]
    return Kept({one.id: one for one in accounts}, passkeys, {one.hash: one for one in sessions})


# -- accounts --------------------------------------------------------------------------------------------------------


def add_account(engine: sa.Engine, account: Account) -> None:
    """Keep a new one. Raises :class:`TooManyAccounts` and :class:`server.storage.NameTaken`."""
    with writing(engine) as connection:
        if _count(connection, ACCOUNT) >= MAX_ACCOUNTS:
            raise TooManyAccounts(f"there are {MAX_ACCOUNTS} accounts already; delete one first")
        _insert_named(connection, ACCOUNT, {**_row(ACCOUNT, account), "name_key": name_key(account.name)})


def change_account(engine: sa.Engine, id: str, **changes: Any) -> None:
    """Change some of ``name``, ``role``, ``password``, ``used`` and ``disabled``.

    Raises :class:`NoSuchAccount`, :class:`server.storage.NameTaken`, and :class:`LastOwner` where no owner who can sign
    in would be left.
    """
    if "name" in changes:
        changes["name_key"] = name_key(changes["name"])
    with writing(engine) as connection:
        found = _account(connection, id)
        loses = changes.get("role", "owner") != "owner" or changes.get("disabled", False)
        if loses:
            _require_other_owner(connection, found)
        try:
            connection.execute(ACCOUNT.update().where(ACCOUNT.c.id == id).values(**changes))
        except sa.exc.IntegrityError as error:
            raise NameTaken("another account bears this name") from error
        if changes.get("disabled"):
            connection.execute(SESSION.delete().where(SESSION.c.account == id))
            connection.execute(ONE_TIME.delete().where(ONE_TIME.c.account == id))


def delete_account(engine: sa.Engine, id: str) -> None:
    """Erase one with all it has. Raises :class:`NoSuchAccount` and :class:`LastOwner`."""
    with writing(engine) as connection:
        _require_other_owner(connection, _account(connection, id))
        connection.execute(ACCOUNT.delete().where(ACCOUNT.c.id == id))


# -- passkeys --------------------------------------------------------------------------------------------------------


def add_passkey(engine: sa.Engine, passkey: Passkey) -> None:
    """Keep a new one. Raises :class:`TooManyAccounts`, and :class:`server.storage.NameTaken` for one that is kept."""
    with writing(engine) as connection:
        if _count(connection, PASSKEY, PASSKEY.c.account == passkey.account) >= MAX_PASSKEYS:
            raise TooManyAccounts(f"this account has {MAX_PASSKEYS} passkeys already; remove one first")
        _insert_named(connection, PASSKEY, _row(PASSKEY, passkey))


def use_passkey(engine: sa.Engine, id: str, before: int, counter: int, at: datetime) -> bool:
    """Note that one was used; ``False`` where it was used at the same time, or is gone."""
    with writing(engine) as connection:
        same = sa.and_(PASSKEY.c.id == id, PASSKEY.c.counter == before)
        return bool(connection.execute(PASSKEY.update().where(same).values(counter=counter, used=at)).rowcount)


def delete_passkey(engine: sa.Engine, account: str, id: str) -> None:
    """Erase one. Raises :class:`NoSuchAccount`."""
    with writing(engine) as connection:
        mine = sa.and_(PASSKEY.c.id == id, PASSKEY.c.account == account)
        if not connection.execute(PASSKEY.delete().where(mine)).rowcount:
            raise NoSuchAccount("there is no passkey of this id")


# -- sessions --------------------------------------------------------------------------------------------------------


def add_session(engine: sa.Engine, session: Session, most: int) -> None:
    """Keep a new one; of those of its account beyond ``most``, the ones not used for longest end. Raises
    :class:`NoSuchAccount` where the account has gone or was disabled meanwhile."""
    of_account = SESSION.c.account == session.account
    with writing(engine) as connection:
        if _account(connection, session.account).disabled:
            raise NoSuchAccount("this account is disabled")
        connection.execute(SESSION.insert(), [_row(SESSION, session)])
        newest = sa.case((SESSION.c.id == session.id, 1), else_=0).desc()  # two in the same instant
        kept = sa.select(SESSION.c.id).where(of_account).order_by(newest, SESSION.c.used.desc()).limit(most)
        connection.execute(SESSION.delete().where(of_account, SESSION.c.id.not_in(kept)))
        connection.execute(ACCOUNT.update().where(ACCOUNT.c.id == session.account).values(used=session.created))


def note_sessions(engine: sa.Engine, used: Mapping[str, datetime]) -> None:
    """Some were used, by id."""
    with writing(engine) as connection:
        for id, at in used.items():
            connection.execute(SESSION.update().where(SESSION.c.id == id).values(used=at))


def end_sessions(engine: sa.Engine, ids: Collection[str]) -> None:
    """End these."""
    with writing(engine) as connection:
        connection.execute(SESSION.delete().where(SESSION.c.id.in_(ids)))


def end_all_sessions(engine: sa.Engine) -> int:
    """End every session of everybody; how many there were."""
    with writing(engine) as connection:
        return int(connection.execute(SESSION.delete()).rowcount)


# -- links that work once --------------------------------------------------------------------------------------------


def add_one_time(engine: sa.Engine, link: OneTimeLink) -> None:
    """Keep a new one; what is over goes, and another of the same kind that lets in the same account is void. Raises
    :class:`TooManyAccounts`."""
    with writing(engine) as connection:
        connection.execute(ONE_TIME.delete().where(ONE_TIME.c.expires <= link.created))
        if link.kind == "account":
            connection.execute(
                ONE_TIME.delete().where(ONE_TIME.c.kind == link.kind, ONE_TIME.c.account == link.account)
            )
        if _count(connection, ONE_TIME) >= MAX_ONE_TIME:
            raise TooManyAccounts(f"{MAX_ONE_TIME} links wait to be opened already; try again later")
        connection.execute(ONE_TIME.insert(), [_row(ONE_TIME, link)])


def take_one_time(engine: sa.Engine, hash: str, now: datetime) -> OneTimeLink | None:
    """Use one up: of several who try at once, one gets it. ``None``: wrong, used, or over."""
    with writing(engine) as connection:
        taken = ONE_TIME.delete().where(ONE_TIME.c.hash == hash, ONE_TIME.c.expires > now).returning(*ONE_TIME.c)
        row = connection.execute(taken).mappings().first()
    return None if row is None else OneTimeLink(**{name: _utc(value) for name, value in row.items()})


# --------------------------------------------------------------------------------------------------------------------


def _account(connection: sa.Connection, id: str) -> Account:
    row = connection.execute(sa.select(ACCOUNT).where(ACCOUNT.c.id == id)).mappings().first()
    if row is None:
        raise NoSuchAccount("there is no account of this id")
    return Account(**{name: _utc(value) for name, value in row.items() if name != "name_key"})


def _require_other_owner(connection: sa.Connection, account: Account) -> None:
    if account.role != "owner" or account.disabled:
        return
    can_sign_in = sa.or_(ACCOUNT.c.password.is_not(None), sa.exists().where(PASSKEY.c.account == ACCOUNT.c.id))
    others = sa.and_(ACCOUNT.c.role == "owner", ~ACCOUNT.c.disabled, ACCOUNT.c.id != account.id, can_sign_in)
    if not _count(connection, ACCOUNT, others):
        raise LastOwner("this is the last owner who can sign in; make another one first")


def _insert_named(connection: sa.Connection, table: sa.Table, row: Mapping[str, Any]) -> None:
    try:
        connection.execute(table.insert(), [row])
    except sa.exc.IntegrityError as error:
        what = "another account bears this name" if table is ACCOUNT else "this passkey is known already"
        raise NameTaken(what) from error


def _count(connection: sa.Connection, table: sa.Table, where: sa.ColumnElement[bool] | None = None) -> int:
    query = sa.select(sa.func.count()).select_from(table)
    return int(connection.execute(query if where is None else query.where(where)).scalar_one())


def _row(table: sa.Table, value: Any) -> dict[str, Any]:
    return {column.name: getattr(value, column.name) for column in table.c if hasattr(value, column.name)}


def _utc(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
