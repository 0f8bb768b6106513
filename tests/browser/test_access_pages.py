"""Signing in, the one-time link, the page of access and what other pages show of it, in a real browser; passkeys are
made by Chromium's virtual authenticator and verified by the stand-in."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from tests.browser.access_standin import COOKIE, AccessStandin, Account, standing_in
from tests.browser.accessibility import in_reach
from tests.browser.test_languages import LEFT, pseudo

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]
VIEWS = {"small": (320, 640), "phone": (390, 844), "desktop": (1280, 800)}
BOTH = pytest.mark.parametrize(("size", "scheme"), [("phone", "dark"), ("desktop", "light")])
SECRET = "a horse on a staple"
AUTHENTICATOR = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
                 "isUserVerified": True, "automaticPresenceSimulation": True}  # fmt: skip
NO_AUTOFILL = "PublicKeyCredential.isConditionalMediationAvailable = async () => false;"
BASE64URL = re.compile(r"[A-Za-z0-9_-]+")
Opens = Callable[..., Any]


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    flags = ["--no-sandbox", "--disable-gpu", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=flags)
        try:
            yield browser
        finally:
            browser.close()


@pytest.fixture
def server() -> Iterator[AccessStandin]:
    with standing_in() as made:
        yield made
        assert made.faults == []


@pytest.fixture
def opened(browser: Any, server: AccessStandin) -> Iterator[Opens]:
    """Opens a page with a virtual authenticator, signed in as ``account``; nothing may go wrong in it unseen."""
    pages: list[tuple[Any, list[str]]] = []

    def open_page(path: str, account: Account | None = None, size: str = "desktop", scheme: str = "light",
                  autofill: bool = False, **more: Any) -> Any:  # fmt: skip
        width, height = VIEWS[size]
        said = more.pop("said", None)
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, **more)
        if account is not None:
            cookie = {"name": COOKIE, "value": server.sign_in(account), "url": server.url, "httpOnly": True}
            context.add_cookies([cookie])
        if said is not None:
            context.route("**/languages/*.json", lambda route: route.fulfill(json=said))
        page = context.new_page()
        page.set_default_timeout(40_000)
        if not autofill:
            page.add_init_script(NO_AUTOFILL)
        page.devtools = context.new_cdp_session(page)
        page.devtools.send("WebAuthn.enable", {"enableUI": False})
        page.devtools.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
        problems: list[str] = []
        pages.append((page, problems))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda line: "Content Security" in line.text and problems.append(line.text))
        page.goto(path if path.startswith("http") else f"{server.url}{path}")
        return page

    yield open_page
    for page, problems in pages:
        assert problems == []
        page.context.close()


def shot(page: Any, name: str) -> None:
    """Where somebody wants to look at the page: a picture of it."""
    if target := os.environ.get("TEST_PICTURES"):
        page.screenshot(path=f"{target}/{name}.png", full_page=True)


def names(page: Any, selector: str) -> list[str]:
    return [str(text) for text in page.locator(selector).all_inner_texts()]


def until(is_so: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)


def says(page: Any, selector: str, words: str) -> None:
    """Wait until this stands there."""
    page.wait_for_function(
        "([selector, words]) => document.querySelector(selector)?.textContent.includes(words)", arg=[selector, words]
    )


def looks(page: Any) -> None:
    """Somebody looks at the page again, which asks the server at once."""
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def at(page: Any, path: str) -> None:
    """Wait for the address, whatever is on it."""
    page.wait_for_function("path => location.pathname + location.search + location.hash === path", arg=path)


# -- the one-time link -------------------------------------------------------------------------------------------------


@BOTH
def test_the_first_link_makes_an_owner_who_chooses_a_passkey_and_comes_back_by_it(
    server: AccessStandin, opened: Opens, size: str, scheme: str
) -> None:
    owner = server.account("owner")
    address = server.link(owner)
    page = opened(address, size=size, scheme=scheme)
    page.wait_for_selector("#use:enabled")
    assert address.rsplit("/", 1)[1] not in page.url
    assert page.inner_text("#use") == page.inner_text("#title") == "Become the owner"
    assert server.asked == []  # looking at it uses nothing up
    in_reach(page)
    shot(page, f"own-{size}")
    page.keyboard.press("Enter")
    page.wait_for_selector("#passkey:visible")
    assert page.inner_text("#title") == "You are the owner"
    assert "this computer alone" in page.inner_text("#passkey-words")
    in_reach(page)
    shot(page, f"own-next-{size}")
    page.fill("#name", "Ada")
    page.click("#passkey")
    page.wait_for_selector("#go-on:visible")
    shot(page, f"own-done-{size}")
    assert owner.name == "Ada"
    [(_, sent)] = server.changes("POST /access/me/passkeys")[1:]
    credential = sent["credential"]
    assert set(sent) == {"id", "credential", "label"}
    assert sent["label"] == "Linux"
    assert set(credential) == {
        "id", "rawId", "type", "authenticatorAttachment", "clientExtensionResults", "response",
    }  # fmt: skip
    assert set(credential["response"]) == {"clientDataJSON", "attestationObject", "transports"}
    assert all(BASE64URL.fullmatch(credential["response"][part]) for part in ("clientDataJSON", "attestationObject"))
    assert credential["id"] == credential["rawId"]
    page.click("#go-on")
    at(page, "/")

    page.context.clear_cookies()
    page.goto(f"{server.url}/people#add")
    page.click("#passkey")
    at(page, "/people")  # the server knows no fragment
    [(_, sent)] = server.changes("POST /access/passkey/sign-in")
    assert set(sent["credential"]["response"]) == {"clientDataJSON", "authenticatorData", "signature", "userHandle"}
    assert owner.passkeys[0].used is not None  # and so it was verified


def test_a_passkey_is_offered_where_the_name_is_typed(server: AccessStandin, opened: Opens) -> None:
    """The virtual authenticator chooses as soon as it is offered something, where a person would be shown a list."""
    ada = server.account("Ada")
    page = opened(server.link(ada), autofill=True)
    page.click("#use")
    page.click("#passkey")
    page.click("#go-on")
    at(page, "/")
    page.context.clear_cookies()
    page.goto(f"{server.url}/sign-in?next=/rooms")
    at(page, "/rooms")
    assert ada.passkeys[0].used is not None
    assert len(server.changes("POST /access/passkey/options")) == 1


def test_a_password_is_chosen_and_signs_in(server: AccessStandin, opened: Opens) -> None:
    ada = server.account("owner")
    page = opened(server.link(ada))
    page.click("#use")
    page.fill("#name", "")
    page.fill("#password", SECRET)
    page.press("#password", "Enter")
    says(page, "#name-refused", "Type a name first.")
    page.fill("#name", "Ada")
    page.fill("#password", "short")
    page.press("#password", "Enter")
    says(page, "#password-refused", "12 to 256 characters")
    assert server.changes("PUT") == []  # a name without a way in is worth nothing
    page.fill("#password", "my password is long")
    page.press("#password", "Enter")
    says(page, "#password-refused", "one of the commonest")
    page.fill("#password", SECRET)
    page.click(".secret button")
    assert page.get_attribute("#password", "type") == "text"
    page.press("#password", "Enter")
    says(page, "#done-words", "Ada with your password")
    assert page.get_attribute("#password", "type") == "password"  # so that a password manager knows it
    assert (ada.name, ada.password) == ("Ada", SECRET)


def test_who_decides_later_goes_on_and_a_second_link_goes_straight_in(server: AccessStandin, opened: Opens) -> None:
    bob = server.account("Bob", "viewer")
    page = opened(server.link(bob))
    page.wait_for_selector("#use:enabled")
    page.click("#use")
    page.click("#later")
    at(page, "/rooms")
    bob.password = SECRET
    page.goto(server.link(bob))
    says(page, "#link-words", "You are signed in as Bob.")
    page.click("#use")
    at(page, "/rooms")


def test_a_link_that_is_used_or_tried_too_often_says_so(server: AccessStandin, opened: Opens) -> None:
    server.account("Ada", password=SECRET)
    page = opened("/own/used-up")
    assert page.inner_text("#use") == "Sign in"
    server.refusals["POST /access/own"] = (429, "Too often.", {"Retry-After": "1"})
    page.click("#use")
    says(page, "#refused", "Wait 1\u00a0s, then try again.")
    assert page.is_disabled("#use")
    says(page, "#wait", "Still 0:0")
    says(page, "#refused", "You can try again now.")
    del server.refusals["POST /access/own"]
    page.click("#use")
    says(page, "#refused", "On the computer Visavis runs on, visavis owner prints a new one")
    assert not page.is_visible("#use")
    in_reach(page)
    shot(page, "own-used")
    page.reload()
    at(page, "/sign-in")
    page.wait_for_selector("#form")


# -- signing in --------------------------------------------------------------------------------------------------------


@BOTH
def test_signing_in_by_name_and_password_with_the_keyboard_alone(
    server: AccessStandin, opened: Opens, size: str, scheme: str
) -> None:
    server.account("Ada", password=SECRET)
    page = opened("/sign-in?next=%2Fpeople%23add", size=size, scheme=scheme)
    page.wait_for_selector("#passkey:visible")
    in_reach(page)
    shot(page, f"sign-in-{size}")
    assert [page.get_attribute(f"#{id}", "autocomplete") for id in ("name", "password")] == [
        "username webauthn", "current-password",
    ]  # fmt: skip
    page.focus("#passkey")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    says(page, "#refused", "Type your name and your password.")
    page.keyboard.type(" Ada ")
    page.keyboard.press("Tab")
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")
    says(page, "#refused", "Name and password do not go together.")
    in_reach(page)
    assert page.evaluate("document.activeElement.id") == "password"
    page.keyboard.type(SECRET)  # what was wrong is marked, and so replaced
    page.keyboard.press("Enter")
    at(page, "/people#add")
    wanted = [{"name": "Ada", "password": word} for word in ("wrong", SECRET)]
    assert [body for _, body in server.changes("POST /access/sign-in")] == wanted


def test_too_many_attempts_are_counted_down(server: AccessStandin, opened: Opens) -> None:
    server.account("Ada", password=SECRET)
    page = opened("/sign-in?next=//evil.example/")
    page.click("text=I cannot sign in")
    assert "visavis owner" in page.inner_text("#lost")
    page.fill("#name", "Ada")
    page.fill("#password", SECRET)
    server.refusals["POST /access/sign-in"] = (429, "Too often.", {"Retry-After": "1"})
    page.click("#submit")
    says(page, "#refused", "Wait 1\u00a0s, then try again.")
    assert page.is_disabled("#submit")
    in_reach(page)
    page.press("#password", "Enter")
    says(page, "#refused", "You can try again now.")
    assert len(server.changes("POST /access/sign-in")) == 1  # nor did Enter get through
    del server.refusals["POST /access/sign-in"]
    page.click("#submit")
    at(page, "/")  # the way on led out of this server
    assert page.url == f"{server.url}/"


def test_a_passkey_that_is_missing_or_unknown_is_said(server: AccessStandin, opened: Opens) -> None:
    ada = server.account("Ada", password=SECRET)
    page = opened("/sign-in")
    page.click("#passkey")
    says(page, "#refused", "No passkey was used")
    page.goto(server.link(ada))
    ada.password = None
    page.click("#use")
    page.click("#passkey")
    page.wait_for_selector("#go-on:visible")
    ada.passkeys.clear()
    page.context.clear_cookies()
    page.goto(f"{server.url}/sign-in")
    page.click("#passkey")
    says(page, "#refused", "The server does not know this passkey.")
    server.refusals["POST /access/passkey/options"] = (429, "Too often.", {"Retry-After": "1"})
    page.click("#passkey")
    says(page, "#refused", "Wait 1\u00a0s")
    says(page, "#refused", "You can try again now.")
    assert page.is_enabled("#passkey")


def test_at_a_bare_address_there_are_no_passkeys_and_it_is_said_why(server: AccessStandin, opened: Opens) -> None:
    ada = server.account("Ada")
    there = server.url.replace("localhost", "127.0.0.1")
    page = opened(server.link(ada).replace("localhost", "127.0.0.1"))
    page.click("#use")
    says(page, "#passkey-words", "browsers make no passkeys for bare IP addresses")
    assert not page.is_visible("#passkey")
    page.goto(f"{there}/access")
    page.wait_for_selector("text=browsers make no passkeys for bare IP addresses")
    page.context.clear_cookies()
    page.goto(f"{there}/sign-in")
    page.wait_for_selector("#form")
    assert not page.is_visible("#passkey")
    page.click("text=I cannot sign in")
    page.wait_for_selector("#no-passkeys:visible")


def test_who_is_signed_in_already_may_go_on_or_be_somebody_else(server: AccessStandin, opened: Opens) -> None:
    page = opened("/sign-in?next=/rooms", server.account("Ada", password=SECRET))
    says(page, "#already-words", "You are signed in as Ada.")
    page.click("#another")
    page.wait_for_selector("#form:visible")
    page.reload()
    page.click("#go-on")
    at(page, "/rooms")


def test_where_nobody_can_sign_in_it_says_how_to_begin(server: AccessStandin, opened: Opens) -> None:
    page = opened("/sign-in", size="small")
    page.wait_for_selector("#nobody:visible")
    in_reach(page)
    shot(page, "sign-in-nobody")
    server.refusals["GET /access/state"] = (503, "Busy.", {})
    page.reload()
    page.wait_for_selector("#form:visible")
    assert not page.is_visible("#nobody")


# -- the page of access ------------------------------------------------------------------------------------------------


def test_passkeys_password_and_name_are_looked_after(server: AccessStandin, opened: Opens) -> None:
    ada = server.account("Ada")
    page = opened("/access", ada, size="phone", scheme="dark")
    page.wait_for_selector("text=You have neither a passkey nor a password yet.")
    page.wait_for_selector("text=The standing link")
    in_reach(page)
    shot(page, "access-bare")

    page.click("text=Add a passkey…")
    assert page.input_value("dialog input") == "Linux"
    page.fill("dialog input", "Laptop")
    page.keyboard.press("Enter")
    page.wait_for_selector("[aria-label='Remove the passkey Laptop…']")
    assert len(ada.passkeys) == 1
    page.click("text=Add a passkey…")
    page.keyboard.press("Enter")
    says(page, "dialog .refused", "There is a passkey of yours on this device already.")
    page.keyboard.press("Escape")

    page.click("text=Set…")
    page.fill("dialog [name=new]", "short")
    page.keyboard.press("Enter")
    says(page, "dialog .refused", "12 to 256 characters")
    page.fill("dialog [name=new]", SECRET)
    in_reach(page)
    shot(page, "access-password")
    page.keyboard.press("Enter")
    page.wait_for_selector("[aria-label='Change your password…']")
    page.click("[aria-label='Change your password…']")
    page.fill("dialog [name=new]", SECRET + " again")
    page.keyboard.press("Enter")
    says(page, "dialog .refused", "Type the password so far as well.")
    page.fill("dialog [name=current]", "wrong")
    page.keyboard.press("Enter")
    says(page, "dialog .refused", "That is not the password so far.")
    page.fill("dialog [name=current]", SECRET)
    page.keyboard.press("Enter")
    page.wait_for_function("() => !document.querySelector('dialog[open]')")
    assert ada.password == SECRET + " again"

    page.click("[aria-label='Change your name…']")
    page.fill("dialog input", "Ada L.")
    page.keyboard.press("Enter")
    page.wait_for_selector(".name:text-is('Ada L.')")
    page.click("[aria-label='Remove the passkey Laptop…']")
    page.click("#ask-yes")
    page.wait_for_selector("[aria-label='Remove the passkey Laptop…']", state="detached")
    assert ada.passkeys == []


def test_devices_are_ended_and_another_one_comes_by_a_code(server: AccessStandin, opened: Opens) -> None:
    ada = server.account("Ada", password=SECRET)
    server.sign_in(ada, "Firefox on Windows")
    page = opened("/access", ada, size="desktop", scheme="dark")
    page.wait_for_selector("text=Firefox on Windows")
    assert names(page, "[aria-label='Your devices'] li .name") == ["Chromium on Linux", "Firefox on Windows"]
    page.click("[aria-label^='End: Firefox on Windows']")
    page.click("#ask-yes")
    page.wait_for_selector("[aria-label^='End: Firefox on Windows']", state="detached")
    assert len(server.sessions) == 1

    page.click("text=Show a code")
    page.wait_for_selector("[aria-label='Your devices'] .qr")
    says(page, ".left", "Works once, for another ")
    shot(page, "access-device")
    assert "/own/" in page.input_value("[aria-label='Your devices'] .field input")
    server.sign_in(ada, "Safari on iPhone")
    page.wait_for_selector("text=Safari on iPhone is signed in as you.")
    assert not page.is_visible(".qr")
    assert len(names(page, "[aria-label='Your devices'] li")) == 2

    server.device_minutes = 0.02
    page.click("text=Show a code")
    page.wait_for_selector("text=That code is over.")
    server.lan = False
    page.click("text=Show a code")
    page.wait_for_selector("text=This server is not open to other devices.")
    page.click("[aria-label='Sign this device out']")
    at(page, "/sign-in")


def test_an_owner_looks_after_accounts(server: AccessStandin, opened: Opens) -> None:
    ada = server.account("Ada", password=SECRET)
    page = opened("/access", ada, size="phone", scheme="light")
    page.click("text=Add an account…")
    page.keyboard.press("Enter")
    says(page, "dialog .refused", "Type a name first.")
    in_reach(page)
    shot(page, "access-add")
    page.keyboard.type("Bob")
    page.check("dialog [value=viewer]")
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog .qr")
    assert page.inner_text("dialog[open] h2") == "A link for Bob"
    in_reach(page)
    shot(page, "access-link")
    page.keyboard.press("Escape")
    [bob] = [one for one in server.accounts.values() if one.name == "Bob"]
    assert bob.role == "viewer"

    page.click("[aria-label='Change the account Bob…']")
    page.select_option("dialog select", "host")
    page.uncheck("dialog [role=switch]")
    in_reach(page)
    shot(page, "access-change")
    page.keyboard.press("Enter")
    page.wait_for_selector(".chip:text-is('switched off')")
    assert server.asked[-1] == (f"PATCH /access/accounts/{bob.id}", {"role": "host", "disabled": True})
    assert not page.is_visible("[aria-label='New one-time link for Bob…']")

    page.click("[aria-label='Change the account Ada…']")
    page.select_option("dialog select", "viewer")
    page.click("dialog >> text=Save")
    says(page, "dialog .refused", "There has to be an owner.")
    page.keyboard.press("Escape")
    page.click("[aria-label='New one-time link for Ada…']")
    page.wait_for_selector("dialog .qr")
    page.click("dialog >> text=Done")
    page.click("[aria-label='Change the account Bob…']")
    page.click("dialog >> text=Remove…")
    page.click("#ask-yes")
    page.wait_for_selector("[aria-label='Change the account Bob…']", state="detached")
    assert list(server.accounts) == [ada.id]


def test_links_are_made_shown_and_revoked(server: AccessStandin, opened: Opens) -> None:
    row = {"created": "2026-11-01T10:00:00Z", "expires": "2036-11-28T10:00:00Z"}
    used = "2026-11-02T10:00:00Z"
    server.links = [
        {"id": "a", "role": "camera", "room": None, "label": None, "devices": None, "used": used, **row},
        {"id": "b", "role": "viewer", "room": "kitchen", "label": "Grandma", "devices": 2, "used": None, **row},
    ]
    page = opened("/access", server.account("Bob", "host", SECRET), size="phone", scheme="dark")
    page.wait_for_selector("[aria-label='Revoke: Grandma']")
    facts = names(page, "[aria-label='Links that let devices in'] li small")
    assert "last used" in facts[0]
    assert all(words in facts[1] for words in ("A viewer · room kitchen · made ", " · for 2 devices · not used yet"))
    assert not page.is_visible("text=Add an account…")  # a host is no owner
    page.click("text=Show its code")
    assert page.is_visible("details .qr")
    shot(page, "access-links")

    page.click("text=A link for a guest's camera…")
    page.fill("dialog input[type=number]", "3")
    page.fill("dialog input:not([type])", "Party")
    in_reach(page)
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog .qr")
    assert "Party · for 3 devices · works until" in page.inner_text("dialog[open]")
    wanted = {"role": "camera", "minutes": 720, "devices": 3, "label": "Party"}
    assert server.asked[-1] == ("POST /access/links", wanted)
    page.click("dialog >> text=Done")
    page.click("[aria-label='Revoke: Party']")
    page.click("#ask-yes")
    page.wait_for_selector("[aria-label='Revoke: Party']", state="detached")
    server.lan = False
    page.reload()
    page.wait_for_selector("text=Start it without --no-lan.")


def test_nothing_stays_in_english(server: AccessStandin, opened: Opens) -> None:
    ada = server.account("Ada")
    server.sign_in(ada, "Bob")
    page = opened("/sign-in", size="phone", locale="ar", said=pseudo())
    page.click("#lost summary")
    page.click("#submit")
    page.wait_for_function("() => document.querySelector('#refused').textContent !== ''")
    assert page.evaluate(LEFT) == []
    page.goto(server.link(ada))
    page.click("#use")
    page.wait_for_selector("#passkey:visible")
    assert page.evaluate(LEFT) == []
    page.goto(f"{server.url}/access")
    page.wait_for_selector("[data-key^='change/']")
    page.click("#access details summary")
    page.wait_for_selector("[data-key=make]")
    assert [words for words in page.evaluate(LEFT) if words != "Chromium on Linux"] == []
    in_reach(page)
    shot(page, "access-arabic")


@BOTH
def test_all_of_the_page_is_in_reach(server: AccessStandin, opened: Opens, size: str, scheme: str) -> None:
    ada = server.account("Ada", password=SECRET)
    server.account("Bernadette Wolfeschlegelsteinhausenbergerdorff", "viewer").disabled = True
    server.sign_in(ada, "Firefox on Windows")
    times = {"created": "2026-11-01T10:00:00Z", "expires": "2036-11-28T10:00:00Z", "used": None}
    for number, (role, room) in enumerate((("camera", None), ("viewer", "kitchen"), ("host", "kitchen"))):
        link = {"id": str(number), "role": role, "room": room, "label": None, "devices": number or None}
        server.links.append(link | times)
    page = opened("/access", ada, size=size, scheme=scheme)
    page.click("text=Show a code")
    page.wait_for_selector("[aria-label='Your devices'] .qr")
    page.wait_for_selector("[aria-label^='Change the account Bernadette']")
    page.click("text=Show its code")
    in_reach(page)
    shot(page, f"access-{size}")


def test_what_cannot_be_read_says_why_and_can_be_tried_again(server: AccessStandin, opened: Opens) -> None:
    for path in ("me", "accounts", "links"):
        server.refusals[f"GET /access/{path}"] = (503, f"Busy with {path}.", {})
    page = opened("/access", server.account("Ada", password=SECRET))
    for path in ("me", "accounts", "links"):
        page.wait_for_selector(f"text=Busy with {path}.")
    in_reach(page)
    server.refusals.clear()
    for section in ("How you sign in", "Accounts", "Links that let devices in"):
        page.click(f"[aria-label='{section}'] >> text=Try again")
    page.wait_for_selector("text=No link is out.")
    page.wait_for_selector("[aria-label='Change the account Ada…']")
    page.wait_for_selector("[aria-label='Change your name…']")


def test_where_the_computer_is_the_owner_the_page_says_so(server: AccessStandin, opened: Opens) -> None:
    server.local_owner = True
    page = opened("/access")
    page.wait_for_selector("text=Whoever uses this computer is the owner")
    page.wait_for_selector("text=You have not signed in here")
    page.wait_for_selector("text=Add an account…")
    in_reach(page)
    shot(page, "access-local")
    assert not page.is_visible(".account")
    page.goto(f"{server.url}/sign-in")
    says(page, "#already-words", "need not sign in")
    token = server.sign_in(server.account("Ada", password=SECRET))
    page.context.add_cookies([{"name": COOKIE, "value": token, "url": server.url}])
    page.goto(f"{server.url}/access")
    page.wait_for_selector("text=Whoever uses the computer Visavis runs on is the owner")
    page.wait_for_selector(".account")  # who signed in all the same can sign out


# -- other pages -------------------------------------------------------------------------------------------------------

EVERY = ["Live", "Rooms", "People", "Photos", "Videos", "Groups"]
EVERY += ["Sightings", "Status", "Data", "Measure", "API", "Access"]


@pytest.mark.parametrize(
    ("role", "pages"),
    [("owner", EVERY), ("host", [page for page in EVERY if page not in ("Data", "Measure")]),
     ("viewer", ["Rooms", "People", "Sightings", "Access"])],
)  # fmt: skip
def test_the_pages_there_are_follow_the_role_and_one_can_sign_out(
    server: AccessStandin, opened: Opens, role: str, pages: list[str]
) -> None:
    page = opened("/rooms", server.account("Ada Lovelace", role, SECRET), size="phone")
    page.wait_for_selector(".account")
    assert names(page, "nav[data-pages] a") == pages
    assert page.inner_text(".account") == "AL"
    page.focus(".account")
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog.leaving[open]")
    if role == "owner":  # the longest list of pages
        in_reach(page)
    shot(page, f"leaving-{role}")
    page.keyboard.press("Escape")
    page.click(".account")
    server.refusals["POST /access/sign-out"] = (503, "Busy.", {})
    page.click("dialog >> text=Sign out")
    says(page, "dialog .refused", "Busy.")
    del server.refusals["POST /access/sign-out"]
    page.click("dialog >> text=Sign out")
    at(page, "/sign-in")
    assert server.sessions == {}


def test_pages_go_on_where_the_server_does_not_say_who_asks(server: AccessStandin, opened: Opens) -> None:
    server.knows_access = False
    page = opened("/rooms")
    page.wait_for_selector(".opening")
    assert names(page, "nav[data-pages] a") == EVERY[:-1]
    assert not page.is_visible(".account")


def test_a_session_that_is_over_leads_to_signing_in_once_and_back(server: AccessStandin, opened: Opens) -> None:
    ada = server.account("Ada", password=SECRET)
    page = opened("/rooms?x=1#y", ada)
    page.wait_for_selector(".opening")
    server.sessions.clear()
    looks(page)
    at(page, "/sign-in?next=%2Frooms%3Fx%3D1%23y")
    page.fill("#name", "Ada")
    page.fill("#password", SECRET)
    page.click("#submit")
    at(page, "/rooms?x=1#y")
    page.wait_for_selector(".opening")


def test_a_refusal_that_is_not_about_the_session_leads_nowhere(server: AccessStandin, opened: Opens) -> None:
    server.refusals["GET /rooms"] = (401, "This key is not known.", {})
    page = opened("/rooms", server.account("Ada", password=SECRET))
    page.wait_for_selector("text=This key is not known.")
    asked = server.states
    page.click("text=Try again")
    until(lambda: server.states > asked)  # it looked who asks
    page.wait_for_selector("text=This key is not known.")
    assert page.url.endswith("/rooms")


def test_who_came_by_a_link_has_nothing_to_sign_in_with(server: AccessStandin, opened: Opens) -> None:
    server.role = "viewer"
    page = opened("/rooms")
    page.wait_for_selector(".opening")
    assert names(page, "nav[data-pages] a") == []
    server.role = None
    looks(page)
    page.wait_for_selector("text=Nobody is signed in.")
    assert page.url.endswith("/rooms")


def test_the_live_page_stops_trying_and_says_that_one_has_to_sign_in_again(
    server: AccessStandin, opened: Opens
) -> None:
    server.refusals["POST /whip"] = (503, "Full.", {"Retry-After": "1"})
    page = opened("/?room=kitchen", server.account("Ada", password=SECRET), size="phone")
    page.click("#start")
    page.wait_for_function("() => visavis.state === 'reconnecting'")
    server.sessions.clear()
    server.refusals["POST /whip"] = (401, "Nobody is signed in.", {})
    says(page, "#error-title", "You are signed out")
    assert page.evaluate("visavis.state") == "error"
    in_reach(page)
    shot(page, "live-signed-out")
    tries = len(server.changes("POST /whip"))
    page.wait_for_timeout(1300)  # longer than any wait between two tries would be after so few
    assert len(server.changes("POST /whip")) == tries
    assert page.get_attribute("#sign-in", "href") == "/sign-in?next=%2F%3Froom%3Dkitchen"
    assert not page.is_visible("#start")
    page.click("#sign-in")
    page.wait_for_selector("#form:visible")


@BOTH
def test_the_live_page_lets_in_a_guests_camera_or_another_device_of_mine(
    server: AccessStandin, opened: Opens, size: str, scheme: str
) -> None:
    page = opened("/", server.account("Ada", password=SECRET), size=size, scheme=scheme)
    page.click("#more")
    page.click("#tab-phone")
    page.wait_for_selector("#phone-qr:visible")
    says(page, "#phone-until", "It works until ")
    in_reach(page)
    shot(page, f"join-guest-{size}")
    page.check("#phone-for [value=mine]")
    assert not page.is_visible("#phone-qr")
    page.click("#phone-make")
    page.wait_for_selector("#phone-once .qr")
    in_reach(page)
    shot(page, f"join-mine-{size}")
    page.click("#panel-close")
    page.click("#more")
    assert not page.is_visible("#phone-once .qr")  # a code is not left standing
    server.lan = False
    page.click("#phone-make")
    says(page, "#phone-refused", "not open to other devices")
    server.refusals["GET /join"] = (403, "Not for viewers.", {})
    page.click("#panel-close")
    page.click("#more")
    page.wait_for_selector("#phone-for", state="hidden")
    assert page.is_visible("#phone-make")
