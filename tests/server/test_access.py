"""Signing in and out over HTTP: by links that work once, by password; what sessions last and end with; whose accounts
are managed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import argon2
import pytest

from server.access.access import Access
from server.access.backoff import Backoff
from server.access.passwords import Passwords, TooBusy, WeakPassword, check_new
from tests.server.conftest import Served, Serving
from tests.server.signing import QUICK, Clock, accounts
from tests.stores import only_sqlite

pytestmark = pytest.mark.usefixtures("either_store")

GOOD, OTHER = "quiet lamp orbits plum", "seven odd marble jugs"


class Counting(argon2.PasswordHasher):
    """Says how often it was asked."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"time_cost": 1, "memory_cost": 8, "parallelism": 1, **options})
        self.asked: list[str] = []

    def hash(self, *args: Any, **more: Any) -> str:
        self.asked.append("hash")
        return super().hash(*args, **more)

    def verify(self, *args: Any, **more: Any) -> Any:
        self.asked.append("verify")
        return super().verify(*args, **more)


@dataclass
class Browser:
    """A browser on the LAN, or on this computer, as a page of the server asks through it."""

    served: Served
    page: str
    http: aiohttp.ClientSession
    answer: Any = None
    headers: Any = field(default_factory=dict)
    cookies: Any = field(default_factory=dict)

    async def ask(self, method: str, path: str, body: Any = None) -> int:
        origin = {"Origin": self.page}
        async with self.http.request(method, f"{self.page}/api/v1/access{path}", json=body, headers=origin) as response:
            self.headers, self.cookies = response.headers, response.cookies
            text = await response.text()
            self.answer = await response.json(content_type=None) if text else None
            return response.status

    async def own(self, kind: Any = "owner", account: str | None = None) -> int:
        _, secret = await access_of(self.served).one_time.make(kind, account)
        return await self.ask("POST", "/own", {"token": secret})

    async def me(self) -> Any:
        assert await self.ask("GET", "/me") == 200
        return self.answer


def access_of(served: Served) -> Access:
    assert served.access is not None
    return served.access


@dataclass
class House:
    served: Served
    clock: Clock
    hasher: Counting
    stack: contextlib.AsyncExitStack

    @property
    def access(self) -> Access:
        return access_of(self.served)

    async def browser(self, *, lan: bool = True) -> Browser:
        page = self.served.lan if lan else self.served.local
        return Browser(self.served, page, await self.stack.enter_async_context(self.served.client()))

    async def owner(self) -> Browser:
        browser = await self.browser()
        assert await browser.own() == 200
        return browser


@pytest.fixture
async def house(serving: Serving) -> AsyncIterator[House]:
    clock, hasher = Clock(), Counting()
    options = {"now": clock, "passwords": Passwords(hasher)}
    async with (
        serving(accounts=accounts(**options), local_owner=False) as served,
        contextlib.AsyncExitStack() as stack,
    ):
        access_of(served).backoff._now = clock.seconds
        yield House(served, clock, hasher, stack)


async def soon(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - another process writes
            await asyncio.sleep(0.02)


# -- the owner, and links that work once -----------------------------------------------------------------------------


async def test_the_first_owner_opens_the_link_and_chooses_how_to_sign_in(house: House) -> None:
    browser = await house.browser(lan=False)
    assert await browser.ask("GET", "/state") == 200
    nobody = {"owner": False, "signed_in": False, "role": None, "name": None, "passkeys": False, "local_owner": False}
    assert browser.answer == {**nobody, "passkeys": True}
    url = await house.access.owners_link(f"{house.served.local}/")
    assert url is not None
    async with browser.http.get(url) as response:  # a program that previews links does this, and uses up nothing
        assert (response.status, response.content_type) == (200, "text/html")
    assert await browser.ask("POST", "/own", {"token": url.rpartition("/own/")[2]}) == 200
    assert browser.answer == {"role": "owner", "name": "Owner", "first": True, "landing": "/"}
    assert await browser.ask("GET", "/state") == 200
    assert browser.answer == {**nobody, "signed_in": True, "role": "owner", "name": "Owner", "passkeys": True}
    assert await browser.ask("PUT", "/me/name", {"name": "Ada"}) == 204
    assert await browser.ask("PUT", "/me/password", {"new": GOOD}) == 204
    assert await house.access.owners_link("") is None
    other = await house.browser()
    assert await other.ask("POST", "/sign-in", {"name": "ADA", "password": GOOD}) == 200
    assert other.answer == {"role": "owner", "landing": "/"}
    assert await other.ask("GET", "/state") == 200
    expected = {"owner": True, "signed_in": True, "role": "owner", "name": "Ada", "passkeys": False}
    assert other.answer == {**expected, "local_owner": False}
    again = await house.browser()
    assert await again.own() == 200  # `visavis owner` lets the same owner in again
    assert (again.answer["name"], again.answer["first"]) == ("Ada", False)
    assert len(house.access.accounts.all()) == 1


async def test_a_link_works_once_and_in_its_time(house: House) -> None:
    browser, late = await house.browser(), await house.browser()
    _, secret = await house.access.one_time.make("owner")
    assert await browser.ask("POST", "/own", {"token": secret}) == 200
    assert await late.ask("POST", "/own", {"token": secret}) == 401
    assert "cookie" not in str(late.headers).lower()
    _, secret = await house.access.one_time.make("owner")
    house.clock.move(minutes=60)
    assert await late.ask("POST", "/own", {"token": secret}) == 401
    _, secret = await house.access.one_time.make("owner")
    house.clock.move(minutes=59, seconds=59)
    assert await late.ask("POST", "/own", {"token": secret}) == 200


async def test_of_two_who_open_a_link_at_once_one_is_let_in(house: House) -> None:
    browsers = [await house.browser() for _ in range(4)]
    _, secret = await house.access.one_time.make("owner")
    statuses = await asyncio.gather(*(one.ask("POST", "/own", {"token": secret}) for one in browsers))
    assert sorted(statuses) == [200, 401, 401, 401]
    assert len(house.access.accounts.all()) == 1


@pytest.mark.parametrize("body", [None, {}, [], {"token": 7}, {"token": "x", "more": 1}, "token"])
async def test_links_that_are_none_are_refused(house: House, body: Any) -> None:
    browser = await house.browser()
    assert await browser.ask("POST", "/own", body) == 400
    assert browser.answer["detail"].endswith(".")


async def test_wrong_links_wait_longer_each_time(house: House) -> None:
    browser = await house.browser()
    assert [await browser.ask("POST", "/own", {"token": "guess"}) for _ in range(6)] == [401] * 5 + [429]
    _, secret = await house.access.one_time.make("owner")
    assert await browser.ask("POST", "/own", {"token": secret}) == 429
    house.clock.move(seconds=1)
    assert await browser.ask("POST", "/own", {"token": secret}) == 200


async def test_another_device_of_mine(house: House) -> None:
    browser, phone = await house.owner(), await house.browser()
    assert await browser.ask("POST", "/me/device", {}) == 201
    made = browser.answer
    assert made["url"].startswith(f"{house.served.lan}/own/")
    assert made["expires"] == "2026-11-28T12:10:00+00:00"
    assert "<svg" in made["qr"]
    assert await phone.ask("POST", "/own", {"token": made["url"].rpartition("/")[2]}) == 200
    assert sorted(one["current"] for one in (await phone.me())["sessions"]) == [False, True]
    assert await browser.ask("POST", "/me/device", {}) == 201
    house.clock.move(minutes=10)
    assert await phone.ask("POST", "/own", {"token": browser.answer["url"].rpartition("/")[2]}) == 401


# -- passwords ---------------------------------------------------------------------------------------------------------


async def test_it_takes_the_same_work_whether_there_is_such_an_account(house: House) -> None:
    browser = await house.owner()
    assert await browser.ask("PUT", "/me/password", {"new": GOOD}) == 204
    await house.access.accounts.make("No password", "host")
    disabled = await house.access.accounts.make("Disabled", "host")
    await house.access.accounts.set_password(disabled, OTHER)
    await house.access.accounts.change(disabled.id, disabled=True)
    stranger = await house.browser()
    await stranger.ask("POST", "/sign-in", {"name": "nobody", "password": "x"})  # the hash that is nobody's is made
    asked, answers = [], []
    for name, password in (("Owner", "wrong"), ("Nobody", GOOD), ("No password", "x"), ("Disabled", OTHER)):
        house.hasher.asked.clear()
        house.access.backoff.clear("sign-in 127.0.0.1")
        assert await stranger.ask("POST", "/sign-in", {"name": name, "password": password}) == 401
        asked.append(list(house.hasher.asked))
        answers.append(stranger.answer)
    assert asked == [["verify"]] * 4
    assert answers == [answers[0]] * 4
    house.hasher.asked.clear()
    assert await stranger.ask("POST", "/sign-in", {"name": "Owner", "password": "x" * 300}) == 401
    assert house.hasher.asked == ["verify"]


async def test_wrong_passwords_wait_longer_each_time_for_the_address_and_for_the_account(house: House) -> None:
    browser = await house.owner()
    assert await browser.ask("PUT", "/me/password", {"new": GOOD}) == 204
    right, wrong = {"name": "Owner", "password": GOOD}, {"name": "owner", "password": "wrong"}
    for _ in range(5):
        assert await browser.ask("POST", "/sign-in", wrong) == 401
    for seconds in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900):
        house.hasher.asked.clear()
        assert await browser.ask("POST", "/sign-in", right) == 429
        assert browser.headers["Retry-After"] == str(seconds)
        assert str(seconds) in browser.answer["detail"]
        assert house.hasher.asked == []  # no work is done for whoever has to wait
        house.clock.move(seconds=seconds)
        assert await browser.ask("POST", "/sign-in", wrong) == 401
    house.access.backoff.clear("sign-in 127.0.0.1")  # from another address, it is the account that waits
    assert await browser.ask("POST", "/sign-in", right) == 429
    assert await browser.ask("POST", "/sign-in", {"name": "nobody", "password": "x"}) == 401
    house.clock.move(seconds=900)
    assert await browser.ask("POST", "/sign-in", right) == 200
    assert await browser.ask("POST", "/sign-in", wrong) == 401  # and counts from the beginning


async def test_many_guesses_at_once_are_counted_before_they_are_looked_at(house: House) -> None:
    browser = await house.owner()
    assert await browser.ask("PUT", "/me/password", {"new": GOOD}) == 204
    guesses = [await house.browser() for _ in range(12)]
    body = {"name": "Owner", "password": "wrong"}
    statuses = await asyncio.gather(*(one.ask("POST", "/sign-in", body) for one in guesses))
    assert sorted(statuses) == [401] * 5 + [429] * 7


@pytest.mark.parametrize(
    "password",
    [
        "elevenchars", "x" * 257, "", 7, None, "aaaaaaaaaaaa", "abababababab", "123456789012", "password1234",
        "qwertyuiop12", "P4ssw0rd2026!", "Owner-Owner-1", "visavis-visavis", "correct horse battery staple",
        "letmeinletmein", "Summer2026Summer", "zyxwvutsrqpo", "111122223333", "1qaz2wsx3edc", "manchesterunited",
        "half a pair \ud800",
    ],
)  # fmt: skip
async def test_passwords_that_would_be_guessed_are_refused(house: House, password: Any) -> None:
    browser = await house.owner()
    assert await browser.ask("PUT", "/me/password", {"new": password}) == 422
    assert browser.answer["detail"].endswith(".")
    assert str(password) not in browser.answer["detail"] or password in ("", 7, None)
    assert await browser.ask("POST", "/sign-in", {"name": "Owner", "password": password}) in (400, 401, 429)
    assert (await browser.me())["password"] is False


@pytest.mark.parametrize(
    "password",
    [GOOD, OTHER, "x7Kp2mQ9vTz4", "Ωμέγα και άλφα", "пароль для кухни", "x7Kp2mQ9" * 32, "🦉🌲 owl in trees"],
)
def test_other_passwords_will_do(password: str) -> None:
    assert check_new(password, "Ada Lovelace") == password


def test_the_same_password_however_it_is_composed() -> None:
    assert check_new("cafe\u0301 au lait nul", "Ada") == "caf\u00e9 au lait nul"
    with pytest.raises(WeakPassword, match="first that are tried"):
        check_new("adalovelace12", "Ada Lovelace")


async def test_a_changed_password_ends_all_other_sessions(house: House) -> None:
    browser, other = await house.owner(), await house.browser()
    assert await browser.ask("PUT", "/me/password", {"new": GOOD}) == 204
    assert await other.ask("POST", "/sign-in", {"name": "Owner", "password": GOOD}) == 200
    house.clock.move(minutes=5, seconds=1)
    assert await browser.ask("PUT", "/me/password", {"new": OTHER}) == 403
    assert await browser.ask("PUT", "/me/password", {"new": OTHER, "current": "wrong"}) == 403
    assert await other.ask("GET", "/me") == 200
    assert await browser.ask("PUT", "/me/password", {"new": OTHER, "current": GOOD}) == 204
    assert await other.ask("GET", "/me") == 401
    assert [one["current"] for one in (await browser.me())["sessions"]] == [True]
    assert await other.ask("POST", "/sign-in", {"name": "Owner", "password": GOOD}) == 401
    assert await other.ask("POST", "/sign-in", {"name": "Owner", "password": OTHER}) == 200


async def test_a_hash_made_with_other_parameters_is_made_anew(house: House) -> None:
    browser = await house.owner()
    assert await browser.ask("PUT", "/me/password", {"new": GOOD}) == 204
    (account,) = house.access.accounts.all()
    before = account.password
    house.access.passwords._hasher = Counting(time_cost=2)
    assert await browser.ask("POST", "/sign-in", {"name": "Owner", "password": GOOD}) == 200
    (account,) = house.access.accounts.all()
    assert account.password is not None
    assert account.password != before
    assert ",t=2," in account.password
    assert await browser.ask("POST", "/sign-in", {"name": "Owner", "password": GOOD}) == 200


async def test_hashes_are_as_strong_as_rfc_9106_says_and_only_so_many_wait() -> None:
    passwords = Passwords()
    try:
        assert (await passwords.hash(GOOD)).startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    finally:
        passwords.close()
    few = Passwords(QUICK)
    try:
        done = await asyncio.gather(*(few.hash(GOOD) for _ in range(40)), return_exceptions=True)
        assert [type(one) for one in done].count(TooBusy) == 8
        assert len(set(map(str, done))) == 33
    finally:
        few.close()


@pytest.mark.parametrize("body", [None, {}, {"name": "a"}, {"name": 7, "password": "x"}, {"name": "a", "password": []}])
async def test_sign_ins_that_say_nothing_are_refused(house: House, body: Any) -> None:
    browser = await house.browser()
    assert await browser.ask("POST", "/sign-in", body) == 400


def test_wrong_guesses_are_bounded_in_memory_and_forgotten() -> None:
    now = 0.0
    backoff = Backoff(lambda: now, entries=2)
    for last in range(3):
        for _ in range(6):
            backoff.count(f"10.0.0.{last}")
    assert [backoff.wait(f"10.0.0.{last}") > 0 for last in range(3)] == [False, True, True]
    now = 3600.0
    assert backoff.wait("10.0.0.2") == 0
    backoff.count("10.0.0.2")
    assert backoff.wait("10.0.0.2") == 0


# -- sessions ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lan", [True, False])
async def test_the_cookie_is_as_strict_as_the_listener_lets_it_be(house: House, lan: bool) -> None:
    browser = await house.browser(lan=lan)
    assert await browser.own() == 200
    name = "__Host-visavis" if lan else "visavis"
    cookie = browser.cookies[name]
    assert len(cookie.value) == 43  # 256 bits
    assert (cookie["httponly"], bool(cookie["secure"]), cookie["samesite"]) == (True, lan, "Strict")
    assert (cookie["path"], cookie["domain"], cookie["max-age"]) == ("/", "", str(30 * 24 * 3600))
    for path in house.served.access.settings.data_dir.glob("people.sqlite3*"):  # type: ignore[union-attr]
        assert cookie.value.encode() not in path.read_bytes()
    assert await browser.ask("POST", "/sign-out") == 204
    assert browser.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert (browser.cookies[name].value, bool(browser.cookies[name]["secure"])) == ("", lan)
    assert await browser.ask("GET", "/me") == 401
    stolen = {"Cookie": f"{name}={cookie.value}"}
    async with browser.http.get(f"{browser.page}/api/v1/access/me", headers=stolen) as response:
        assert response.status == 401


async def test_neither_listener_takes_the_others_cookie(house: House) -> None:
    browser = await house.owner()
    value = browser.cookies["__Host-visavis"].value
    for page, name, status in (
        (house.served.lan, "visavis", 401),
        (house.served.local, "__Host-visavis", 401),
        (house.served.local, "visavis", 200),
    ):
        async with (
            house.served.client(headers={"Cookie": f"{name}={value}"}) as http,
            http.get(f"{page}/api/v1/access/me") as response,
        ):
            assert response.status == status


async def test_sessions_end_after_some_days_and_sooner_where_they_are_not_used(house: House) -> None:
    idle, used = await house.owner(), await house.owner()
    for _ in range(4):
        house.clock.move(days=6)
        assert await used.ask("GET", "/me") == 200
    assert await idle.ask("GET", "/me") == 401
    house.clock.move(days=5, hours=23)
    assert await used.ask("GET", "/me") == 200
    house.clock.move(hours=1)
    assert await used.ask("GET", "/me") == 401
    await house.access.sessions.flush()
    assert house.access._records.kept.sessions == {}


async def test_use_is_noted_to_the_minute(house: House) -> None:
    browser = await house.owner()
    (session,) = house.access._records.kept.sessions.values()
    house.clock.move(seconds=59)
    await browser.me()
    await house.access.sessions.flush()
    assert house.access._records.kept.sessions[session.hash].used == session.used
    house.clock.move(seconds=1)
    assert (await browser.me())["sessions"][0]["used"] == "2026-11-28T12:01:00+00:00"
    await house.access.sessions.flush()
    assert house.access._records.kept.sessions[session.hash].used == house.clock.time


async def test_an_account_has_at_most_ten_sessions_and_the_oldest_gives_way(house: House) -> None:
    browsers = []
    for _ in range(10):
        browsers.append(await house.owner())
        house.clock.move(minutes=2)
    await browsers[0].me()  # used, so that the second is the one not used for longest
    house.clock.move(minutes=2)
    browsers.append(await house.owner())
    statuses = [await one.ask("GET", "/me") for one in browsers]
    assert statuses == [200, 401, *[200] * 9]


async def test_signing_in_again_ends_the_session_before(house: House) -> None:
    browser = await house.owner()
    assert await browser.own() == 200
    assert len((await browser.me())["sessions"]) == 1


async def test_one_of_my_sessions_is_ended_and_nobody_elses(house: House) -> None:
    browser, other = await house.owner(), await house.owner()
    host = await house.access.accounts.make("Host", "host")
    third = await house.browser()
    assert await third.own("account", host.id) == 200
    (mine,) = (await third.me())["sessions"]
    assert await browser.ask("DELETE", f"/me/sessions/{mine['id']}") == 404
    (theirs,) = [one for one in (await browser.me())["sessions"] if not one["current"]]
    assert await browser.ask("DELETE", f"/me/sessions/{theirs['id']}") == 204
    assert await other.ask("GET", "/me") == 401
    (own,) = (await browser.me())["sessions"]
    assert await browser.ask("DELETE", f"/me/sessions/{own['id']}") == 204
    assert browser.cookies["__Host-visavis"].value == ""
    assert await third.ask("GET", "/me") == 200


async def test_a_device_is_told_in_words_and_no_more(house: House) -> None:
    browser = await house.browser()
    agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
    browser.http.headers["User-Agent"] = agent
    assert await browser.own() == 200
    assert (await browser.me())["sessions"][0]["device"] == "Chrome on Linux"
    browser.http.headers["User-Agent"] = "<script>alert(1)</script>"
    assert await browser.own() == 200
    assert (await browser.me())["sessions"][0]["device"] == "A program"


# -- accounts ----------------------------------------------------------------------------------------------------------


async def made(owner: Browser, name: str, role: str) -> tuple[str, str]:
    """An account's id, and what is in its link."""
    assert await owner.ask("POST", "/accounts", {"name": name, "role": role}) == 201
    return owner.answer["account"]["id"], owner.answer["url"].rpartition("/own/")[2]


async def test_an_account_is_made_changed_disabled_and_deleted(house: House) -> None:
    owner, host = await house.owner(), await house.browser()
    house.clock.move(seconds=1)
    id, secret = await made(owner, "Grace", "host")
    assert owner.answer["expires"] == "2026-12-05T12:00:01+00:00"
    assert await owner.ask("POST", f"/accounts/{id}/link") == 201
    newer = owner.answer["url"].rpartition("/own/")[2]
    assert await host.ask("POST", "/own", {"token": secret}) == 401  # the one before is void
    assert await host.ask("POST", "/own", {"token": newer}) == 200
    assert host.answer == {"role": "host", "name": "Grace", "first": True, "landing": "/"}
    assert await owner.ask("GET", "/accounts") == 200
    (_, listed) = owner.answer["accounts"]
    assert (listed["id"], listed["password"], listed["passkeys"], listed["disabled"]) == (id, False, 0, False)
    assert listed["used"] is not None
    assert await owner.ask("PATCH", f"/accounts/{id}", {"role": "viewer", "name": "Grace H."}) == 200
    assert (owner.answer["role"], owner.answer["name"]) == ("viewer", "Grace H.")
    assert (await host.me())["role"] == "viewer"
    assert await owner.ask("PATCH", f"/accounts/{id}", {"disabled": True}) == 200
    assert await host.ask("GET", "/me") == 401
    assert await owner.ask("POST", f"/accounts/{id}/link") == 409
    assert await owner.ask("PATCH", f"/accounts/{id}", {"disabled": False}) == 200
    assert await host.ask("GET", "/me") == 401  # what was ended stays ended
    assert await host.own("account", id) == 200
    assert await owner.ask("DELETE", f"/accounts/{id}") == 204
    assert await host.ask("GET", "/me") == 401
    assert await owner.ask("DELETE", f"/accounts/{id}") == 404


async def test_the_last_owner_stays(house: House) -> None:
    owner = await house.owner()
    (account,) = house.access.accounts.all()
    second, _ = await made(owner, "Second", "owner")
    assert await owner.ask("PUT", "/me/password", {"new": GOOD}) == 204
    for method, body in (("PATCH", {"role": "host"}), ("PATCH", {"disabled": True}), ("DELETE", None)):
        assert await owner.ask(method, f"/accounts/{account.id}", body) == 409  # the other cannot sign in yet
        assert "last owner" in owner.answer["detail"]
    found = house.access.accounts.get(second)
    assert found is not None
    await house.access.accounts.set_password(found, OTHER)
    both = [await house.owner(), await house.owner()]
    wishes = zip(both, (account.id, second), strict=True)
    statuses = await asyncio.gather(*(one.ask("PATCH", f"/accounts/{id}", {"role": "host"}) for one, id in wishes))
    assert sorted(statuses) in ([200, 403], [200, 409])  # both at once would leave nobody
    assert house.access.accounts.owned()


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/accounts", {"name": "x"}, 400), ("POST", "/accounts", {"name": "x", "role": "camera"}, 400),
        ("POST", "/accounts", {"name": "", "role": "host"}, 400), ("POST", "/accounts", [], 400),
        ("POST", "/accounts", {"name": "x", "role": ["host"]}, 400),
        ("POST", "/accounts", {"name": "OWNER", "role": "host"}, 409), ("PATCH", "/accounts/00000000", {}, 400),
        ("PATCH", "/accounts/00000000", {"role": "camera"}, 400), ("PATCH", "/accounts/00000000", {"name": 7}, 400),
        ("PATCH", "/accounts/00000000", {"disabled": 1}, 400), ("PATCH", "/accounts/00000000", {"name": "y"}, 404),
        ("POST", "/me/device", {"x": 1}, 400), ("POST", "/me/device", [], 400),
        ("DELETE", "/accounts/00000000", None, 404), ("POST", "/accounts/00000000/link", {}, 404),
        ("PUT", "/me/name", {}, 400), ("PUT", "/me/name", {"name": "\n"}, 400), ("PUT", "/me/password", {}, 400),
        ("DELETE", "/me/sessions/00000000", None, 404), ("DELETE", "/me/passkeys/00000000", None, 404),
        ("POST", "/links", {"role": "host", "minutes": 5}, 400), ("POST", "/links", {"role": "camera"}, 400),
        ("POST", "/links", {"role": "camera", "minutes": 0}, 400), ("DELETE", "/links/00000000", None, 404),
    ],
)  # fmt: skip
async def test_what_makes_no_sense_is_refused(house: House, method: str, path: str, body: Any, status: int) -> None:
    owner = await house.owner()
    assert await owner.ask(method, path, body) == status
    assert owner.answer["detail"].endswith(".")


async def test_links_are_listed_and_revoked(house: House) -> None:
    owner, phone = await house.owner(), await house.browser()
    wish = {"role": "camera", "minutes": 60, "devices": 2, "label": "Anna's phone"}
    assert await owner.ask("POST", "/links", wish) == 201
    made, url = owner.answer["link"], owner.answer["url"]
    assert made == {
        "id": made["id"], "role": "camera", "room": None, "label": "Anna's phone", "devices": 2, "used": None,
        "created": "2026-11-28T12:00:00+00:00", "expires": "2026-11-28T13:00:00+00:00",
    }  # fmt: skip
    async with phone.http.get(url, allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (303, "/")
    assert await phone.ask("GET", "/state") == 200
    assert (phone.answer["signed_in"], phone.answer["role"], phone.answer["name"]) == (False, "camera", None)
    assert await owner.ask("GET", "/links") == 200
    assert owner.answer["links"] == [{**made, "used": "2026-11-28T12:00:00+00:00"}]
    assert await owner.ask("DELETE", f"/links/{made['id']}") == 204
    async with phone.http.get(f"{phone.page}/api/v1/config") as response:
        assert response.status == 401


async def test_whoever_uses_this_computer_is_the_owner_where_the_setting_says_so(serving: Serving) -> None:
    async with serving(accounts=accounts()) as served, served.client() as http:
        browser = Browser(served, served.local, http)
        assert await browser.ask("GET", "/state") == 200
        assert (browser.answer["role"], browser.answer["signed_in"], browser.answer["local_owner"]) == (
            "owner",
            False,
            True,
        )
        assert await browser.ask("GET", "/me") == 404
        assert await browser.ask("GET", "/accounts") == 200
        assert await access_of(served).owners_link("") is None
        browser.page = served.lan
        assert await browser.ask("GET", "/accounts") == 401


async def test_without_the_lan_no_link_is_made_for_another_device(serving: Serving) -> None:
    async with serving(accounts=accounts()) as served, served.client() as http:
        access_of(served).door = None
        browser = Browser(served, served.local, http)
        assert await browser.own() == 200
        assert await browser.ask("POST", "/me/device", {}) == 409
        async with http.get(f"{served.local}/api/v1/join") as response:
            assert await response.json() == {"url": None, "qr": None, "trust_url": None, "expires": None}


@only_sqlite
async def test_what_another_process_does_is_taken_up(house: House) -> None:
    from click.testing import CliRunner

    from server.commands.owner import owner as command

    browser = await house.owner()
    folder = str(house.access.settings.data_dir)

    def run(*arguments: str) -> str:
        done = CliRunner().invoke(command, ["--data-dir", folder, "--http-port", "8123", *arguments])
        assert done.exit_code == 0, done.output
        return done.stdout.strip()

    url = await asyncio.to_thread(run)
    assert url.startswith("http://localhost:8123/own/")
    assert await browser.ask("GET", "/me") == 200
    await asyncio.to_thread(run, "--reset")
    await soon(lambda: not house.access._records.kept.sessions)
    assert await browser.ask("GET", "/me") == 401


async def test_how_much_may_be_asked(house: House) -> None:
    stranger, owner = await house.browser(), await house.owner()
    statuses = [await stranger.ask("GET", "/state") for _ in range(140)]
    assert statuses[:90] == [200] * 90
    assert 429 in statuses
    assert int(stranger.headers.get("Retry-After", 1)) >= 1
    async with stranger.http.get(f"{stranger.page}/static/app.js") as response:
        assert response.status == 200
    assert await owner.ask("GET", "/state") == 200  # whoever signed in has a bucket of their own
