"""Who may sign in, and with what."""

from __future__ import annotations

from typing import Any

from server.access.passwords import Passwords, check_new
from server.access.records import Now, Records, utc_now
from server.access.secrets import new_id
from server.storage import accounts as table
from server.storage.accounts import Account, NoSuchAccount, Passkey
from server.storage.names import clean_name, name_key
from server.visitor import Role

OWNER = "Owner"  # what the first is called until they say otherwise


class Accounts:
    """Finds and changes accounts. Raises what :mod:`server.storage.accounts` does."""

    def __init__(self, records: Records, passwords: Passwords, now: Now = utc_now) -> None:
        self._records = records
        self._passwords = passwords
        self._now = now

    def all(self) -> list[Account]:
        """Everybody, the oldest first."""
        return list(self._records.kept.accounts.values())

    def get(self, id: str) -> Account | None:
        """One by its id."""
        return self._records.kept.accounts.get(id)

    def find(self, name: str) -> Account | None:
        """Who bears this name, compared without case."""
        key = name_key(name)
        return next((one for one in self.all() if name_key(one.name) == key), None)

    def passkeys(self, account: str) -> list[Passkey]:
        """Those of an account."""
        return [one for one in self._records.kept.passkeys if one.account == account]

    def passkey(self, credential: bytes) -> Passkey | None:
        """One by what the authenticator calls it."""
        return next((one for one in self._records.kept.passkeys if one.credential == credential), None)

    def can_sign_in(self, account: Account) -> bool:
        """Whether they have a password or a passkey."""
        return account.password is not None or bool(self.passkeys(account.id))

    def owned(self) -> bool:
        """Whether an owner can sign in."""
        return any(one.role == "owner" and not one.disabled and self.can_sign_in(one) for one in self.all())

    async def the_owner(self) -> Account:
        """The first owner there is, made where there is none."""
        found = next((one for one in self.all() if one.role == "owner" and not one.disabled), None)
        if found is not None:
            return found
        numbered = (OWNER, *(f"{OWNER} {number}" for number in range(2, table.MAX_ACCOUNTS + 2)))
        return await self.make(next(name for name in numbered if self.find(name) is None), "owner")

    async def make(self, name: object, role: Role) -> Account:
        """A new one, that cannot sign in yet. Raises :class:`server.storage.BadName` too."""
        account = Account(new_id(), clean_name(name), role, None, self._now())
        await self._records.change(lambda engine: table.add_account(engine, account))
        return account

    async def change(self, id: str, **changes: Any) -> Account:
        """Give one another ``name`` or ``role``, or have it ``disabled``. Raises :class:`server.storage.BadName`
        too."""
        if "name" in changes:
            changes["name"] = clean_name(changes["name"])
        await self._records.change(lambda engine: table.change_account(engine, id, **changes))
        found = self.get(id)
        if found is None:
            raise NoSuchAccount("there is no account of this id")
        return found

    async def delete(self, id: str) -> None:
        """Erase one."""
        await self._records.change(lambda engine: table.delete_account(engine, id))

    async def right_password(self, account: Account | None, password: str) -> bool:
        """Whether it is this account's, in the same time for everybody; its hash is made anew where it was made with
        other parameters than today's. Raises :class:`server.access.passwords.TooBusy`."""
        kept = None if account is None or account.disabled else account.password
        right = await self._passwords.right(kept, password)
        if right and account is not None and kept is not None and self._passwords.is_old(kept):
            await self._keep_password(account.id, await self._passwords.hash(password))
        return right

    async def set_password(self, account: Account, password: object) -> None:
        """Have them sign in with this one from now on. Raises :class:`server.access.passwords.WeakPassword` and
        :class:`server.access.passwords.TooBusy`."""
        await self._keep_password(account.id, await self._passwords.hash(check_new(password, account.name)))

    async def _keep_password(self, id: str, hash: str) -> None:
        await self._records.change(lambda engine: table.change_account(engine, id, password=hash))

    async def add_passkey(self, passkey: Passkey) -> None:
        """Keep one."""
        await self._records.change(lambda engine: table.add_passkey(engine, passkey))

    async def use_passkey(self, passkey: Passkey, counter: int) -> bool:
        """Note that one was used; ``False`` where it was at the same time, or is gone."""
        now = self._now()
        return await self._records.change(
            lambda engine: table.use_passkey(engine, passkey.id, passkey.counter, counter, now)
        )

    async def delete_passkey(self, account: str, id: str) -> None:
        """Erase one."""
        await self._records.change(lambda engine: table.delete_passkey(engine, account, id))
