"""The audit log: rows that hold each other by their hashes, and signed marks at both ends. Blocking; one thread owns
the store.

A row's hash is the SHA-256 of all it says and of the hash before it. The mark ``head`` signs the newest, and is written
in the same transaction; the mark ``floor`` signs the newest of those that were too old to be kept. Whoever changes,
removes, adds or reorders rows, or cuts off the end, leaves a chain that :func:`walk` finds broken. What no log on the
same computer can show: that the whole of it, marks included, was put back to an earlier day.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

import sqlalchemy as sa

from server.storage.engine import writing
from server.storage.names import MAX_ROOM
from server.storage.schema import METADATA

GENESIS = "0" * 64  # the hash before the first
BEGAN, RESEALED, PRUNED = "log.began", "log.resealed", "log.pruned"
SERVER = "server"  # the actor of what nobody asked for
AUDIT = sa.Table(
    "audit",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("at", sa.String(32), nullable=False),  # ISO 8601, UTC: hashed as it is kept
    sa.Column("actor", sa.String(80), nullable=False),
    sa.Column("action", sa.String(40), nullable=False),
    sa.Column("subject", sa.String(64), nullable=False, index=True),  # an id, or nothing
    sa.Column("room", sa.String(MAX_ROOM), nullable=False),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("detail", sa.String(24), nullable=False),
    sa.Column("previous", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)
MARK = sa.Table(
    "audit_mark",
    METADATA,
    sa.Column("kind", sa.String(8), primary_key=True),  # head, floor
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("at", sa.String(32), nullable=False),
    sa.Column("key", sa.String(64), nullable=False),  # the public one, base64
    sa.Column("signature", sa.String(128), nullable=False),
)
SAID = ("at", "actor", "action", "subject", "room", "count", "detail")


class Signer(Protocol):
    """Who signs the marks."""

    @property
    def public(self) -> str:
        """The public key, base64."""

    @property
    def fingerprint(self) -> str:
        """What a person compares of it."""

    def sign(self, message: bytes) -> str:
        """A signature, base64."""


class Checker(Protocol):
    """Whether this is the signature of that key (both base64) under a message."""

    def __call__(self, public: str, message: bytes, signature: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Noted:
    """Something to write down. ``subject`` is an id, ``detail`` a word of a fixed list: no name is in it."""

    actor: str
    action: str
    subject: str = ""
    room: str = ""
    count: int = 1
    detail: str = ""
    at: str = ""
    """ISO 8601; empty: when it is written."""


@dataclass(frozen=True, slots=True)
class AuditRow:
    """A row as it is shown."""

    number: int
    said: Noted
    hash: str


@dataclass(frozen=True, slots=True)
class Place:
    """How far a walk is: the row that was found to hold last."""

    number: int
    hash: str
    rows: int = 0


@dataclass(frozen=True, slots=True)
class Broken:
    """The first row that does not hold (0: none in particular), and in words why; ``rows`` before it hold."""

    number: int
    words: str
    rows: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Asked:
    """Which rows: of an actor, an action (or all that begin with ``action.``), about an id, from and before a time."""

    actor: str = ""
    action: str = ""
    subject: str = ""
    since: str = ""
    before: str = ""


# -- writing -------------------------------------------------------------------------------------------------------


def append(engine: sa.Engine, signer: Signer, entries: Sequence[Noted]) -> int:
    """Write rows down, in order, all or none; the number of the newest."""
    with writing(engine) as connection:
        return append_in(connection, signer, entries)


def append_in(connection: sa.Connection, signer: Signer, entries: Sequence[Noted]) -> int:
    """The same within a transaction that may write."""
    now = _now()
    head = _mark(connection, "head")
    entries = [*_before(connection, head, signer), *entries]
    # On from the mark, not from what lies in the table: what was cut off its end then shows as a gap.
    number, previous = (head.number, head.hash) if head is not None else _newest(connection)
    rows = []
    for entry in entries:
        number += 1
        row: dict[str, Any] = {name: getattr(entry, name) for name in SAID} | {"at": entry.at or now}
        row |= {"number": number, "previous": previous}
        row["hash"] = previous = _hash(row)
        rows.append(row)
    if rows:
        connection.execute(AUDIT.insert(), rows)
        _sign(connection, signer, "head", number, previous, now)
    return number


def _before(connection: sa.Connection, head: Any, signer: Signer) -> list[Noted]:
    """What has to be said before anything else: that the log begins, or that what vouches for it was exchanged."""
    if head is None:
        if _newest(connection) == (0, GENESIS):
            return [Noted(SERVER, BEGAN, signer.fingerprint)]
        return [Noted(SERVER, RESEALED, signer.fingerprint, detail="mark")]
    return [Noted(SERVER, RESEALED, signer.fingerprint, detail="key")] if head.key != signer.public else []


def prune(engine: sa.Engine, signer: Signer, before: datetime) -> int:
    """Let rows go that were written before a time, and sign where the log begins now; how many went."""
    with writing(engine) as connection:
        old = sa.select(AUDIT.c.number, AUDIT.c.hash).where(AUDIT.c.at < _iso(before))
        kept = sa.select(sa.func.min(AUDIT.c.number)).where(AUDIT.c.at >= _iso(before))
        first = connection.execute(kept).scalar()
        if first is not None:  # a clock that was set back leaves no holes
            old = old.where(AUDIT.c.number < first)
        last = connection.execute(old.order_by(AUDIT.c.number.desc()).limit(1)).first()
        if last is None:
            return 0
        _sign(connection, signer, "floor", last.number, last.hash, _now())
        gone = int(connection.execute(AUDIT.delete().where(AUDIT.c.number <= last.number)).rowcount)
        append_in(connection, signer, [Noted(SERVER, PRUNED, count=gone, detail="retention")])
        return gone


def _sign(connection: sa.Connection, signer: Signer, kind: str, number: int, hash: str, at: str) -> None:
    row = {"number": number, "hash": hash, "at": at, "key": signer.public}
    row["signature"] = signer.sign(_marked(kind, number, hash, at))
    if not connection.execute(MARK.update().where(MARK.c.kind == kind).values(**row)).rowcount:
        connection.execute(MARK.insert(), [{"kind": kind, **row}])


# -- reading -------------------------------------------------------------------------------------------------------


def find(engine: sa.Engine, asked: Asked, limit: int, after: int | None = None) -> list[AuditRow]:
    """Rows, the newest first; ``after``: older than the one of this number."""
    query = sa.select(AUDIT).order_by(AUDIT.c.number.desc()).limit(limit)
    if after is not None:
        query = query.where(AUDIT.c.number < after)
    for name in ("actor", "subject"):
        if value := getattr(asked, name):
            query = query.where(AUDIT.c[name] == value)
    if asked.action:
        group = asked.action.endswith(".")
        query = query.where(
            AUDIT.c.action.startswith(asked.action, autoescape=True) if group else AUDIT.c.action == asked.action
        )
    if asked.since:
        query = query.where(AUDIT.c.at >= asked.since)
    if asked.before:
        query = query.where(AUDIT.c.at < asked.before)
    with engine.connect() as connection:
        return [
            AuditRow(row.number, Noted(**{name: getattr(row, name) for name in SAID}), row.hash)
            for row in connection.execute(query)
        ]


def count(engine: sa.Engine) -> int:
    """How many rows there are."""
    with engine.connect() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(AUDIT)).scalar_one())


def walk(
    engine: sa.Engine, public: str, check: Checker, place: Place | None = None, limit: int = 1000
) -> Place | Broken | None:
    """Go ``limit`` rows on from a place (``None``: from the beginning) and say where that is; ``None`` at the end,
    where all of it holds. ``public`` is the key that has to have signed the marks."""
    with engine.connect() as connection:
        try:
            marks = {kind: _mark(connection, kind) for kind in ("head", "floor")}
        except sa.exc.DatabaseError:  # bytes that are no text
            return Broken(0, "a signature cannot be read")
        for kind, mark in marks.items():
            if mark is not None and (words := _unsigned(kind, mark, public, check)):
                return Broken(mark.number if isinstance(mark.number, int) else 0, words)
        floor, head = marks["floor"], marks["head"]
        if place is None:
            place = Place(0, GENESIS) if floor is None else Place(floor.number, floor.hash)
            lower = connection.execute(sa.select(sa.func.min(AUDIT.c.number))).scalar()
            if lower is not None and lower <= place.number:
                return Broken(lower, "a row stands where none can be: before the first")
        rows = connection.execute(_raw(connection), {"after": place.number, "limit": limit}).all()
    for raw in rows:
        row = _decoded(raw)
        number = raw[0]
        if number != place.number + 1:
            return Broken(place.number + 1, "a row is missing", place.rows)
        if row is None or row["previous"] != place.hash:
            return Broken(number, "it does not follow from the row before", place.rows)
        if _hash(row) != row["hash"]:
            return Broken(number, "it was changed", place.rows)
        if row["action"] == RESEALED:
            what = "another key signs" if row["detail"] == "key" else "the signature was gone, and made anew,"
            return Broken(number, f"{what} from here on", place.rows)
        place = Place(number, row["hash"], place.rows + 1)
    if len(rows) == limit:
        return place
    if head is None:
        return Broken(place.number, "the signature of the newest row is missing", place.rows)
    if head.number > place.number:
        return Broken(place.number + 1, "the end was cut off", place.rows)
    if (head.number, head.hash) != (place.number, place.hash):
        return Broken(head.number + 1, "rows were added without a signature", place.rows)
    return None


def _raw(connection: sa.Connection) -> sa.TextClause:
    """Rows after one. Text is read as the bytes that lie there: some that are no text must not stop the walk."""
    sqlite = connection.dialect.name == "sqlite"
    columns = ("at", "actor", "action", "subject", "room", "detail", "previous", "hash")
    text = ", ".join(f"CAST({name} AS BLOB)" if sqlite else f"convert_to({name}, 'UTF8')" for name in columns)
    count = "CAST(count AS BLOB)" if sqlite else "count"
    return sa.text(f"SELECT number, {count}, {text} FROM audit WHERE number > :after ORDER BY number LIMIT :limit")


def _decoded(raw: Any) -> dict[str, Any] | None:
    names = ("at", "actor", "action", "subject", "room", "detail", "previous", "hash")
    try:
        row: dict[str, Any] = {name: value.decode() for name, value in zip(names, raw[2:], strict=True)}
        return row | {"number": raw[0], "count": int(raw[1])}
    except (UnicodeDecodeError, ValueError, AttributeError, TypeError):
        return None


def _unsigned(kind: str, mark: Any, public: str, check: Checker) -> str:
    if mark.key != public:
        return "it is signed with another key than this server's"
    if not check(mark.key, _marked(kind, mark.number, mark.hash, mark.at), mark.signature):
        return "the signature does not fit"
    return ""


def _mark(connection: sa.Connection, kind: str) -> Any:
    return connection.execute(sa.select(MARK).where(MARK.c.kind == kind)).first()


def _newest(connection: sa.Connection) -> tuple[int, str]:
    row = connection.execute(sa.select(AUDIT.c.number, AUDIT.c.hash).order_by(AUDIT.c.number.desc()).limit(1)).first()
    return (0, GENESIS) if row is None else (row.number, row.hash)


def _hash(row: dict[str, Any]) -> str:
    said = [row["number"], *(row[name] for name in SAID), row["previous"]]
    return hashlib.sha256(json.dumps(said, separators=(",", ":")).encode()).hexdigest()


def _marked(kind: str, number: int, hash: str, at: str) -> bytes:
    return json.dumps(["visavis-audit", kind, number, hash, at], separators=(",", ":")).encode()


def _now() -> str:
    return _iso(datetime.now(UTC))


def _iso(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="microseconds")
