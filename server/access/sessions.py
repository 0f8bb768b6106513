"""Browsers that signed in: a cookie for each, which ends after some days, or when somebody ends it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta

from server.access.records import Now, Records, utc_now
from server.access.secrets import hash_of, new_id, new_secret
from server.storage import accounts as table
from server.storage.accounts import Account, Session
from server.visitor import Visitor

MOST = 10  # of one account; the one not used for longest gives way
NOTED_EVERY = timedelta(minutes=1)
_BROWSERS = (("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("FxiOS", "Firefox"), ("SamsungBrowser",
             "Samsung Internet"), ("CriOS", "Chrome"), ("Chrome", "Chrome"), ("Safari", "Safari"))  # fmt: skip
_SYSTEMS = (("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("CrOS", "ChromeOS"), ("Windows",
            "Windows"), ("Mac OS X", "macOS"), ("Linux", "Linux"))  # fmt: skip


class Sessions:
    """Begins, finds and ends them."""

    def __init__(self, records: Records, days: float, idle_days: float, now: Now = utc_now) -> None:
        self._records = records
        self._longest, self._idle = timedelta(days=days), timedelta(days=idle_days)
        self._now = now
        self._used: dict[str, datetime] = {}  # by id, what the store does not know yet

    @property
    def seconds(self) -> int:
        """How long a cookie may be kept."""
        return int(self._longest.total_seconds())

    async def begin(self, account: Account, device: str) -> str:
        """A new one, for a cookie. Raises :class:`server.storage.accounts.NoSuchAccount`."""
        secret, now = new_secret(), self._now()
        session = Session(new_id(), account.id, hash_of(secret), now, now, device)
        await self.flush()  # or the store would not know which was not used for longest
        await self._records.change(lambda engine: table.add_session(engine, session, MOST))
        return secret

    def find(self, secret: str) -> tuple[Session, Account] | None:
        """Whose this is, if it has not ended; noted as used."""
        session = self._records.kept.sessions.get(hash_of(secret))
        if session is None or not self._lasts(session):
            return None
        account = self._records.kept.accounts.get(session.account)
        if account is None or account.disabled:
            return None
        now = self._now()
        if now - self._last_used(session) >= NOTED_EVERY:
            self._used[session.id] = now
        return session, account

    def of(self, account: str) -> list[Session]:
        """Those of an account that last, the newest first."""
        mine = [one for one in self._records.kept.sessions.values() if one.account == account and self._lasts(one)]
        return [replace(one, used=self._last_used(one)) for one in reversed(mine)]

    def holds(self, visitor: Visitor) -> bool:
        """Whether the session that somebody came by lasts, and gives the same rights."""
        sessions = self._records.kept.sessions.values()
        session = next((one for one in sessions if one.id == visitor.session), None)
        account = self._records.kept.accounts.get(visitor.id)
        if session is None or account is None or session.account != account.id:
            return False
        return self._lasts(session) and not account.disabled and account.role == visitor.role

    async def end(self, account: str, id: str) -> bool:
        """End one of an account's; whether there was one."""
        if id not in {one.id for one in self.of(account)}:
            return False
        await self._records.change(lambda engine: table.end_sessions(engine, [id]))
        return True

    async def end_others(self, account: str, but: str) -> None:
        """End all of an account's but one."""
        ids = [one.id for one in self._records.kept.sessions.values() if one.account == account and one.id != but]
        await self._records.change(lambda engine: table.end_sessions(engine, ids))

    async def flush(self) -> None:
        """Write down which were used, and erase those that are over."""
        kept = self._records.kept.sessions.values()
        used = {id: at for id, at in self._used.items() if any(one.id == id for one in kept)}
        over = [one.id for one in kept if not self._lasts(one)]
        self._used.clear()
        if used:
            await self._records.change(lambda engine: table.note_sessions(engine, used))
        if over:
            await self._records.change(lambda engine: table.end_sessions(engine, over))

    def _last_used(self, session: Session) -> datetime:
        return max(session.used, self._used.get(session.id, session.used))

    def _lasts(self, session: Session) -> bool:
        now = self._now()
        return now - session.created < self._longest and now - self._last_used(session) < self._idle


def device_of(user_agent: str) -> str:
    """A browser and its system in words, and no more of what it says of itself."""
    browser = next((words for sign, words in _BROWSERS if sign in user_agent), None)
    system = next((words for sign, words in _SYSTEMS if re.search(sign, user_agent)), None)
    return " on ".join(filter(None, (browser, system))) or "A program"
