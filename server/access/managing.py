"""Accounts of others, which are the owner's to manage, and links."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, cast, get_args

from aiohttp import web

from server.access.access import Access
from server.access.links import DEVICES, MINUTES
from server.access.one_time import PATH
from server.access.operations import ACCOUNTS_OPERATIONS, BASE, LINKS_OPERATIONS
from server.access.signing import link_url, no_fields, shown_link
from server.api.operations import describe
from server.audit import about
from server.join import qr_svg
from server.problems import problem
from server.request_json import is_empty, read_fields
from server.storage import BadName, NameTaken
from server.storage.accounts import Account, LastOwner, NoSuchAccount, TooManyAccounts
from server.storage.names import clean_name
from server.storage.rooms import Invitation, TooManyRooms
from server.visitor import Role
from server.wording import sentence

_ROLES = tuple(role for role in get_args(Role) if role != "camera")  # a camera comes by a link alone
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Managing:
    """The routes."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def setup(self, app: web.Application) -> None:
        """Add them."""
        accounts, one = BASE + "/accounts", BASE + "/accounts/{id:[0-9a-f]{8}}"
        app.router.add_get(accounts, self._list)
        app.router.add_post(accounts, _said(self._make))
        app.router.add_patch(one, _said(self._change))
        app.router.add_delete(one, _said(self._delete))
        app.router.add_post(one + "/link", _said(self._link))
        app.router.add_get(BASE + "/links", self._links)
        app.router.add_post(BASE + "/links", _said(self._let_in))
        app.router.add_delete(BASE + "/links/{id:[0-9a-f]{8}}", self._revoke)
        describe(app, ACCOUNTS_OPERATIONS)
        describe(app, LINKS_OPERATIONS)

    async def _list(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response({"accounts": [self._body(one) for one in self._access.accounts.all()]})

    async def _make(self, request: web.Request) -> web.StreamResponse:
        wish = await read_fields(request, {"name", "role"})
        if wish is None or wish["role"] not in _ROLES:
            words = f'Send a name and a role ({", ".join(_ROLES)}) as JSON: {{"name": "Ada", "role": "host"}}.'
            return problem(400, "Bad Request", words)
        account = await self._access.accounts.make(wish["name"], cast(Role, wish["role"]))
        about(request, account.id)
        return web.json_response({"account": self._body(account), **await self._shown(request, account)}, status=201)

    async def _change(self, request: web.Request) -> web.StreamResponse:
        wish = await read_fields(request, set(), {"name", "role", "disabled"})
        if not wish or wish.get("role", "owner") not in _ROLES or not isinstance(wish.get("disabled", True), bool):
            words = f'Send "name", "role" ({", ".join(_ROLES)}), "disabled" (true or false), or several, as JSON.'
            return problem(400, "Bad Request", words)
        account = await self._access.accounts.change(request.match_info["id"], **wish)
        return web.json_response(self._body(account))

    async def _delete(self, request: web.Request) -> web.StreamResponse:
        await self._access.accounts.delete(request.match_info["id"])
        return web.Response(status=204)

    async def _link(self, request: web.Request) -> web.StreamResponse:
        account = self._access.accounts.get(request.match_info["id"])
        if account is None:
            return problem(404, "Not Found", "There is no account of this id.")
        if account.disabled:
            return problem(409, "Conflict", "This account is disabled; enable it first.")
        if not await is_empty(request):
            return no_fields()
        about(request, account.id, detail="account")
        return web.json_response(await self._shown(request, account), status=201)

    async def _shown(self, request: web.Request, account: Account) -> dict[str, Any]:
        link, secret = await self._access.one_time.make("account", account.id)
        return shown_link(link_url(request, self._access, PATH + secret), link)

    def _body(self, account: Account) -> dict[str, Any]:
        return {
            "id": account.id,
            "name": account.name,
            "role": account.role,
            "password": account.password is not None,
            "passkeys": len(self._access.accounts.passkeys(account.id)),
            "created": _time(account.created),
            "used": None if account.used is None else _time(account.used),
            "disabled": account.disabled,
        }

    # -- links -----------------------------------------------------------------------------------------------------

    async def _links(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response({"links": [link_body(one) for one in self._access.links.all()]})

    async def _let_in(self, request: web.Request) -> web.StreamResponse:
        wish = await read_fields(request, {"role", "minutes"}, {"devices", "label"})
        if wish is None or wish["role"] != "camera" or not is_whole(wish["minutes"], MINUTES):
            words = 'Send {"role": "camera", "minutes": 60}; a link lasts from one minute to 30 days.'
            return problem(400, "Bad Request", words)
        devices = wish.get("devices")
        if devices is not None and not is_whole(devices, DEVICES):
            return problem(400, "Bad Request", f"devices is a whole number from {DEVICES[0]} to {DEVICES[1]}.")
        label = None if wish.get("label") is None else clean_name(wish["label"])
        made, token = await self._access.links.make(None, "camera", wish["minutes"], label, devices)
        about(request, made.id)
        url = link_url(request, self._access, f"join/{token}")
        return web.json_response({"link": link_body(made), "url": url, "qr": qr_svg(url)}, status=201)

    async def _revoke(self, request: web.Request) -> web.StreamResponse:
        if not await self._access.links.revoke(request.match_info["id"]):
            return problem(404, "Not Found", "There is no such link, or it is over.")
        return web.Response(status=204)


def is_whole(value: object, between: tuple[int, int]) -> bool:
    """Whether it is a whole number in these bounds."""
    return isinstance(value, int) and not isinstance(value, bool) and between[0] <= value <= between[1]


def link_body(one: Invitation) -> dict[str, Any]:
    """What is shown of a link: not the link."""
    return {
        "id": one.id,
        "role": one.role,
        "room": one.room,
        "label": one.label,
        "created": _time(one.created),
        "expires": _time(one.expires),
        "devices": one.devices,
        "used": None if one.used is None else _time(one.used),
    }


def _said(handler: Handler) -> Handler:
    """What goes wrong, in words."""

    async def ask(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except BadName as error:
            return problem(400, "Bad Request", sentence(error))
        except NoSuchAccount as error:
            return problem(404, "Not Found", sentence(error))
        except (LastOwner, NameTaken, TooManyAccounts, TooManyRooms) as error:
            return problem(409, "Conflict", sentence(error))

    return ask


def _time(time: datetime) -> str:
    return time.isoformat(timespec="seconds")
