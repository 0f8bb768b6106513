"""Nothing secret in the arguments of a process, and nothing of anybody in the log of a whole run."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import logging
import re
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from server.cli import cli
from server.logs import start_logging
from server.settings import TABLE
from tests.browser.conftest import moving_portrait
from tests.pictures import photo_path
from tests.server.logging_state import restored
from tests.server.loopback import Camera, Page
from tests.server.offers import CAMERA
from tests.server.whole import JPEG, Whole, seed, serving_all
from tests.test_docs import COMMANDS

NAME = "Zaphodine Quillfeather"
PASSWORD = "owlet-teak-gravel-09"
HOOK = "hook-secret-in-its-path"
WRONG = "wrong-token-wrong-token"
SECRET_WORDS = re.compile(r"pass|secret|token|credential|master|private", re.I)
NOT_SECRET = {"key_id", "id"}
SAYS_WHERE = {"master_key_file", "master_key_command"}  # where the key is, and what prints it


def test_no_secret_setting_has_a_flag() -> None:
    secrets = [row for row in TABLE if row.secret]
    assert {"turn_password", "master_key", "new_master_key"} <= {row.name for row in secrets}
    flags = {flag for _, command in COMMANDS.items() for param in command.params for flag in param.opts}
    for row in secrets:
        assert row.flag is None
        assert "--" + row.name.replace("_", "-") not in flags


def test_every_setting_that_sounds_secret_is_one() -> None:
    sounding = {row.name for row in TABLE if SECRET_WORDS.search(row.name)}
    assert {row.name for row in TABLE if row.secret} >= sounding - SAYS_WHERE


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_takes_a_secret_as_an_argument(name: str) -> None:
    """Anybody on the computer can read command lines; secrets come by environment, file or standard input."""
    for param in COMMANDS[name].params:
        assert param.name in SAYS_WHERE or not SECRET_WORDS.search(param.name or ""), f"{name}: {param.name}"
        if isinstance(param, click.Option):
            assert not param.hide_input or param.prompt, f"{name}: {param.name}"


def test_the_command_line_itself_takes_none() -> None:
    assert [param.name for param in cli.params if SECRET_WORDS.search(param.name or "")] == []


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    out = io.StringIO()
    with restored():
        start_logging("debug", out)
        # Louder than the server ever is. SQLAlchemy would write rows, and aiortc whole descriptions with the passwords
        # of their connections: they are held back (test_logs.py).
        for name in ("aiohttp", "asyncio", "PIL", "libav", "urllib3"):
            logging.getLogger(name).setLevel(logging.DEBUG)
        yield out


async def live(whole: Whole) -> list[str]:
    """Send a face, name it, be recognised; the secrets of the session."""
    page = Page(Camera(list(moving_portrait(30)), 15))
    offer = await page.offer()
    answer = await asyncio.to_thread(
        whole.ask, "POST", "/whip?room=hall&name=" + urllib.parse.quote(NAME), offer.encode(),
        Content_Type="application/sdp",
    )  # fmt: skip
    assert answer.status == 201, answer.body
    await page.accept(answer.body.decode())
    hello = await page.hears("hello", 20)
    await page.until(lambda: any(result["faces"] for result in page.results), 30, "a face")
    track = next(result["faces"][0]["track"] for result in reversed(page.results) if result["faces"])
    page.commands.send("{broken " + NAME)
    page.send("enrol", id=1, track=track, name=NAME)
    page.send("enrol", id=2, track=999, name=NAME)
    await page.hears("enrolled", 30, id=1)
    page.send("why", id=3, track=track)
    await page.hears("why", 10, id=3)
    path = answer.headers["location"].removeprefix("/api/v1")
    assert (await asyncio.to_thread(whole.ask, "DELETE", path)).status == 200
    await page.close()
    found = re.findall(r"a=(?:ice-pwd|fingerprint:sha-\d+)[: ](\S+)", offer + answer.body.decode())
    return [*found, hello["resume"]]


def use(whole: Whole) -> list[str]:
    """Ask for nearly everything once, with good and bad words; the secrets that came of it."""
    ask = whole.ask
    secrets = [whole.make_key("recognise", "people", "read"), whole.make_key("admin")]
    secrets.append(whole.invite())
    for bearer in (WRONG, secrets[-1] + "x", "vk_" + WRONG):
        for path in ("/people", "/config"):
            assert ask("GET", path, lan=True, key=bearer).status in (401, 429)
    ask("GET", f"/join/{WRONG}", lan=True, root="")
    whole.forgive()
    ask("GET", f"/join/{secrets[-1]}", lan=True, root="")
    browser = whole.sign_in()
    secrets.append(browser["Cookie"].partition("=")[2])
    assert ask("PUT", "/access/me/password", {"new": PASSWORD}, lan=True, **browser).status == 204
    wrong = {"name": NAME, "password": WRONG}
    assert ask("POST", "/access/sign-in", wrong, lan=True, Origin=whole.lan).status == 401
    ask("POST", "/access/own", {"token": WRONG}, lan=True, Origin=whole.lan)
    whole.forgive()
    assert ask("GET", "/people", lan=True, key=secrets[0]).status == 200
    ask("POST", "/rooms", {"name": "hall"})
    made = ask("POST", "/rooms/hall/invitations", {"role": "viewer", "minutes": 10, "label": NAME})
    assert made.status == 201, made.body
    secrets.append(made.json["url"].rpartition("/")[2])
    for url in (f"rtsp://{NAME.split()[0]}:{PASSWORD}@127.0.0.1:9/x", f"nonsense://u:{PASSWORD}@x", f"{PASSWORD}"):
        ask("POST", "/rooms/hall/sources", {"url": url, "name": NAME})
    hook = ask("POST", "/webhooks", {"url": f"http://127.0.0.1:1/{HOOK}", "kinds": ["unknown"]})
    assert hook.status == 201, hook.body
    secrets.append(hook.json["secret"])
    ask("POST", f"/webhooks/{hook.json['id']}/test")
    person = ask("GET", "/people").json["people"][0]["id"]
    ask("PATCH", f"/people/{person}", {"name": f"{NAME} II"})
    ask("PATCH", f"/people/{person}", {"name": NAME + "\0"})
    ask("POST", "/people/search", {"name": NAME})
    photo = photo_path().read_bytes()
    assert ask("POST", f"/photos?file={urllib.parse.quote(NAME)}.jpg", photo).status == 200
    ask("POST", "/photos", b"no photo of " + NAME.encode())
    draft = ask("POST", "/imports", {"room": None}).json
    put = f"/imports/{draft['id']}/files?name={urllib.parse.quote(NAME)}&file=a.jpg"
    ask("POST", put, photo, Content_Type="application/octet-stream")
    ask("POST", f"/imports/{draft['id']}/commit")
    ask("POST", f"/videos?file={urllib.parse.quote(NAME)}.mp4", b"no video of " + NAME.encode())
    ask("POST", "/whip", CAMERA.replace("m=video", f"m={NAME}").encode(), Content_Type="application/sdp")
    ask("POST", "/whip", (CAMERA + f"a={NAME}\r\n").encode(), Content_Type="application/sdp")
    ask("GET", f"/people/{urllib.parse.quote(NAME)}")
    ask("POST", "/rooms", {"name": NAME, "token": PASSWORD})
    ask("POST", "/rooms", b"{" + NAME.encode())
    ask("GET", f"/nothing/{urllib.parse.quote(NAME)}?name={urllib.parse.quote(NAME)}")
    ask("GET", "/people", lan=True, Cookie=f"__Host-visavis={WRONG}")
    ask("DELETE", f"/people/{person}")
    return secrets


async def test_a_whole_run_at_debug_level_logs_nothing_of_anybody(log: io.StringIO, tmp_path: Path) -> None:
    seed(tmp_path, NAME + " the First", "Ada Lovegood")
    settings: dict[str, Any] = {"sightings": True, "sightings_crops": True, "keep_crops": True, "log_level": "debug"}
    with serving_all(tmp_path, **settings) as whole:
        secrets = await asyncio.to_thread(use, whole)
        secrets += await live(whole)
    said = log.getvalue()
    assert "session" in said, "the log was not listened to"
    wanted = [*secrets, *NAME.split(), "Lovegood", PASSWORD, HOOK, WRONG]
    assert len(secrets) > 8
    for secret in wanted:
        for form in (secret, urllib.parse.quote(secret), json.dumps(secret)[1:-1],
                     base64.b64encode(secret.encode()).decode()):  # fmt: skip
            where = said.find(form)
            assert where < 0, f"{form!r}: {said[max(0, where - 200) : where + 200]}"
    assert JPEG.hex() not in said
    for pattern in (
        r"\\xff\\xd8|JFIF|\\x89PNG",  # a picture
        r"[A-Za-z0-9+/]{200,}",  # base64 of one, or of an embedding
        r"(-?\d\.\d+(e-\d+)?[,\s]+){8}",  # an embedding in numbers
        r"\barray\(",
        r"a=(ice-pwd|fingerprint|candidate)",  # a session description
    ):
        assert not (found := re.search(pattern, said)), said[max(0, found.start() - 200) : found.end() + 100]
