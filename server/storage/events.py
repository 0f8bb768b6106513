"""What is told of sightings, and to which webhooks it still has to go. All of it blocks; one thread owns the store.

A name is never written down here: whoever is forgotten takes the events about them along, sent or not.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

import sqlalchemy as sa

from server.storage.engine import writing
from server.storage.names import MAX_ROOM
from server.storage.schema import METADATA, PERSON, TIME
from server.storage.sealing import SEALED, Opener, key_in, opener, seal_row, vault_of

EventKind = Literal["named", "unknown", "left"]
KINDS: tuple[EventKind, ...] = get_args(EventKind)
MAX_WEBHOOKS = 20
MAX_WAITING = 10_000  # deliveries of one webhook; beyond, the oldest are given up
MAX_URL = 2000
EVENT = sa.Table(
    "event",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("id", sa.String(32), nullable=False, unique=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("sighting", sa.String(32), nullable=False, index=True),
    sa.Column("person_id", sa.String(32), sa.ForeignKey("person.id", ondelete="CASCADE"), index=True),
    sa.Column("room", sa.String(MAX_ROOM)),
    sa.Column("session", sa.String(64), nullable=False),
    sa.Column("began", TIME, nullable=False),
    sa.Column("at", TIME, nullable=False, index=True),
    sa.Column("probability", sa.Float),
    sqlite_autoincrement=True,  # a number is never given twice, so that a reader can go on after the last one it had
)
WEBHOOK = sa.Table(
    "webhook",
    METADATA,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("url", sa.LargeBinary, nullable=False),
    sa.Column("secret", sa.LargeBinary, nullable=False),
    sa.Column("kinds", sa.JSON, nullable=False),
    sa.Column("room", sa.String(MAX_ROOM)),  # NULL: any
    sa.Column("created", TIME, nullable=False),
    sa.Column("delivered", sa.Integer, nullable=False),
    sa.Column("last", TIME),  # attempt
    sa.Column("words", sa.String(200), nullable=False),  # what became of it
)
DELIVERY = sa.Table(
    "delivery",
    METADATA,
    sa.Column("webhook_id", sa.String(32), sa.ForeignKey("webhook.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("event_number", sa.Integer, sa.ForeignKey("event.number", ondelete="CASCADE"), primary_key=True),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("due", TIME, nullable=False, index=True),
    sa.Column("dead", sa.Boolean, nullable=False),  # given up, and shown
    sa.Column("words", sa.String(200), nullable=False),  # why it did not arrive
)


class TooManyWebhooks(ValueError):
    """There are as many as there may be."""


@dataclass(frozen=True, slots=True)
class NewEvent:
    """Something to tell."""

    id: str
    kind: EventKind
    sighting: str
    person: str | None
    room: str | None
    session: str
    began: datetime
    at: datetime
    probability: float | None


@dataclass(frozen=True, slots=True)
class Event:
    """Something told, with the person's name as it is now."""

    number: int
    name: str | None
    said: NewEvent


@dataclass(frozen=True, slots=True)
class Webhook:
    """Who is told of what. ``waiting`` and ``dead`` count deliveries under way and given up."""

    id: str
    url: str
    secret: str
    kinds: tuple[str, ...]
    room: str | None
    created: datetime
    delivered: int = 0
    last: datetime | None = None
    words: str = ""
    waiting: int = 0
    dead: int = 0


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event on its way to a webhook."""

    webhook: Webhook
    event: Event
    attempts: int
    due: datetime
    words: str = ""


# -- events --------------------------------------------------------------------------------------------------------


def add_events(connection: sa.Connection, events: Sequence[NewEvent]) -> list[tuple[int, str]]:
    """Note events, and a delivery for each webhook that wants one; number and id of each. Those that are noted already
    are left as they are, so that whoever is not sure may write again."""
    noted = set(connection.execute(sa.select(EVENT.c.id).where(EVENT.c.id.in_([e.id for e in events]))).scalars())
    events = [event for event in events if event.id not in noted]
    if not events:
        return []
    hooks = connection.execute(sa.select(WEBHOOK.c.id, WEBHOOK.c.kinds, WEBHOOK.c.room)).all()
    added = []
    for event in events:
        row = {
            "id": event.id, "kind": event.kind, "sighting": event.sighting, "person_id": event.person,
            "room": event.room, "session": event.session, "began": event.began, "at": event.at,
            "probability": event.probability,
        }  # fmt: skip
        (number,) = connection.execute(EVENT.insert().values(row)).inserted_primary_key or (0,)
        added.append((int(number), event.id))
        for hook in hooks:
            if event.kind in hook.kinds and hook.room in (None, event.room):
                fresh = {"webhook_id": hook.id, "event_number": number, "attempts": 0, "due": event.at}
                connection.execute(DELIVERY.insert(), [{**fresh, "dead": False, "words": ""}])
    for hook in hooks:
        _give_up_oldest(connection, hook.id)
    return added


def _give_up_oldest(connection: sa.Connection, webhook: str) -> None:
    waiting = sa.and_(DELIVERY.c.webhook_id == webhook, ~DELIVERY.c.dead)
    newest = sa.select(DELIVERY.c.event_number).where(waiting).order_by(DELIVERY.c.event_number.desc())
    cut = connection.execute(newest.offset(MAX_WAITING).limit(1)).scalar()
    if cut is not None:
        words = f"more than {MAX_WAITING:,} were waiting"
        older = sa.and_(waiting, DELIVERY.c.event_number <= cut)
        connection.execute(DELIVERY.update().where(older).values(dead=True, words=words))


def events_after(engine: sa.Engine, number: int, limit: int) -> list[Event]:
    """Events that came after one, the oldest first; of removed people none."""
    query = sa.select(EVENT, PERSON.c.name).select_from(EVENT.join(PERSON, isouter=True))
    query = query.where(EVENT.c.number > number, PERSON.c.deleted.is_(None)).order_by(EVENT.c.number).limit(limit)
    with engine.connect() as connection:
        open_cell = _openers(connection)
        return [_event(row, open_cell) for row in connection.execute(query)]


def newest_event(engine: sa.Engine) -> int:
    """The number of the newest event, 0 before the first."""
    with engine.connect() as connection:
        return int(connection.execute(sa.select(sa.func.max(EVENT.c.number))).scalar() or 0)


def erase_events(connection: sa.Connection, before: datetime) -> int:
    """Erase old events that wait for nobody; those given up as well."""
    waiting = sa.exists().where(DELIVERY.c.event_number == EVENT.c.number, ~DELIVERY.c.dead)
    return int(connection.execute(EVENT.delete().where(EVENT.c.at < before, ~waiting)).rowcount)


# -- webhooks ------------------------------------------------------------------------------------------------------


def webhooks(engine: sa.Engine) -> list[Webhook]:
    """All of them, the oldest first."""
    waiting = sa.func.count(DELIVERY.c.event_number).filter(~DELIVERY.c.dead)
    dead = sa.func.count(DELIVERY.c.event_number).filter(DELIVERY.c.dead)
    query = sa.select(WEBHOOK, waiting.label("waiting"), dead.label("dead"))
    query = query.select_from(WEBHOOK.join(DELIVERY, isouter=True)).group_by(WEBHOOK.c.id)
    with engine.connect() as connection:
        rows = connection.execute(query.order_by(WEBHOOK.c.created, WEBHOOK.c.id))
        open_cell = _openers(connection)
        return [_webhook(row, row.waiting, row.dead, open_cell) for row in rows]


def add_webhook(engine: sa.Engine, hook: Webhook) -> None:
    """Keep a new one. Raises :class:`TooManyWebhooks`."""
    with writing(engine) as connection:
        if connection.execute(sa.select(sa.func.count()).select_from(WEBHOOK)).scalar_one() >= MAX_WEBHOOKS:
            raise TooManyWebhooks(f"there are {MAX_WEBHOOKS} webhooks already; remove one first")
        row = {
            "id": hook.id, "url": hook.url, "secret": hook.secret, "kinds": list(hook.kinds), "room": hook.room,
            "created": hook.created, "delivered": 0, "words": "",
        }  # fmt: skip
        key = vault_of(connection).new_key("webhook")
        connection.execute(WEBHOOK.insert(), [seal_row(connection, key, WEBHOOK, row)])


def delete_webhook(engine: sa.Engine, id: str) -> bool:
    """Remove one with all that waits for it; whether there was one."""
    with writing(engine) as connection:
        secrets = connection.execute(sa.select(WEBHOOK.c.secret).where(WEBHOOK.c.id == id)).scalars()
        vault_of(connection).destroy([key_in(secret) for secret in secrets])
        return bool(connection.execute(WEBHOOK.delete().where(WEBHOOK.c.id == id)).rowcount)


def due(engine: sa.Engine, now: datetime, limit: int) -> tuple[list[Delivery], datetime | None]:
    """What is to be sent now, in the order it happened, and when the next is due.

    What happened before something that waits for another try waits as well: each webhook gets its events in order.
    """
    first = sa.select(DELIVERY.c.webhook_id, sa.func.min(DELIVERY.c.event_number).label("first"))
    head = first.where(~DELIVERY.c.dead).group_by(DELIVERY.c.webhook_id).subquery()
    front = DELIVERY.join(
        head, sa.and_(head.c.webhook_id == DELIVERY.c.webhook_id, head.c.first == DELIVERY.c.event_number)
    )
    with engine.connect() as connection:
        heads = connection.execute(sa.select(DELIVERY.c.webhook_id, DELIVERY.c.due).select_from(front)).all()
        ready = [row.webhook_id for row in heads if row.due.replace(tzinfo=UTC) <= now]
        later = [row.due.replace(tzinfo=UTC) for row in heads if row.webhook_id not in ready]
        query = _deliveries().where(DELIVERY.c.webhook_id.in_(ready), ~DELIVERY.c.dead)
        rows = connection.execute(query.order_by(DELIVERY.c.event_number).limit(limit))
        open_cell = _openers(connection)
        return [_delivery(row, open_cell) for row in rows], min(later, default=None)


@dataclass(frozen=True, slots=True)
class Backlog:
    """Deliveries that have not arrived and are not given up, and when the oldest of their events happened."""

    waiting: int
    oldest: datetime | None


def backlog(engine: sa.Engine) -> Backlog:
    """What waits, of all webhooks together."""
    waiting = DELIVERY.join(EVENT, EVENT.c.number == DELIVERY.c.event_number)
    query = sa.select(sa.func.count(), sa.func.min(EVENT.c.at)).select_from(waiting).where(~DELIVERY.c.dead)
    with engine.connect() as connection:
        count, oldest = connection.execute(query).one()
    return Backlog(count, None if oldest is None else oldest.replace(tzinfo=UTC))


def given_up(engine: sa.Engine, webhook: str, limit: int) -> list[Delivery]:
    """What did not arrive, the newest first."""
    query = _deliveries().where(DELIVERY.c.webhook_id == webhook, DELIVERY.c.dead)
    with engine.connect() as connection:
        rows = connection.execute(query.order_by(DELIVERY.c.event_number.desc()).limit(limit))
        open_cell = _openers(connection)
        return [_delivery(row, open_cell) for row in rows]


def delivered(engine: sa.Engine, delivery: Delivery, now: datetime) -> None:
    """It arrived."""
    with writing(engine) as connection:
        connection.execute(DELIVERY.delete().where(_same(delivery)))
        count = WEBHOOK.c.delivered + 1
        mine = WEBHOOK.c.id == delivery.webhook.id
        connection.execute(WEBHOOK.update().where(mine).values(delivered=count, last=now, words=""))


def failed(engine: sa.Engine, delivery: Delivery, now: datetime, again: datetime | None, words: str) -> None:
    """It did not arrive: another try ``again``, or ``None``: it is given up."""
    with writing(engine) as connection:
        values = {"attempts": delivery.attempts + 1, "dead": again is None, "words": words[:200]}
        if again is not None:
            values["due"] = again
        connection.execute(DELIVERY.update().where(_same(delivery)).values(**values))
        mine = WEBHOOK.c.id == delivery.webhook.id
        connection.execute(WEBHOOK.update().where(mine).values(last=now, words=words[:200]))


def send_again(engine: sa.Engine, webhook: str, now: datetime) -> int:
    """Let everything given up be tried anew, and what waits be tried now; how many there are."""
    with writing(engine) as connection:
        mine = DELIVERY.c.webhook_id == webhook
        values = {"dead": False, "attempts": 0, "due": now, "words": ""}
        return int(connection.execute(DELIVERY.update().where(mine).values(**values)).rowcount)


def _same(delivery: Delivery) -> sa.ColumnElement[bool]:
    mine = DELIVERY.c.webhook_id == delivery.webhook.id
    return sa.and_(mine, DELIVERY.c.event_number == delivery.event.number)


_TOLD: Collection[sa.Column[Any]] = [column for column in EVENT.c if column.name != "id"]


def _deliveries() -> sa.Select[Any]:
    hook = [column for column in WEBHOOK.c if column.name not in ("room", "words")]
    whole = DELIVERY.join(EVENT).join(WEBHOOK).join(PERSON, isouter=True, onclause=EVENT.c.person_id == PERSON.c.id)
    own = (DELIVERY.c.attempts, DELIVERY.c.due, DELIVERY.c.words)
    return sa.select(*hook, *_TOLD, EVENT.c.id.label("event_id"), PERSON.c.name, *own).select_from(whole)


Openers = Mapping[str, Opener]


def _openers(connection: sa.Connection) -> Openers:
    columns = {column: opener(connection, WEBHOOK.name, column) for column in SEALED[WEBHOOK.name]}
    return {"name": opener(connection, PERSON.name, "name"), **columns}


def _delivery(row: Any, open_cell: Openers) -> Delivery:
    url, secret = (open_cell[name](getattr(row, name), row.id).decode() for name in ("url", "secret"))
    hook = Webhook(row.id, url, secret, tuple(row.kinds), None, _utc(row.created), row.delivered)
    return Delivery(hook, _event(row, open_cell, row.event_id), row.attempts, _utc(row.due), row.words)


def _event(row: Any, open_cell: Openers, id: str | None = None) -> Event:
    said = NewEvent(
        id or row.id, row.kind, row.sighting, row.person_id, row.room, row.session, _utc(row.began), _utc(row.at),
        row.probability,
    )  # fmt: skip
    name = None if row.name is None else open_cell["name"](row.name, row.person_id).decode()
    return Event(row.number, name, said)


def _webhook(row: Any, waiting: int, dead: int, open_cell: Openers) -> Webhook:
    last = None if row.last is None else _utc(row.last)
    url, secret = (open_cell[name](getattr(row, name), row.id).decode() for name in ("url", "secret"))
    return Webhook(
        row.id, url, secret, tuple(row.kinds), row.room, _utc(row.created), row.delivered, last, row.words,
        waiting, dead,
    )  # fmt: skip


def _utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC)
