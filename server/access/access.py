"""Everything about who may come in, opened once and asked by the door and the routes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from server.access.accounts import Accounts
from server.access.backoff import Backoff
from server.access.links import Links
from server.access.one_time import PATH, OneTimeLinks
from server.access.passkeys import Passkeys
from server.access.passwords import Passwords
from server.access.records import Now, Records, Run, utc_now
from server.access.sessions import Sessions
from server.access.under_way import UnderWay
from server.join import Door
from server.settings import Settings
from server.storage import accounts, api_keys
from server.storage.rooms import DEVICE, INVITATION, Invitation
from server.visitor import Visitor

if TYPE_CHECKING:
    from server.api.keys import Keys

logger = logging.getLogger(__name__)

EVERY = 0.25  # seconds between two looks at what is over
FOLLOW = 0.5  # … and at what another process wrote
ACCOUNTS = {table.name for table in (accounts.ACCOUNT, accounts.PASSKEY, accounts.SESSION)}
LINKS = {INVITATION.name, DEVICE.name}


class Access:
    """Who may come in. Open with ``await Access.open(…)``, end with :meth:`close`."""

    def __init__(
        self, settings: Settings, run: Run, records: Records, links: Links, door: Door | None, keys: Keys | None,
        passwords: Passwords, now: Now,
    ) -> None:  # fmt: skip
        self.settings = settings
        self.door = door
        self.now = now
        self.passwords = passwords
        self.accounts = Accounts(records, passwords, now)
        self.sessions = Sessions(records, settings.session_days, settings.session_idle_days, now)
        self.links = links
        self.one_time = OneTimeLinks(run, now)
        self.passkeys = Passkeys()
        self.backoff = Backoff()
        self.under_way = UnderWay()
        self._run, self._records, self._keys = run, records, keys
        self._standing: Invitation | None = None
        self._making = asyncio.Lock()
        self._renewed: Callable[[str], None] = lambda _token: None
        self._version = 0
        self._shared = False  # several nodes have the store, and are told of each other's changes
        self._tasks: tuple[asyncio.Task[None], ...] = ()

    @classmethod
    async def open(
        cls,
        settings: Settings,
        run: Run,
        door: Door | None,
        keys: Keys | None = None,
        passwords: Passwords | None = None,
        now: Now = utc_now,
    ) -> Access:
        """What the store has. Raises :class:`server.settings.StartError` where links cannot be signed."""
        links = await Links.open(run, settings.data_dir, now)
        access = cls(settings, run, await Records.open(run), links, door, keys, passwords or Passwords(), now)
        access._version, access._shared = await run(lambda store: (store.version(), store.backend.shared))
        access._tasks = (
            asyncio.create_task(access._end(), name="access: end what is over"),
            asyncio.create_task(access._follow(), name="access: follow the store"),
        )
        return access

    async def close(self) -> None:
        """End watching, and write down what was used."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.sessions.flush()
        await self.links.flush()
        self.passwords.close()

    def holds(self, visitor: Visitor) -> bool:
        """Whether what somebody came by still opens."""
        if visitor.by == "account":
            return self.sessions.holds(visitor)
        if visitor.by == "link":
            return self.links.holds(visitor.id)
        return visitor.by == "local" or self._keys is None or self._keys.holds(visitor.id)

    # -- links that the server shows by itself ---------------------------------------------------------------------

    async def standing(self) -> tuple[Invitation, str] | None:
        """The link for a guest's camera that this server shows, and what is in it; a new one where the last is over.
        ``None`` when the LAN is off."""
        if self.door is None:
            return None
        async with self._making:
            if self._standing is None or not self.links.holds(self._standing.id):
                self._standing = await self._shared_standing()
            if self._standing is None:
                minutes = self.settings.join_hours * 60
                self._standing, _ = await self.links.make(None, "camera", minutes, standing=True)
            return self._standing, self.links.token(self._standing)

    async def _shared_standing(self) -> Invitation | None:
        """The one that another node shows: if each made its own, each would void the other's."""
        if not self._shared:
            return None
        await self.links.read()
        return self.links.unused()

    async def written_elsewhere(self, tables: frozenset[str] | None) -> None:
        """Somebody else wrote: what is held in memory of it is read anew."""
        if tables is None or tables & ACCOUNTS:
            await self._records.read()
        if tables is None or tables & LINKS:
            await self.links.read()
        if self._keys is not None and (tables is None or api_keys.TABLE.name in tables):
            await self._keys.all()

    def when_renewed(self, tell: Callable[[str], None]) -> None:
        """Call this with what is in the new link whenever the standing one is over."""
        self._renewed = tell

    async def owners_link(self, page: str) -> str | None:
        """A link that makes whoever opens it the owner, while nobody else could be; ``page`` is where pages are."""
        if self.settings.local_owner or self.accounts.owned():
            return None
        return f"{page}{PATH}{(await self.one_time.make('owner'))[1]}"

    # -- keeping in step -------------------------------------------------------------------------------------------

    async def _end(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            self.under_way.end(self.holds)

    async def _follow(self) -> None:
        failing = False
        while True:
            await asyncio.sleep(FOLLOW)
            try:
                await self._keep_up()
                failing = False
            except Exception as error:  # a full disk today must not end following for ever
                if not failing:
                    logger.error("who may come in could not be kept up: %s", type(error).__name__)
                failing = True

    async def _keep_up(self) -> None:
        version = self._version if self._shared else await self._run(lambda store: store.version())
        if version != self._version:
            self._version = version
            await self._records.read()
            if self._keys is not None:
                await self._keys.all()
        await self.sessions.flush()
        await self.links.flush()
        if self._standing is not None and not self.links.holds(self._standing.id):
            found = await self.standing()
            if found is not None:
                with contextlib.suppress(OSError):  # a terminal that is gone
                    self._renewed(found[1])
