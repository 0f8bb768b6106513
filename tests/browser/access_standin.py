"""The pages of access without a whole server: /api/v1/access answered as docs/trust.md says, with passkeys that are
verified, sessions in a cookie, and whatever refusal a test wants.
"""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import webauthn
from aiohttp import web
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from server.app import static_folder
from server.join import qr_svg
from server.problems import problem
from server.security import HEADERS
from tests.serving import in_thread, on_free_port

COOKIE = "standin_session"
Answer = web.StreamResponse
REQUIRED = UserVerificationRequirement.REQUIRED


@dataclass
class Key:
    """A passkey as the server keeps it."""

    id: str
    label: str
    credential: bytes
    public_key: bytes
    count: int
    used: str | None = None


@dataclass
class Account:
    id: str
    name: str
    role: str
    password: str | None = None
    passkeys: list[Key] = field(default_factory=list)
    disabled: bool = False
    used: str | None = None


@dataclass
class Session:
    id: str
    account: Account
    device: str


def stamp(minutes: float = 0) -> str:
    """A time of now, or so many minutes later."""
    return (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat()


class AccessStandin:
    """Everything public may be changed by a test. ``asked`` holds what was asked to be changed; ``faults`` what a page
    did that no server would take."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.sessions: dict[str, Session] = {}
        """By what is in the cookie."""
        self.tokens: dict[str, Account] = {}
        """One-time links."""
        self.links: list[dict[str, Any]] = []
        self.refusals: dict[str, tuple[int, str, dict[str, str]]] = {}
        """By ``"METHOD path"``: what is answered instead."""
        self.role: str | None = None
        """Of whoever comes without a session: by a link, or because this is their computer."""
        self.local_owner = False
        self.lan = True
        self.device_minutes = 10.0
        self.knows_access = True
        self.asked: list[tuple[str, Any]] = []
        self.faults: list[str] = []
        self.states = 0
        """How often who asks was asked."""
        self.url = ""
        self._questions: dict[str, bytes] = {}

    # -- what a test does ----------------------------------------------------------------------------------------------

    def account(self, name: str, role: str = "owner", password: str | None = None) -> Account:
        """One more account."""
        made = Account(secrets.token_hex(4), name, role, password)
        self.accounts[made.id] = made
        return made

    def link(self, account: Account) -> str:
        """A one-time link's address."""
        token = secrets.token_urlsafe(16)
        self.tokens[token] = account
        return f"{self.url}/own/{token}"

    def sign_in(self, account: Account, device: str = "Chromium on Linux") -> str:
        """A session; returns what goes into the cookie."""
        token = secrets.token_urlsafe(16)
        self.sessions[token] = Session(secrets.token_hex(4), account, device)
        account.used = stamp()
        return token

    def changes(self, start: str = "") -> list[tuple[str, Any]]:
        """What was asked to be changed, of what begins so."""
        return [one for one in self.asked if one[0].startswith(start)]

    # -- who asks ------------------------------------------------------------------------------------------------------

    def _session(self, request: web.Request) -> Session | None:
        return self.sessions.get(request.cookies.get(COOKIE, ""))

    def _host(self, request: web.Request) -> str:
        return request.host.rpartition(":")[0]

    def _named(self, request: web.Request) -> bool:
        try:
            ipaddress.ip_address(self._host(request))
        except ValueError:
            return True
        return False

    def _state(self, request: web.Request) -> Answer:
        self.states += 1
        mine = self._session(request)
        able = any(one.role == "owner" and (one.password or one.passkeys) for one in self.accounts.values())
        local = self.local_owner and mine is None
        role = mine.account.role if mine else "owner" if local else self.role
        return web.json_response(
            {"owner": able, "signed_in": mine is not None, "role": role, "name": mine.account.name if mine else None,
             "passkeys": self._named(request), "local_owner": self.local_owner}
        )  # fmt: skip

    def _enter(self, account: Account, **more: Any) -> Answer:
        landing = "/rooms" if account.role == "viewer" else "/"
        response = web.json_response({"role": account.role, "landing": landing, **more})
        response.set_cookie(COOKIE, self.sign_in(account), httponly=True, samesite="Strict")
        return response

    # -- the interface -------------------------------------------------------------------------------------------------

    async def _api(self, request: web.Request) -> Answer:
        path = request.path.removeprefix("/api/v1")
        body = await request.json() if request.can_read_body and request.content_type == "application/json" else None
        question = f"{request.method} {path}"
        if request.method != "GET":
            self.asked.append((question, body))
            if request.headers.get("Sec-Fetch-Site") != "same-origin":
                self.faults.append(f"{question} came from elsewhere")
        if (refusal := self.refusals.get(question)) is not None:
            status, words, headers = refusal
            return problem(status, "Refused", words, **headers)
        if path.startswith("/access/"):
            if not self.knows_access:
                return problem(404, "Not Found", "There is no such thing here.")
            return self._access(request, request.method, path.removeprefix("/access/"), body or {})
        return self._rest(request, question)

    def _rest(self, request: web.Request, question: str) -> Answer:
        if self._session(request) is None and not self.local_owner and self.role is None and self.knows_access:
            return problem(401, "Sign in", "Nobody is signed in.")
        match question:
            case "GET /config":
                config = {"iceServers": [], "guest": False, "retention": "Video is never stored.",
                          "video": {"width": 640, "height": 480, "frameRate": 30, "maxBitrate": 1_000_000}}  # fmt: skip
                return web.json_response(config)
            case "GET /rooms":
                return web.json_response({"rooms": []})
            case "GET /people":
                return web.json_response({"people": []})
            case "GET /join":
                url = "https://192.168.1.7:8443/join/standing-link-of-this-server"
                trust = {"trust_url": "http://192.168.1.7:8080/"}
                on = {"url": url, "qr": qr_svg(url), "expires": stamp(700), **trust}
                return web.json_response(on if self.lan else dict.fromkeys(on))
        return problem(404, "Not Found", f"No answer to {question}.")

    def _access(self, request: web.Request, method: str, path: str, body: dict[str, Any]) -> Answer:
        match method, path.split("/"):
            case "GET", ["state"]:
                return self._state(request)
            case "POST", ["own"]:
                account = self.tokens.pop(body["token"], None)
                if account is None:
                    return problem(401, "Used", "This link is over.")
                first = account.password is None and not account.passkeys
                return self._enter(account, name=account.name, first=first)
            case "POST", ["sign-in"]:
                for account in self.accounts.values():
                    if (account.name, account.password) == (body["name"], body["password"]) and not account.disabled:
                        return self._enter(account)
                return problem(401, "Wrong", "Name or password is wrong.")
            case "POST", ["passkey", "options"]:
                return self._ask_for_passkey(request)
            case "POST", ["passkey", "sign-in"]:
                return self._by_passkey(request, body)
        mine = self._session(request)
        if mine is None:
            if self.local_owner:
                if path.startswith("me"):
                    return problem(404, "Not Found", "You have not signed in to an account.")
                return self._of_owner(request, method, path.split("/"), body)
            return problem(401, "Sign in", "Nobody is signed in.")
        if method == "POST" and path == "sign-out":
            del self.sessions[request.cookies[COOKIE]]
            return web.Response(status=204)
        if path.split("/")[0] == "me":
            return self._me(request, mine, method, path.split("/")[1:], body)
        if mine.account.role == "owner" or (mine.account.role == "host" and path.split("/")[0] == "links"):
            return self._of_owner(request, method, path.split("/"), body)
        return problem(403, "Not yours", "This is for the owner.")

    def _me(self, request: web.Request, mine: Session, method: str, path: list[str], body: dict[str, Any]) -> Answer:
        account = mine.account
        done = web.Response(status=204)
        match method, path:
            case "GET", []:
                keys = [{"id": key.id, "label": key.label, "created": stamp(-2000), "used": key.used}
                        for key in account.passkeys]  # fmt: skip
                sessions = [{"id": one.id, "created": stamp(-60), "used": stamp(-5), "device": one.device,
                             "current": one is mine}
                            for one in self.sessions.values() if one.account is account]  # fmt: skip
                about = {"id": account.id, "name": account.name, "role": account.role}
                return web.json_response(
                    {**about, "password": account.password is not None, "passkeys": keys, "sessions": sessions}
                )
            case "PUT", ["name"]:
                if any(one.name == body["name"] for one in self.accounts.values()):
                    return problem(409, "Taken", "Somebody else is called so.")
                account.name = body["name"]
            case "PUT", ["password"]:
                if account.password not in (None, body.get("current")):
                    return problem(403, "Wrong", "That is not the password so far.")
                if "password" in body["new"]:
                    return problem(422, "Too weak", "This password is one of the commonest.")
                account.password = body["new"]
                self.sessions = {key: one for key, one in self.sessions.items()
                                 if one is mine or one.account is not account}  # fmt: skip
            case "POST", ["passkeys", "options"]:
                return self._ask_to_make(request, account)
            case "POST", ["passkeys"]:
                return self._keep_passkey(request, account, body)
            case "DELETE", ["passkeys", id]:
                account.passkeys = [key for key in account.passkeys if key.id != id]
            case "DELETE", ["sessions", id]:
                self.sessions = {key: one for key, one in self.sessions.items() if one.id != id}
            case "POST", ["device"]:
                if not self.lan:
                    return problem(409, "No LAN", "This server is not open to other devices.")
                return web.json_response(self._once(account, self.device_minutes), status=201)
            case _:
                return problem(404, "Not Found", "No such thing of yours.")
        return done

    def _once(self, account: Account, minutes: float = 10.0) -> dict[str, Any]:
        url = self.link(account)
        return {"url": url, "qr": qr_svg(url), "expires": stamp(minutes)}

    def _of_owner(self, request: web.Request, method: str, path: list[str], body: dict[str, Any]) -> Answer:
        def shown(one: Account) -> dict[str, Any]:
            return {"id": one.id, "name": one.name, "role": one.role, "password": one.password is not None,
                    "passkeys": len(one.passkeys), "created": stamp(-9000), "used": one.used,
                    "disabled": one.disabled}  # fmt: skip

        match method, path:
            case "GET", ["accounts"]:
                return web.json_response({"accounts": [shown(one) for one in self.accounts.values()]})
            case "POST", ["accounts"]:
                made = self.account(body["name"], body["role"])
                return web.json_response({"account": shown(made), **self._once(made)}, status=201)
            case "POST", ["accounts", id, "link"]:
                return web.json_response(self._once(self.accounts[id]), status=201)
            case (("PATCH" | "DELETE"), ["accounts", id]):
                one = self.accounts[id]
                owners = [other for other in self.accounts.values() if other.role == "owner" and not other.disabled]
                stays = method == "PATCH" and body.get("role", one.role) == "owner" and not body.get("disabled")
                if owners == [one] and not stays:
                    return problem(409, "The last owner", "There has to be an owner.")
                if method == "DELETE":
                    del self.accounts[id]
                    return web.Response(status=204)
                for name, value in body.items():
                    setattr(one, name, value)
                return web.json_response(shown(one))
            case "GET", ["links"]:
                return web.json_response({"links": self.links})
            case "POST", ["links"]:
                row = {"id": secrets.token_hex(4), "role": body["role"], "room": None, "label": body.get("label"),
                       "created": stamp(), "expires": stamp(body["minutes"]), "devices": body.get("devices"),
                       "used": None}  # fmt: skip
                self.links.append(row)
                url = f"https://192.168.1.7:8443/join/{row['id']}"
                return web.json_response({"link": row, "url": url, "qr": qr_svg(url)}, status=201)
            case "DELETE", ["links", id]:
                self.links = [row for row in self.links if row["id"] != id]
                return web.Response(status=204)
        return problem(404, "Not Found", "No such thing.")

    # -- passkeys, verified as a server does ---------------------------------------------------------------------------

    def _question(self, options: Any, challenge: bytes) -> Answer:
        id = secrets.token_hex(8)
        self._questions[id] = challenge
        return web.json_response({"id": id, "publicKey": json.loads(webauthn.options_to_json(options))})

    def _ask_to_make(self, request: web.Request, account: Account) -> Answer:
        options = webauthn.generate_registration_options(
            rp_id=self._host(request),
            rp_name="Visavis",
            user_name=account.name,
            user_id=account.id.encode(),
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED, user_verification=REQUIRED
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(key.credential) for key in account.passkeys],
        )
        return self._question(options, options.challenge)

    def _ask_for_passkey(self, request: web.Request) -> Answer:
        options = webauthn.generate_authentication_options(rp_id=self._host(request), user_verification=REQUIRED)
        return self._question(options, options.challenge)

    def _keep_passkey(self, request: web.Request, account: Account, body: dict[str, Any]) -> Answer:
        try:
            kept = webauthn.verify_registration_response(
                credential=body["credential"],
                expected_challenge=self._questions.pop(body["id"]),
                expected_rp_id=self._host(request),
                expected_origin=f"http://{request.host}",
                require_user_verification=True,
            )
        except WebAuthnException as error:
            self.faults.append(f"a passkey that does not hold: {error}")
            return problem(422, "Not verified", "This passkey cannot be verified.")
        key = Key(secrets.token_hex(4), body["label"], kept.credential_id, kept.credential_public_key, kept.sign_count)
        account.passkeys.append(key)
        return web.json_response({"id": key.id}, status=201)

    def _by_passkey(self, request: web.Request, body: dict[str, Any]) -> Answer:
        raw = base64.urlsafe_b64decode(body["credential"]["rawId"] + "==")
        found = [(one, key) for one in self.accounts.values() for key in one.passkeys if key.credential == raw]
        if not found:
            return problem(401, "Unknown", "This passkey is not known here.")
        account, key = found[0]
        try:
            used = webauthn.verify_authentication_response(
                credential=body["credential"],
                expected_challenge=self._questions.pop(body["id"]),
                expected_rp_id=self._host(request),
                expected_origin=f"http://{request.host}",
                credential_public_key=key.public_key,
                credential_current_sign_count=key.count,
                require_user_verification=True,
            )
        except WebAuthnException as error:
            self.faults.append(f"an answer that does not hold: {error}")
            return problem(401, "Not verified", "This passkey cannot be verified.")
        handle = base64.urlsafe_b64decode(body["credential"]["response"]["userHandle"] + "==")
        if handle != account.id.encode():
            self.faults.append("the user handle is not that of the account")
        key.count, key.used = used.new_sign_count, stamp()
        return self._enter(account)

    # -- serving -------------------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[AccessStandin]:
        folder = static_folder()

        def document(name: str, guarded: bool) -> Callable[[web.Request], Awaitable[Answer]]:
            async def show(request: web.Request) -> Answer:
                inside = self._session(request) or self.local_owner or self.role or not self.knows_access
                if guarded and not inside:
                    raise web.HTTPSeeOther(f"/sign-in?next={request.path}")
                return web.FileResponse(folder / name, headers=HEADERS)

            return show

        async def file(request: web.Request) -> Answer:
            return web.FileResponse(folder / request.match_info["path"], headers=HEADERS)

        app = web.Application()
        for path, name in {"/sign-in": "sign-in.html", "/own/{token}": "own.html"}.items():
            app.router.add_get(path, document(name, guarded=False))
        for path in ("access", "rooms", "people", "index"):
            app.router.add_get(f"/{path.removeprefix('index')}", document(f"{path}.html", guarded=True))
        app.router.add_get("/static/{path:.+}", file)
        app.router.add_route("*", "/api/v1/{path:.+}", self._api)
        async with on_free_port(app, shutdown_timeout=0.5) as port:
            self.url = f"http://localhost:{port}"
            yield self


@contextlib.contextmanager
def standing_in() -> Iterator[AccessStandin]:
    """Serve in a thread."""
    with in_thread(AccessStandin().serving(), "access") as standin:
        yield standin
