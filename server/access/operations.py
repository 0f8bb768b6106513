"""What the routes under /api/v1/access do."""

from __future__ import annotations

from typing import Any

from server.access.links import DEVICES, MINUTES
from server.access.passwords import LONGEST, SHORTEST
from server.access.roles import ACCOUNTS, HOSTS
from server.api.operations import Operation, Parameter, Schema
from server.api.schemas import COUNT, FLAG, NAME, ROOM, TEXT, TIME, listed, maybe, one_of, record

BASE = "/api/v1/access"
ID: Schema = {"type": "string", "pattern": "^[0-9a-f]{8}$"}
_WORD: Schema = {"type": "string", "minLength": 1, "maxLength": 1000}
_NEW_PASSWORD: Schema = {"type": "string", "minLength": SHORTEST, "maxLength": LONGEST}
_LINK_TEXT: Schema = {"type": "string", "minLength": 1, "maxLength": 400}
_ROLE = one_of("owner", "host", "viewer")
_CREDENTIAL: Schema = {"type": "object", "description": "What the browser answered, as JSON (WebAuthn level 3)"}
_OPTIONS: Schema = {"type": "object", "description": "What the browser is asked, as JSON (WebAuthn level 3)"}
_ACCOUNT_FIELDS: dict[str, Schema] = {
    "id": ID, "name": NAME, "role": _ROLE, "password": FLAG, "passkeys": COUNT, "created": TIME, "used": maybe(TIME),
    "disabled": FLAG,
}  # fmt: skip
ACCOUNT = record("Account", **_ACCOUNT_FIELDS)
LINK = record(
    "Link",
    id=ID,
    role=one_of("camera", "viewer", "host"),
    room=maybe(ROOM),
    label=maybe(NAME),
    created=TIME,
    expires=TIME,
    devices=maybe(COUNT),
    used=maybe(TIME),
)
ASKED = record("PasskeyQuestion", id=TEXT, publicKey=_OPTIONS)
SIGNED_IN = record("SignedIn", role=_ROLE, landing=TEXT)
_SHOWN: dict[str, Schema] = {"url": TEXT, "qr": TEXT, "expires": TIME}
_ONE = {"id": Parameter("Its id", ID)}
_ONCE = "`url` and `qr` are shown in this answer and never again; the link works once."
MINUTES_SCHEMA: Schema = {"type": "integer", "minimum": MINUTES[0], "maximum": MINUTES[1]}
DEVICES_SCHEMA: Schema = maybe({"type": "integer", "minimum": DEVICES[0], "maximum": DEVICES[1]})


def _open(summary: str, answers: dict[int, Any], errors: tuple[int, ...] = (), **more: Any) -> Operation:
    return Operation(summary, "access", None, answers, errors, roles=ACCOUNTS, secret=True, **more)


def _own(summary: str, answers: dict[int, Any], errors: tuple[int, ...] = (404,), **more: Any) -> Operation:
    """About whoever asks; 404 for whoever has no account (setting ``local_owner``)."""
    return Operation(summary, "access", None, answers, errors, roles=ACCOUNTS, secret=True, **more)


ENTERING = {
    f"GET {BASE}/state": _open(
        "Whether one can sign in, and who asks",
        {
            200: record(
                "AccessState",
                owner=FLAG,
                signed_in=FLAG,
                role=maybe(one_of("owner", "host", "viewer", "camera")),
                name=maybe(NAME),
                passkeys=FLAG,
                local_owner=FLAG,
            )
        },
        words="Open to all. `owner`: whether there is one who can sign in; `passkeys`: whether browsers make any under "
        "this name; `name`: of the account.",
    ),
    f"POST {BASE}/own": _open(
        "Sign in by a link that works once",
        {200: record("Owned", role=_ROLE, name=NAME, first=FLAG, landing=TEXT)},
        (409, 503),
        body=record(token=_LINK_TEXT),
        words="`first`: neither a password nor a passkey is there yet.",
    ),
    f"POST {BASE}/sign-in": _open(
        "Sign in by name and password", {200: SIGNED_IN}, (503,), body=record(name=_WORD, password=_WORD)
    ),
    f"POST {BASE}/passkey/options": _open(
        "Begin to sign in by passkey", {200: ASKED}, (409,), body=record(), needs_body=False
    ),
    f"POST {BASE}/passkey/sign-in": _open(
        "Sign in by passkey", {200: SIGNED_IN}, (409,), body=record(id=TEXT, credential=_CREDENTIAL)
    ),
    f"POST {BASE}/sign-out": _open("Sign out", {204: None}),
}
MINE = {
    f"GET {BASE}/me": _own(
        "My account",
        {
            200: record(
                "Me",
                id=ID,
                name=NAME,
                role=_ROLE,
                password=FLAG,
                passkeys=listed(record(id=ID, label=NAME, created=TIME, used=maybe(TIME))),
                sessions=listed(record(id=ID, created=TIME, used=TIME, device=TEXT, current=FLAG)),
            )
        },
    ),
    f"PUT {BASE}/me/name": _own("Call me so", {204: None}, (404, 409), body=record(name=NAME)),
    f"PUT {BASE}/me/password": _own(
        "Choose a password",
        {204: None},
        (404, 422, 503),
        body=record(None, {"current": _WORD}, new=_NEW_PASSWORD),
        words="All my other sessions end. `current` is needed where there is one and I signed in more than five "
        "minutes ago.",
    ),
    f"POST {BASE}/me/passkeys/options": _own(
        "Begin to make a passkey", {200: ASKED}, (404, 409), body=record(), needs_body=False
    ),
    f"POST {BASE}/me/passkeys": _own(
        "Keep a passkey that the browser made",
        {201: record("NewPasskey", id=ID, label=NAME)},
        (404, 409, 422),
        body=record(id=TEXT, credential=_CREDENTIAL, label=NAME),
    ),
    f"DELETE {BASE}/me/passkeys/{{id}}": _own("Remove a passkey", {204: None}, path=_ONE),
    f"DELETE {BASE}/me/sessions/{{id}}": _own("End one of my sessions", {204: None}, path=_ONE),
    f"POST {BASE}/me/device": _own(
        "A link that signs another device of mine in",
        {201: record("DeviceLink", **_SHOWN)},
        (404, 409),
        body=record(),
        needs_body=False,
        words=_ONCE,
    ),
}
ACCOUNTS_OPERATIONS = {
    f"GET {BASE}/accounts": Operation(
        "The accounts there are", "access", None, {200: record("Accounts", accounts=listed(ACCOUNT))}
    ),
    f"POST {BASE}/accounts": Operation(
        "Make an account",
        "access",
        None,
        {201: record("NewAccount", account=ACCOUNT, **_SHOWN)},
        (409,),
        body=record(name=NAME, role=_ROLE),
        secret=True,
        words=_ONCE,
    ),
    f"PATCH {BASE}/accounts/{{id}}": Operation(
        "Change somebody's name or role, or disable their account",
        "access",
        None,
        {200: ACCOUNT},
        (409,),
        path=_ONE,
        body={**record(None, {"name": NAME, "role": _ROLE, "disabled": FLAG}), "minProperties": 1},
        words="What their sessions opened with another role ends; whoever is disabled is signed out.",
    ),
    f"DELETE {BASE}/accounts/{{id}}": Operation("Delete an account", "access", None, {204: None}, (409,), path=_ONE),
    f"POST {BASE}/accounts/{{id}}/link": Operation(
        "A link that signs them in",
        "access",
        None,
        {201: record("AccountLink", **_SHOWN)},
        (409,),
        path=_ONE,
        body=record(),
        needs_body=False,
        secret=True,
        words=f"For whoever has not signed in yet, or cannot any more. {_ONCE} The one before is void.",
    ),
}
LINKS_OPERATIONS = {
    f"GET {BASE}/links": Operation(
        "The links that are not over",
        "access",
        None,
        {200: record("Links", links=listed(LINK))},
        roles=HOSTS,
        words="Of all rooms, and those for cameras of the live page (`room` is `null`).",
    ),
    f"POST {BASE}/links": Operation(
        "Let a guest's camera in",
        "access",
        None,
        {201: record("NewLink", link=LINK, url=TEXT, qr=TEXT)},
        (409,),
        body=record(
            None, {"devices": DEVICES_SCHEMA, "label": maybe(NAME)}, role=one_of("camera"), minutes=MINUTES_SCHEMA
        ),
        secret=True,
        roles=HOSTS,
        words="For the live page; links to a room are made with the room. `url` and `qr` are shown this once.",
    ),
    f"DELETE {BASE}/links/{{id}}": Operation(
        "Revoke a link",
        "access",
        None,
        {204: None},
        path=_ONE,
        roles=HOSTS,
        words="Cameras and viewers that came by it are ended.",
    ),
}
