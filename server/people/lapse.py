"""Whose time is over: the newest record of everybody, in memory, and until when what follows from it stands.

No clock is trusted to go forward evenly: what follows is worked out for an interval of time, and anew once the clock
shows a time outside it, in either direction.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime

from server.storage.consent_values import Consent

BEGINNING = datetime.min.replace(tzinfo=UTC)
END = datetime.max.replace(tzinfo=UTC)


class Lapse:
    """Who is enrolled, and who of them must not be recognised now. ``clock`` gives the time, UTC.

    :meth:`lawful` and :meth:`consented` may be asked from any thread, everything else from the loop's.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.clock = clock
        self._records: dict[str, Consent] = {}
        self._over: set[str] = set()
        self._since, self._until = BEGINNING, END  # while the clock is between these, nobody else is over

    # -- questions -------------------------------------------------------------------------------------------------

    def of(self, person_id: str) -> Consent | None:
        """The record that counts."""
        return self._records.get(person_id)

    def lawful(self, person_id: str) -> bool:
        """Whether there is a reason in law why somebody may be recognised now."""
        record = self._records.get(person_id)
        return record is not None and record.holds(self.clock())

    def consented(self, person_id: str) -> bool:
        """Whether that reason is their own consent."""
        record = self._records.get(person_id)
        return record is not None and record.basis == "consent" and record.holds(self.clock())

    def allows(self, person_id: str) -> bool:
        """Whether somebody enrolled is recognised now, also where nobody recorded why."""
        record = self._records.get(person_id)
        return record is not None and record.allows(self.clock())

    def wants_consent(self, person_id: str, require: bool) -> bool:
        """Whether it has to be said why somebody may be recognised before they are given more samples."""
        record = self._records.get(person_id)
        if record is None or record.basis == "not_recorded":
            return require or (record is not None and not record.allows(self.clock()))
        return not record.allows(self.clock())

    def ended(self) -> Iterable[tuple[str, datetime]]:
        """Who is not recognised any more, and since when."""
        now = self.clock()
        for person_id in tuple(self._over):
            record = self._records.get(person_id)
            since = None if record is None else record.ended(now)
            if since is not None:
                yield person_id, since

    def wait(self, most: float) -> float:
        """Seconds until somebody's time is over, at most so many."""
        return min(most, max(0.0, (self._until - self.clock()).total_seconds()))

    # -- keeping in step -------------------------------------------------------------------------------------------

    def replace(self, records: Mapping[str, Consent], at: datetime) -> None:
        """Everybody anew, as was so at a time."""
        self._records = dict(records)
        self._judge(at)

    def update(self, ids: Collection[str], records: Mapping[str, Consent], at: datetime) -> None:
        """Some people anew, as was so at a time; who has no record is gone."""
        for person_id in ids:
            self._over.discard(person_id)
            record = records.get(person_id)
            if record is None:
                self._records.pop(person_id, None)
                continue
            self._records[person_id] = record
            if not record.allows(at):
                self._over.add(person_id)
            self._bound(record, at)
        if not self._since <= at < self._until:
            self._until = self._since  # the others were judged for another time: whatever it is now, judge all anew

    def settle(self) -> tuple[set[str], set[str]]:
        """Look at the clock: whose time is over since, and whose is not any more."""
        now = self.clock()
        if self._since <= now < self._until:
            return set(), set()
        before = self._over
        self._judge(now)
        return self._over - before, (before - self._over) & self._records.keys()

    def _judge(self, at: datetime) -> None:
        self._since, self._until = BEGINNING, END
        self._over = {person_id for person_id, record in self._records.items() if not record.allows(at)}
        for record in self._records.values():
            self._bound(record, at)

    def _bound(self, record: Consent, at: datetime) -> None:
        if record.withdrawn is not None or record.expires is None:
            return
        if record.expires <= at:
            self._since = max(self._since, record.expires)
        else:
            self._until = min(self._until, record.expires)
