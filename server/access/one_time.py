"""Links that sign somebody in, once: the owner's from the terminal, an account's first, another device's."""

from __future__ import annotations

from datetime import datetime, timedelta

from server.access.records import Now, Run, utc_now
from server.access.secrets import hash_of, new_secret
from server.storage.accounts import Kind, OneTimeLink, add_one_time, take_one_time

LASTS = {"owner": timedelta(hours=1), "account": timedelta(days=7), "device": timedelta(minutes=10)}
PATH = "own/"


def new_link(kind: Kind, account: str | None, now: datetime) -> tuple[OneTimeLink, str]:
    """What is kept of a new one, and what is in it."""
    secret = new_secret()
    return OneTimeLink(hash_of(secret), kind, account, now, now + LASTS[kind]), secret


class OneTimeLinks:
    """Those of this server, in its store: `visavis owner` makes them too."""

    def __init__(self, run: Run, now: Now = utc_now) -> None:
        self._run = run
        self._now = now

    async def make(self, kind: Kind, account: str | None = None) -> tuple[OneTimeLink, str]:
        """A new one. Raises :class:`server.storage.accounts.TooManyAccounts`."""
        link, secret = new_link(kind, account, self._now())
        await self._run(lambda store: add_one_time(store.engine, link))
        return link, secret

    async def take(self, secret: str) -> OneTimeLink | None:
        """Use one up; ``None``: wrong, used, or over."""
        now = self._now()
        found: OneTimeLink | None = await self._run(lambda store: take_one_time(store.engine, hash_of(secret), now))
        return found
