"""Accounts, passkeys and sessions in memory, as the store has them: who knocks is answered without a look at the
disk."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import sqlalchemy as sa

from server.storage import PeopleStore
from server.storage.accounts import Kept, read_accounts

T = TypeVar("T")
Run = Callable[[Callable[[PeopleStore], Any]], Awaitable[Any]]
"""Work with the store in its thread (:meth:`server.people.People.run`)."""
Now = Callable[[], datetime]


def utc_now() -> datetime:
    """What time it is."""
    return datetime.now(UTC)


class Records:
    """All of them; read anew after each change, as there are few."""

    def __init__(self, run: Run, kept: Kept) -> None:
        self._run = run
        self.kept = kept

    @classmethod
    async def open(cls, run: Run) -> Records:
        """Those that are kept."""
        return cls(run, await run(lambda store: read_accounts(store.engine)))

    async def read(self) -> None:
        """Take up what another process wrote."""
        self.kept = await self._run(lambda store: read_accounts(store.engine))

    async def change(self, work: Callable[[sa.Engine], T]) -> T:
        """Change something in the store. Raises what ``work`` does."""

        def both(store: PeopleStore) -> tuple[T, Kept]:
            return work(store.engine), read_accounts(store.engine)

        done: T
        done, self.kept = await self._run(both)
        return done
