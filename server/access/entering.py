"""Signing in and out: open to all, and slowed down where it goes wrong."""

from __future__ import annotations

from aiohttp import web

from server.access.access import Access
from server.access.cookies import SESSION, cookie_in, drop_cookie
from server.access.door import too_many
from server.access.household import household_of
from server.access.operations import BASE, ENTERING
from server.access.passkeys import BadPasskey
from server.access.passwords import TooBusy
from server.access.secrets import hash_of
from server.access.signing import busy, no_fields, no_passkeys, own_account, signed_in, site_of
from server.api.operations import describe
from server.audit import about
from server.problems import problem
from server.request_json import is_empty, read_fields
from server.storage.accounts import Account, NoSuchAccount, TooManyAccounts
from server.storage.names import name_key
from server.visitor import maybe_visitor
from server.wording import sentence

WRONG_LINK = "This link is wrong, was used already, or is over. `visavis owner` prints another one."
WRONG_PASSWORD = "There is no such name with this password."


class Entering:
    """The routes."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def setup(self, app: web.Application) -> None:
        """Add them."""
        app.router.add_get(BASE + "/state", self._state)
        app.router.add_post(BASE + "/own", self._own)
        app.router.add_post(BASE + "/sign-in", self._sign_in)
        app.router.add_post(BASE + "/passkey/options", self._ask)
        app.router.add_post(BASE + "/passkey/sign-in", self._passkey)
        app.router.add_post(BASE + "/sign-out", self._sign_out)
        describe(app, ENTERING)

    async def _state(self, request: web.Request) -> web.Response:
        access, visitor = self._access, maybe_visitor(request)
        account = own_account(request, access)
        return web.json_response(
            {
                "owner": access.accounts.owned(),
                "signed_in": account is not None,
                "role": None if visitor is None else visitor.role,
                "name": None if account is None else account.name,
                "passkeys": site_of(request, access) is not None,
                "local_owner": access.settings.local_owner,
            }
        )

    async def _own(self, request: web.Request) -> web.StreamResponse:
        access, key = self._access, f"own {household_of(request)}"
        wish = await read_fields(request, {"token"})
        if wish is None or not isinstance(wish["token"], str):
            return problem(400, "Bad Request", 'Send what stands behind /own/ in the link as JSON: {"token": "…"}.')
        if wait := access.backoff.wait(key):
            return too_many(request, wait)
        access.backoff.count(key)
        link = await access.one_time.take(wish["token"])
        account = None
        if link is not None:
            try:
                account = await access.accounts.the_owner() if link.kind == "owner" else _of(access, link.account)
            except TooManyAccounts as error:
                return problem(409, "Conflict", sentence(error))
        if link is None or account is None or account.disabled:
            return problem(401, "Not let in", WRONG_LINK)
        access.backoff.clear(key)
        first = not access.accounts.can_sign_in(account)
        return await self._let_in(request, account, link.kind, name=account.name, first=first)

    async def _sign_in(self, request: web.Request) -> web.StreamResponse:
        access = self._access
        wish = await read_fields(request, {"name", "password"})
        if wish is None or not all(isinstance(value, str) for value in wish.values()):
            return problem(400, "Bad Request", 'Send a name and a password as JSON: {"name": "…", "password": "…"}.')
        keys = (f"sign-in {household_of(request)}", f"account {hash_of(name_key(wish['name']))}")
        if wait := access.backoff.wait(*keys):
            return too_many(request, wait)
        access.backoff.count(*keys)
        account = access.accounts.find(wish["name"])
        try:
            right = await access.accounts.right_password(account, wish["password"])
        except TooBusy:
            return busy()
        if account is None or not right:
            return problem(401, "Not let in", WRONG_PASSWORD)
        access.backoff.clear(*keys)
        return await self._let_in(request, account, "password")

    async def _ask(self, request: web.Request) -> web.StreamResponse:
        site = site_of(request, self._access)
        if site is None:
            return no_passkeys()
        if not await is_empty(request):
            return no_fields()
        id, options = self._access.passkeys.ask_to_sign_in(site)
        return web.json_response({"id": id, "publicKey": options})

    async def _passkey(self, request: web.Request) -> web.StreamResponse:
        access, key = self._access, f"sign-in {household_of(request)}"
        site = site_of(request, access)
        if site is None:
            return no_passkeys()
        wish = await read_fields(request, {"id", "credential"})
        if wish is None or not isinstance(wish["id"], str) or not isinstance(wish["credential"], dict):
            return problem(422, "Unprocessable Content", 'Send {"id": "…", "credential": {…}}, as the browser gave it.')
        if wait := access.backoff.wait(key):
            return too_many(request, wait)
        access.backoff.count(key)
        try:
            passkey, counter = access.passkeys.signed(wish["id"], wish["credential"], site, access.accounts.passkey)
        except BadPasskey as error:
            return problem(401, "Not let in", sentence(error))
        account = access.accounts.get(passkey.account)
        if account is None or account.disabled or not await access.accounts.use_passkey(passkey, counter):
            return problem(401, "Not let in", "This passkey is not, or no longer, one of this server.")
        access.backoff.clear(key)
        return await self._let_in(request, account, "passkey")

    async def _let_in(self, request: web.Request, account: Account, by: str, **more: str | bool) -> web.StreamResponse:
        try:
            return await signed_in(request, self._access, account, by, **more)
        except NoSuchAccount:
            return problem(401, "Not let in", "This account was disabled or deleted.")

    async def _sign_out(self, request: web.Request) -> web.StreamResponse:
        secret = cookie_in(request, SESSION)
        response = web.Response(status=204, headers={"Clear-Site-Data": '"cache", "storage"'})
        about(request)
        if secret is not None:
            if (found := self._access.sessions.find(secret)) is not None:
                await self._access.sessions.end(found[1].id, found[0].id)
                about(request, found[1].id)
            drop_cookie(request, response, SESSION)
        return response


def _of(access: Access, id: str | None) -> Account | None:
    return None if id is None else access.accounts.get(id)
