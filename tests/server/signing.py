"""Who may come in, for tests of single parts: accounts in a store of their own, browsers that signed in, links."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import argon2

from server.access.access import Access
from server.access.passwords import Passwords
from server.access.secrets import new_secret
from server.join import Door
from server.settings import Settings
from server.storage import PeopleStore
from server.visitor import Role

# As weak as can be: what is tested is not how long a guess takes.
QUICK = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 28, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def seconds(self) -> float:
        return self.time.timestamp()

    def move(self, **span: float) -> None:
        self.time += timedelta(**span)


def accounts(**options: Any) -> Callable[[Settings, Door | None], contextlib.AbstractAsyncContextManager[Access]]:
    """What the fixture ``serving`` takes for its ``accounts``; ``options`` go to :meth:`Access.open`."""

    @contextlib.asynccontextmanager
    async def opened(settings: Settings, door: Door | None) -> AsyncIterator[Access]:
        with contextlib.closing(PeopleStore(settings.data_dir / "people.sqlite3")) as store:

            async def run(work: Callable[[PeopleStore], Any]) -> Any:
                return work(store)

            access = await Access.open(settings, run, door, **{"passwords": Passwords(QUICK), **options})
            try:
                yield access
            finally:
                await access.close()

    return opened


async def signed_in(access: Access, role: Role = "owner", *, secure: bool = True) -> dict[str, str]:
    """A new account's session, as the cookie a browser has."""
    account = await access.accounts.make(f"Test {new_secret()[:8]}", role)
    name = "__Host-visavis" if secure else "visavis"
    return {"Cookie": f"{name}={await access.sessions.begin(account, 'A test')}"}


async def link(access: Access, role: Any = "camera", room: str | None = None, **more: Any) -> dict[str, str]:
    """A new link, as a program says it."""
    return {"Authorization": f"Bearer {(await access.links.make(room, role, 10, **more))[1]}"}
