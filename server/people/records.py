"""The records of why somebody may be recognised: read, followed by a newer one, withdrawn."""

from __future__ import annotations

from collections.abc import Sequence

from server.people.people import People
from server.storage import Consent, NewConsent, consents


async def history(people: People, person_id: str) -> Sequence[Consent]:
    """Every record of somebody, the newest first; none of nobody."""
    return await people.run(lambda store: store.read(consents.history, person_id))


async def record(people: People, person_id: str, said: NewConsent, by: str) -> Consent:
    """Note why somebody may be recognised from now on. Raises :class:`server.storage.NoSuchPerson`."""
    how = people.recording(by)
    return await people.change(lambda store: consents.record(store.engine, person_id, said, how), person_id)


async def withdraw(people: People, person_id: str, by: str) -> Consent:
    """Note that somebody must not be recognised any more. Raises :class:`server.storage.NoSuchPerson`, and
    ``ValueError`` if that is noted already."""
    how = people.recording(by)
    return await people.change(lambda store: consents.withdraw(store.engine, person_id, how), person_id)
