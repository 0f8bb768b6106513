"""Passkeys, made and used by an authenticator in software: what holds signs in, and nothing else does."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from server.access.access import Access
from server.access.passkeys import OPEN, Passkeys, Site
from tests.server.authenticator import PRESENT, Authenticator, text
from tests.server.conftest import Served, Serving
from tests.server.signing import accounts


@dataclass
class Page:
    """A page on http://localhost, and who asks through it."""

    served: Served
    http: aiohttp.ClientSession
    origin: str
    server: str
    answer: Any = None

    @property
    def access(self) -> Access:
        assert self.served.access is not None
        return self.served.access

    async def ask(self, method: str, path: str, body: Any = None) -> int:
        headers = {"Origin": self.origin, "Host": self.origin.partition("://")[2]}
        url = f"{self.server}/api/v1/access{path}"
        async with self.http.request(method, url, json=body, headers=headers) as response:
            said = await response.text()
            self.answer = await response.json(content_type=None) if said else None
            return response.status

    async def sign_in_by_link(self) -> None:
        _, secret = await self.access.one_time.make("owner")
        assert await self.ask("POST", "/own", {"token": secret}) == 200

    async def asked(self, path: str) -> tuple[str, dict[str, Any]]:
        assert await self.ask("POST", path, {}) == 200
        return self.answer["id"], self.answer["publicKey"]

    async def make(self, key: Authenticator, label: str = "My phone") -> int:
        id, options = await self.asked("/me/passkeys/options")
        return await self.ask("POST", "/me/passkeys", {"id": id, "credential": key.make(options), "label": label})

    async def sign_in(self, key: Authenticator) -> int:
        id, options = await self.asked("/passkey/options")
        return await self.ask("POST", "/passkey/sign-in", {"id": id, "credential": key.sign(options)})

    def key(self) -> Authenticator:
        return Authenticator(self.origin, self.origin.partition("://")[2].partition(":")[0])


@pytest.fixture
async def page(serving: Serving) -> AsyncIterator[Page]:
    async with serving(accounts=accounts(), local_owner=False) as served, served.client() as http:
        yield Page(served, http, served.local, served.local)


async def test_a_passkey_is_made_and_signs_in_without_a_name(page: Page) -> None:
    await page.sign_in_by_link()
    key = page.key()
    id, options = await page.asked("/me/passkeys/options")
    assert options["rp"] == {"name": "Visavis", "id": "localhost"}
    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert options["authenticatorSelection"]["residentKey"] == "required"
    assert options["attestation"] == "none"
    assert (
        await page.ask("POST", "/me/passkeys", {"id": id, "credential": key.make(options), "label": " Phone "}) == 201
    )
    assert page.answer["label"] == "Phone"
    assert await page.ask("POST", "/sign-out", {}) == 204
    id, options = await page.asked("/passkey/options")
    assert (options["rpId"], options["userVerification"], options["allowCredentials"]) == ("localhost", "required", [])
    assert await page.ask("POST", "/passkey/sign-in", {"id": id, "credential": key.sign(options)}) == 200
    assert page.answer == {"role": "owner", "landing": "/"}
    assert await page.ask("GET", "/me") == 200
    (shown,) = page.answer["passkeys"]
    assert shown["label"] == "Phone"
    assert shown["used"] is not None
    assert page.access.accounts.owned()
    _, options = await page.asked("/me/passkeys/options")
    assert [one["id"] for one in options["excludeCredentials"]] == [text(key.id)]


async def test_an_account_has_several_and_one_that_is_removed_signs_nobody_in(page: Page) -> None:
    await page.sign_in_by_link()
    one, other = page.key(), page.key()
    assert await page.make(one, "One") == 201
    id = page.answer["id"]
    assert await page.make(other, "Other") == 201
    assert await page.make(other, "Again") == 409  # it is kept already
    assert await page.ask("DELETE", f"/me/passkeys/{id}") == 204
    assert await page.sign_in(one) == 401
    assert await page.sign_in(other) == 200


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("origin", "http://localhost:1"), ("origin", "https://localhost"), ("origin", "http://evil.example"),
        ("rp_id", "evil.example"), ("flags", PRESENT), ("flags", 0),
    ],
)  # fmt: skip
async def test_what_was_done_elsewhere_or_without_the_user_does_not_hold(page: Page, change: str, value: Any) -> None:
    await page.sign_in_by_link()
    key = page.key()
    right = getattr(key, change)
    setattr(key, change, value)
    assert await page.make(key) == 422
    assert page.answer["detail"].endswith(".")
    setattr(key, change, right)
    assert await page.make(key) == 201
    setattr(key, change, value)
    assert await page.sign_in(key) == 401


async def test_a_challenge_is_answered_once_where_and_for_whom_it_was_asked(page: Page) -> None:
    await page.sign_in_by_link()
    key = page.key()
    assert await page.make(key) == 201
    id, options = await page.asked("/passkey/options")
    credential = key.sign(options)
    assert await page.ask("POST", "/passkey/sign-in", {"id": id, "credential": credential}) == 200
    assert await page.ask("POST", "/passkey/sign-in", {"id": id, "credential": credential}) == 401  # replayed
    other, _ = await page.asked("/passkey/options")
    assert await page.ask("POST", "/passkey/sign-in", {"id": other, "credential": key.sign(options)}) == 401
    assert await page.ask("POST", "/passkey/sign-in", {"id": "never", "credential": key.sign(options)}) == 401
    making, options = await page.asked("/me/passkeys/options")  # what is asked of me lets nobody in
    assert await page.ask("POST", "/passkey/sign-in", {"id": making, "credential": key.sign(options)}) == 401
    signing, options = await page.asked("/passkey/options")
    made = {"id": signing, "credential": page.key().make({**options, "user": {"id": ""}}), "label": "x"}
    assert await page.ask("POST", "/me/passkeys", made) == 422


async def test_a_challenge_is_over_after_five_minutes(page: Page) -> None:
    await page.sign_in_by_link()
    key, now = page.key(), 0.0
    page.access.passkeys._now = lambda: now
    assert await page.make(key) == 201
    id, options = await page.asked("/passkey/options")
    now = 301.0
    assert await page.ask("POST", "/passkey/sign-in", {"id": id, "credential": key.sign(options)}) == 401
    assert await page.sign_in(key) == 200


async def test_a_counter_that_goes_back_is_a_copy(page: Page) -> None:
    await page.sign_in_by_link()
    key = page.key()
    key.counter = 5
    assert await page.make(key) == 201
    copied = copy.copy(key)
    assert await page.sign_in(key) == 200
    assert await page.sign_in(key) == 200
    assert await page.sign_in(copied) == 401
    (kept,) = page.access.accounts.passkeys(page.access.accounts.all()[0].id)
    assert kept.counter == 7


async def test_one_without_a_counter_signs_in_again_and_again(page: Page) -> None:
    await page.sign_in_by_link()
    key = page.key()
    assert await page.make(key) == 201
    for _ in range(2):
        key.counter = -1  # `sign` counts to 0: as passkeys that are in several devices do
        assert await page.sign_in(key) == 200


async def test_nobody_signs_in_as_somebody_else(page: Page) -> None:
    await page.sign_in_by_link()
    key = page.key()
    assert await page.make(key) == 201
    key.user = text(b"00000000")
    assert await page.sign_in(key) == 401
    stranger = page.key()
    stranger.id = key.id  # claims a passkey that it does not have
    assert await page.sign_in(stranger) == 401
    assert await page.sign_in(page.key()) == 401


async def test_whoever_is_disabled_does_not_sign_in(page: Page) -> None:
    await page.sign_in_by_link()
    (owner,) = page.access.accounts.all()
    await page.access.accounts.set_password(owner, "quiet lamp orbits plum")
    grace = await page.access.accounts.make("Grace", "host")
    _, secret = await page.access.one_time.make("account", grace.id)
    assert await page.ask("POST", "/own", {"token": secret}) == 200
    key = page.key()
    assert await page.make(key) == 201
    await page.access.accounts.change(grace.id, disabled=True)
    assert await page.sign_in(key) == 401


async def test_wrong_answers_are_slowed_down(page: Page) -> None:
    assert [await page.sign_in(page.key()) for _ in range(6)] == [401] * 5 + [429]


@pytest.mark.parametrize(
    "body",
    [None, {}, {"id": "x"}, {"id": 7, "credential": {}}, {"id": "x", "credential": "y"}, {"id": "x", "credential": []}],
)
async def test_answers_that_are_none_are_refused(page: Page, body: Any) -> None:
    assert await page.ask("POST", "/passkey/sign-in", body) == 422


@pytest.mark.parametrize(
    "credential",
    [
        {}, {"id": 7}, {"id": "!"}, {"id": "AAAA"}, {"id": "AAAA", "response": 7},
        {"id": "AAAA", "rawId": "AAAA", "type": "public-key", "response": {"clientDataJSON": "AAAA"}},
    ],
)  # fmt: skip
async def test_what_is_no_credential_does_not_hold(page: Page, credential: Any) -> None:
    await page.sign_in_by_link()
    assert await page.make(page.key()) == 201
    id, _ = await page.asked("/passkey/options")
    assert await page.ask("POST", "/passkey/sign-in", {"id": id, "credential": credential}) == 401
    id, _ = await page.asked("/me/passkeys/options")
    assert await page.ask("POST", "/me/passkeys", {"id": id, "credential": credential, "label": "x"}) == 422


async def test_a_passkey_belongs_to_a_name_in_the_address_bar(serving: Serving) -> None:
    async with (
        serving(accounts=accounts(), host_names=("faces.home.arpa",)) as served,
        contextlib.AsyncExitStack() as stack,
    ):
        port = served.door.https_port
        hosts = {"testhost.local": True, "faces.home.arpa": True, "127.0.0.1": False, "evil.example": False}
        for host, possible in hosts.items():
            http = await stack.enter_async_context(served.client())
            page = Page(served, http, f"https://{host}:{port}", served.lan)
            assert await page.ask("GET", "/state") == 200
            assert page.answer["passkeys"] is possible
            assert await page.ask("POST", "/passkey/options", {}) == (200 if possible else 409)
        local = Page(served, http, served.local, served.local)
        await local.sign_in_by_link()
        key = local.key()
        assert await local.make(key) == 201
        named = Page(served, http, f"https://testhost.local:{port}", served.lan)
        key.origin, key.rp_id = named.origin, "testhost.local"  # a browser would not offer it there
        id, options = await named.asked("/passkey/options")
        key.rp_id = "localhost"
        assert await named.ask("POST", "/passkey/sign-in", {"id": id, "credential": key.sign(options)}) == 401


def test_open_questions_are_bounded_in_memory() -> None:
    now = 0.0
    passkeys = Passkeys(lambda: now)
    site = Site("localhost", "http://localhost:8000")
    for _ in range(OPEN + 10):
        passkeys.ask_to_sign_in(site)
    assert len(passkeys._asked) == OPEN
    now = 301.0
    passkeys.ask_to_sign_in(site)
    assert len(passkeys._asked) == 1
