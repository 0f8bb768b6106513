"""One action that erases somebody, wherever they are held, and gives a signed receipt of it.

It goes on after an interruption: the intention is noted first, then each step. What files and tables hold is found and
counted, and the counts noted, before any of it is erased; each step does no harm a second time. The rows of the person
go last of what lies on the disk, since their template is what everything else is found by; what is only in memory is
let go after that, when nobody can be recognised as them any more.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from pipeline.matcher import Matcher
from server.audit.log import AuditLog
from server.audit.signing import SigningKey
from server.people.gone import Found, Gone, Holder, Remains, remains
from server.people.people import People
from server.people.receipts import make_receipt
from server.storage import NoSuchPerson, PeopleStore
from server.storage import forgetting as table
from server.storage.audit import Noted, append_in
from server.storage.engine import backend_of, erase_traces, writing
from server.storage.forgetting import Intention

logger = logging.getLogger(__name__)

EMPTYING = (0.0, 0.1, 0.3, 1.0)  # seconds before each try to empty the write-ahead log
ALWAYS: tuple[Remains, ...] = (
    remains("backups", "copies of the data folder made elsewhere", "until they are deleted"),
    remains("exports", "files that somebody saved from here before", "until they are deleted"),
    remains("pages", "pages open in browsers that show this person", "until they are loaded again"),
)


@dataclass(frozen=True, slots=True)
class Holders:
    """Where somebody may be held: on the disk, looked through before the person's own rows are erased, and in memory,
    afterwards."""

    kept: Sequence[Holder] = ()
    memory: Sequence[Holder] = ()


class Forgetting:
    """Forgets people, one at a time. :meth:`resume` finishes what an earlier run began."""

    def __init__(
        self,
        people: People,
        matcher: Callable[[], Matcher],
        key: SigningKey,
        audit: AuditLog,
        holders: Holders | None = None,
    ) -> None:
        self._people = people
        self._matcher = matcher
        self._key = key
        self._audit = audit
        self._holders = holders or Holders()
        self.told: list[Callable[[], None]] = []
        """Called when somebody is forgotten."""
        self._lock = asyncio.Lock()
        self._going: set[asyncio.Task[dict[str, Any]]] = set()

    def hold(self, more: Holder) -> None:
        """Look through this too."""
        self._holders = replace(self._holders, memory=(*self._holders.memory, more))

    async def close(self) -> None:
        """Wait for what is being forgotten."""
        await asyncio.gather(*self._going, return_exceptions=True)

    async def forget(self, person: str, by: object, *, films: bool = False, reason: str = "asked") -> dict[str, Any]:
        """Erase somebody for good; returns the receipt. ``films``: videos they are in go as well, not only what was
        found in them. Raises :class:`server.storage.NoSuchPerson`."""
        # Begun is done, even if whoever asked has gone meanwhile.
        going = asyncio.create_task(self._forget(person, str(by), films, reason), name="people: forget")
        self._going.add(going)
        going.add_done_callback(self._going.discard)
        return await asyncio.shield(going)

    async def resume(self, before: datetime | None = None) -> list[dict[str, Any]]:
        """Finish what was begun, ``before`` a time where another node may work on what is newer; the receipts. What
        cannot be finished now is tried again at the next start, and said
        in the log."""
        receipts = []
        async with self._lock:
            for intention in await self._people.run(lambda store: table.intentions(store.engine)):
                if before is not None and datetime.fromisoformat(intention.asked) >= before:
                    continue
                try:
                    receipts.append(await self._carry_out(intention))
                except Exception as error:  # a file that cannot be read today must not keep the server from starting
                    logger.error("somebody could not be forgotten yet: %s", type(error).__name__)
        return receipts

    async def _forget(self, person: str, by: str, films: bool, reason: str) -> dict[str, Any]:
        async with self._lock:
            if not await self._people.run(lambda store: store.read(table.exists, person)):
                raise NoSuchPerson("nobody of this id is enrolled")
            intention = Intention(person, _now(), by, reason, films)
            await self._note(intention)
            return await self._carry_out(intention)

    async def _carry_out(self, intention: Intention) -> dict[str, Any]:
        gone = await self._read(intention)
        if intention.stage == "begun":
            intention = await self._look(intention, gone)
        if intention.stage == "looked":
            intention = await self._erase(intention, gone)
        intention = await self._let_go(intention, gone)
        receipt = await self._finish(intention)
        for told in self.told:
            told()
        return receipt

    async def _read(self, intention: Intention) -> Gone:
        detail = await self._people.person(intention.person)
        gallery = self._people.gallery_of(None if detail is None else detail.row.room)
        template, name = await self._people.template_of(intention.person), None if detail is None else detail.row.name
        return Gone(intention.person, intention.films, template, name, gallery, self._matcher())

    async def _look(self, intention: Intention, gone: Gone) -> Intention:
        """Count what tables and files hold, and note it before any of it is erased."""
        counts = await self._people.run(lambda store: store.read(table.held_of, intention.person))
        intention = _with(intention, counts, ALWAYS)
        if gone.template is None:
            words = "faces not compared: nothing of this person was read by the models in use"
            intention = _with(
                intention, {}, [remains(words, "strangers, sightings and videos", "as the page Data says")]
            )
        intention = replace(await self._find_all(intention, gone, self._holders.kept, note=True), stage="looked")
        await self._note(intention)
        return intention

    async def _erase(self, intention: Intention, gone: Gone) -> Intention:
        """Erase what files and tables hold; the person's own rows, and their keys, last."""
        # Found anew: after an interruption, or if more has come meanwhile.
        intention = await self._find_all(intention, gone, self._holders.kept, erase=True)
        done = await self._people.forget(intention.person)
        if done is not None:
            intention = replace(intention, keys=done.keys)
        intention = replace(intention, stage="erased")
        await self._note(intention)
        return intention

    async def _let_go(self, intention: Intention, gone: Gone) -> Intention:
        """What is in memory. Whoever stands before a camera is a stranger by now: what was noted of that goes too."""
        intention = await self._find_all(intention, gone, self._holders.memory, erase=True, add=True)
        if await self._people.run(lambda store: backend_of(store.engine).shared):
            words = "until PostgreSQL writes over it; the keys to what is sealed in it are destroyed"
            intention = _with(intention, {}, [remains("the database's write-ahead log", "and its replicas", words)])
        for pause in EMPTYING:
            await asyncio.sleep(pause)
            if await self._people.run(lambda store: erase_traces(store.engine)):
                return intention
        words = "the store's write-ahead log"
        return _with(
            intention, {}, [remains(words, "the data folder", "until the other program that reads it has ended")]
        )

    async def _find_all(
        self,
        intention: Intention,
        gone: Gone,
        holders: Sequence[Holder],
        *,
        note: bool = False,
        erase: bool = False,
        add: bool = False,
    ) -> Intention:
        for holder in holders:
            found: Found = await holder.find(gone)
            intention = _with(intention, found.counts, found.remains, add)
            if erase:
                if any(found.counts.values()) and not add:
                    await self._note(intention)
                intention = _with(intention, await found.erase(), (), True)
        if note:
            await self._note(intention)
        return intention

    async def _finish(self, intention: Intention) -> dict[str, Any]:
        """The receipt and the row of the audit log in one transaction, in place of the intention."""
        await self._audit.settle()
        receipt = make_receipt(intention, uuid4().hex, self._key)
        entry = Noted(intention.by, "person.forgotten", intention.person, detail=intention.reason)
        key = self._key

        def write(store: PeopleStore) -> None:
            with writing(store.engine) as connection:
                body = json.dumps(receipt, ensure_ascii=False)
                table.finish(connection, intention.person, receipt["id"], receipt["at"], body)
                append_in(connection, key, [entry])
            erase_traces(store.engine)

        await self._people.run(write)
        return receipt

    async def _note(self, intention: Intention) -> None:
        await self._people.run(lambda store: table.intend(store.engine, intention))


def _with(intention: Intention, counts: Any, left: Sequence[Remains], add: bool = False) -> Intention:
    """With more that was found. What is found a second time is the same thing, unless it is to be ``add``-ed."""
    erased = dict(intention.erased)
    for what, count in counts.items():
        before = erased.get(what, 0)
        erased[what] = before + count if add else max(before, count)
    told = [*intention.remains, *(one for one in left if one not in intention.remains)]
    return replace(intention, erased=erased, remains=told)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
