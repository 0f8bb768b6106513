"""What everybody with an account does with it: name, password, passkeys, sessions, another device."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from server.access.access import Access
from server.access.cookies import SESSION, cookie_in, drop_cookie
from server.access.door import too_many
from server.access.one_time import PATH
from server.access.operations import BASE, MINE
from server.access.passkeys import BadPasskey
from server.access.passwords import TooBusy, WeakPassword
from server.access.secrets import hash_of, new_id
from server.access.signing import busy, link_url, no_account, no_fields, no_passkeys, own_account, shown_link, site_of
from server.api.operations import describe
from server.audit import about
from server.problems import problem
from server.request_json import is_empty, read_fields
from server.storage import BadName, NameTaken
from server.storage.accounts import Account, NoSuchAccount, Passkey, TooManyAccounts
from server.storage.names import clean_name, name_key
from server.visitor import visitor_of
from server.wording import sentence

FRESH = timedelta(minutes=5)  # after signing in, in which the password may be changed without saying the present one

Handler = Callable[[web.Request, Account], Awaitable[web.StreamResponse]]


class Mine:
    """The routes."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def setup(self, app: web.Application) -> None:
        """Add them."""
        me = BASE + "/me"
        app.router.add_get(me, self._said(self._show))
        app.router.add_put(me + "/name", self._said(self._rename))
        app.router.add_put(me + "/password", self._said(self._password))
        app.router.add_post(me + "/passkeys/options", self._said(self._ask))
        app.router.add_post(me + "/passkeys", self._said(self._keep))
        app.router.add_delete(me + "/passkeys/{id:[0-9a-f]{8}}", self._said(self._remove))
        app.router.add_delete(me + "/sessions/{id:[0-9a-f]{8}}", self._said(self._end))
        app.router.add_post(me + "/device", self._said(self._device))
        describe(app, MINE)

    def _said(self, handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """For whoever has an account, and with what goes wrong in words."""

        async def ask(request: web.Request) -> web.StreamResponse:
            account = own_account(request, self._access)
            if account is None:
                return no_account()
            about(request, account.id)
            try:
                return await handler(request, account)
            except BadName as error:
                return problem(400, "Bad Request", sentence(error))
            except NoSuchAccount as error:
                return problem(404, "Not Found", sentence(error))
            except (NameTaken, TooManyAccounts) as error:
                return problem(409, "Conflict", sentence(error))
            except (BadPasskey, WeakPassword) as error:
                return problem(422, "Unprocessable Content", sentence(error))
            except TooBusy:
                return busy()

        return ask

    async def _show(self, request: web.Request, account: Account) -> web.StreamResponse:
        access, current = self._access, visitor_of(request).session
        return web.json_response(
            {
                "id": account.id,
                "name": account.name,
                "role": account.role,
                "password": account.password is not None,
                "passkeys": [_passkey(one) for one in access.accounts.passkeys(account.id)],
                "sessions": [
                    {
                        "id": one.id,
                        "created": _time(one.created),
                        "used": _time(one.used),
                        "device": one.device,
                        "current": one.id == current,
                    }
                    for one in access.sessions.of(account.id)
                ],
            }
        )

    async def _rename(self, request: web.Request, account: Account) -> web.StreamResponse:
        wish = await read_fields(request, {"name"})
        if wish is None:
            return problem(400, "Bad Request", 'Send a name as JSON: {"name": "Ada"}.')
        await self._access.accounts.change(account.id, name=wish["name"])
        return web.Response(status=204)

    async def _password(self, request: web.Request, account: Account) -> web.StreamResponse:
        access, session = self._access, visitor_of(request).session
        wish = await read_fields(request, {"new"}, {"current"})
        if wish is None:
            return problem(400, "Bad Request", 'Send {"new": "…"}, or {"new": "…", "current": "…"}.')
        signed_in = next((one.created for one in access.sessions.of(account.id) if one.id == session), None)
        fresh = signed_in is not None and access.now() - signed_in <= FRESH
        if account.password is not None and not fresh:
            current, key = wish.get("current"), f"account {hash_of(name_key(account.name))}"
            if not isinstance(current, str):
                return problem(403, "Say your password", "You signed in a while ago: say your present password too.")
            if wait := access.backoff.wait(key):
                return too_many(request, wait)
            access.backoff.count(key)
            if not await access.accounts.right_password(account, current):
                return problem(403, "Wrong password", "That is not your present password.")
            access.backoff.clear(key)
        await access.accounts.set_password(account, wish["new"])
        await access.sessions.end_others(account.id, session)
        return web.Response(status=204)

    async def _ask(self, request: web.Request, account: Account) -> web.StreamResponse:
        site = site_of(request, self._access)
        if site is None:
            return no_passkeys()
        if not await is_empty(request):
            return no_fields()
        known = self._access.accounts.passkeys(account.id)
        id, options = self._access.passkeys.ask_to_make(site, account, known)
        return web.json_response({"id": id, "publicKey": options})

    async def _keep(self, request: web.Request, account: Account) -> web.StreamResponse:
        access, site = self._access, site_of(request, self._access)
        if site is None:
            return no_passkeys()
        wish = await read_fields(request, {"id", "credential", "label"})
        if wish is None:
            return problem(400, "Bad Request", 'Send {"id": "…", "credential": {…}, "label": "…"}.')
        label = clean_name(wish["label"])
        made = access.passkeys.made(wish["id"], wish["credential"], site, account)
        kept = Passkey(new_id(), account.id, made.credential, made.public_key, made.counter, label, access.now())
        await access.accounts.add_passkey(kept)
        about(request, kept.id)
        return web.json_response({"id": kept.id, "label": kept.label}, status=201)

    async def _remove(self, request: web.Request, account: Account) -> web.StreamResponse:
        await self._access.accounts.delete_passkey(account.id, request.match_info["id"])
        about(request, request.match_info["id"])
        return web.Response(status=204)

    async def _end(self, request: web.Request, account: Account) -> web.StreamResponse:
        id = request.match_info["id"]
        if not await self._access.sessions.end(account.id, id):
            return problem(404, "Not Found", "You have no session of this id.")
        about(request, id)
        response = web.Response(status=204)
        if id == visitor_of(request).session and cookie_in(request, SESSION) is not None:
            drop_cookie(request, response, SESSION)
        return response

    async def _device(self, request: web.Request, account: Account) -> web.StreamResponse:
        if self._access.door is None:
            return problem(409, "Conflict", "Other devices are not served: the setting lan is off.")
        if not await is_empty(request):
            return no_fields()
        link, secret = await self._access.one_time.make("device", account.id)
        about(request, account.id, detail="device")
        return web.json_response(shown_link(link_url(request, self._access, PATH + secret), link), status=201)


def _passkey(one: Passkey) -> dict[str, Any]:
    used = None if one.used is None else _time(one.used)
    return {"id": one.id, "label": one.label, "created": _time(one.created), "used": used}


def _time(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="seconds")
