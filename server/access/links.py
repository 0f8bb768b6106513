"""Links that let somebody in with a role: signed, kept to be revoked, over at their time, and, where their number of
devices is limited, good for so many."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import itsdangerous

from server.access.records import Now, Run, utc_now
from server.access.secrets import hash_of, new_id, new_secret
from server.passes import Pass, Role
from server.private_files import write_private
from server.settings import StartError
from server.storage import rooms as table
from server.storage.rooms import Invitation

NOTED_EVERY = timedelta(minutes=1)
MINUTES = (1, 30 * 24 * 60)
DEVICES = (1, 1000)
KEY_FILE = "link-key"
_LONGEST = 400  # characters of a link's token
_BETWEEN = "~"  # a token, and the device it was given to
_DEVICE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)  # as cookies have it; what programs are known by is none


class Links:
    """All of this server, in its store and in memory: who knocks is answered without a look at the disk."""

    def __init__(self, run: Run, kept: Collection[Invitation], key: bytes, now: Now = utc_now) -> None:
        self._run = run
        self._known = {one.id: one for one in kept}
        self._now = now
        self._used: dict[str, datetime] = {}  # what the store does not know yet
        self._signer = itsdangerous.URLSafeSerializer(
            key, salt="visavis link", signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256}
        )

    @classmethod
    async def open(cls, run: Run, data_dir: Path, now: Now = utc_now) -> Links:
        """Those that are kept. Raises :class:`server.settings.StartError` where the key cannot be had."""
        key: bytes = await run(lambda store: store.shared_secret(KEY_FILE, new_key) or load_key(data_dir))
        kept: list[Invitation] = await run(lambda store: table.read_invitations(store.engine, now()))
        return cls(run, kept, key, now)

    async def read(self) -> None:
        """Take up what another node or process wrote."""
        await self.flush()
        now = self._now()
        kept: list[Invitation] = await self._run(lambda store: table.read_invitations(store.engine, now))
        self._known = {one.id: one for one in kept}

    def unused(self) -> Invitation | None:
        """A standing link that another node shows and nobody has come by yet."""
        return next((one for one in self.all() if one.standing and one.used is None), None)

    # -- making and revoking ---------------------------------------------------------------------------------------

    def all(self) -> list[Invitation]:
        """Those that are not over, the oldest first."""
        now = self._now()
        return [one for one in self._known.values() if one.expires > now]

    def of(self, room: str) -> list[Invitation]:
        """Those of one room."""
        return [one for one in self.all() if one.room == room]

    async def make(
        self,
        room: str | None,
        role: Role,
        minutes: int,
        label: str | None = None,
        devices: int | None = None,
        *,
        standing: bool = False,
    ) -> tuple[Invitation, str]:
        """A new one, and what is in it. Raises :class:`server.storage.rooms.TooManyRooms`."""
        now = self._now().replace(microsecond=0)
        made = Invitation(new_id(), room, role, label, now, now + timedelta(minutes=minutes), devices, standing)
        if standing:
            await self.flush()  # or one that was used would be taken for one that was not
        await self._run(lambda store: table.add_invitation(store.engine, made))
        if standing:
            unused = [one.id for one in self._known.values() if one.standing and one.used is None]
            for id in unused:
                del self._known[id]
        self._known[made.id] = made
        return made, self.token(made)

    def token(self, link: Invitation) -> str:
        """What is in a link: what it is for, and the signature."""
        signed = self._signer.dumps([link.id, link.room, link.role, int(link.expires.timestamp())])
        return signed.decode() if isinstance(signed, bytes) else signed

    async def revoke(self, id: str, room: str | None = None) -> bool:
        """Make one worthless; whether there was one of this id, and where a room is named to this room."""
        known = self._known.get(id)
        if known is None or (room is not None and known.room != room):
            return False
        del self._known[id]
        await self._run(lambda store: table.delete_invitation(store.engine, id))
        self._known.pop(id, None)  # what was read anew meanwhile may have had it still
        return True

    def drop_room(self, room: str) -> None:
        """The room is closed, and what the store had of its links is gone with it."""
        for one in [one for one in self._known.values() if one.room == room]:
            del self._known[one.id]

    # -- who comes -------------------------------------------------------------------------------------------------

    def is_signed(self, token: str) -> bool:
        """Whether this server made it, whatever has become of it: nobody guessed it."""
        return self._read(token) is not None

    def find(self, said: str) -> Pass | None:
        """What this opens now. ``said`` is what is in a link, or in the cookie of a device that came by one."""
        token, _, device = said.partition(_BETWEEN)
        link = self._link(token)
        if link is None:
            return None
        if link.devices is not None and not (_DEVICE.fullmatch(device) and hash_of(device) in link.came):
            return None
        self._note(link)
        return _pass_of(link)

    async def come(self, token: str, device: str | None = None) -> tuple[Pass, str] | None:
        """A device comes by a link: what it may do, and what goes into its cookie. ``None``: worthless, or as many
        devices came as may. ``device`` is what it had before, or what else it is known by."""
        link = self._link(token)
        if link is None:
            return None
        self._note(link)
        if link.devices is None:
            return _pass_of(link), token
        device = device or new_secret()
        hash = hash_of(device)
        if hash not in link.came:
            now = self._now()
            if not await self._run(lambda store: table.add_device(store.engine, link.id, hash, now)):
                return None
            known = self._known.get(link.id)
            if known is None:
                return None
            self._known[link.id] = replace(known, came=known.came | {hash})
        return _pass_of(link), f"{token}{_BETWEEN}{device}"

    def holds(self, id: str) -> bool:
        """Whether one is neither over nor revoked."""
        known = self._known.get(id)
        return known is not None and known.expires > self._now()

    async def flush(self) -> None:
        """Write down which were used."""
        used, self._used = self._used, {}
        if used:
            await self._run(lambda store: table.note_invitations(store.engine, used))

    def _note(self, link: Invitation) -> None:
        now = self._now()
        if link.used is None or now - link.used >= NOTED_EVERY:
            self._used[link.id] = now
            self._known[link.id] = replace(self._known[link.id], used=now)

    def _link(self, token: str) -> Invitation | None:
        said = self._read(token)
        link = self._known.get(said[0]) if said is not None else None
        if link is None or said != [link.id, link.room, link.role, int(link.expires.timestamp())]:
            return None
        return link if link.expires > self._now() else None

    def _read(self, token: str) -> list[Any] | None:
        if len(token) > _LONGEST:
            return None
        try:
            said = self._signer.loads(token)
        except itsdangerous.BadData:
            return None
        return said if isinstance(said, list) and said and isinstance(said[0], str) else None


def device_in(said: str, token: str) -> str | None:
    """What a device has in its cookie of this link, besides the link."""
    before, _, device = said.partition(_BETWEEN)
    return device if before == token and _DEVICE.fullmatch(device) else None


def new_key() -> bytes:
    """What links are signed with: 256 random bits."""
    return secrets.token_bytes(32)


def load_key(data_dir: Path) -> bytes:
    """What links are signed with: 256 random bits in the data folder, made at first use. Raises
    :class:`server.settings.StartError`."""
    path = data_dir / KEY_FILE
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        key = new_key()
        write_private(path, key)
    except OSError as error:
        raise StartError(f"{path}: cannot be read ({error.strerror}); see the setting data_dir") from None
    if len(key) < 32:
        raise StartError(f"{path}: holds no key; delete it and a new one is made, which voids all links")
    return key


def _pass_of(link: Invitation) -> Pass:
    return Pass(link.id, link.room, cast(Role, link.role), link.label, link.expires)
