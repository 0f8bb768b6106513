"""The whole server, every part of it, on real sockets in a thread of its own: for tests that ask it as others would."""

from __future__ import annotations

import contextlib
import itertools
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiohttp import web

from models import load_pack
from server.app import SERVICES, create_app
from server.certificates import CertificateStore, Names
from server.join import Door
from server.listeners import bind, listening, port_of
from server.services import open_services
from server.settings import Settings
from server.storage import NewSample, PeopleStore
from server.trust_page import create_trust_app
from tests.packs import models_folder, open_models
from tests.server.test_storage import embedding
from tests.serving import in_thread, stop_accepting

JPEG = b"\xff\xd8 a picture \xff\xd9"


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Whole:
    """A running server, and asking it."""

    app: web.Application
    local: str
    lan: str
    context: ssl.SSLContext
    """Trusts the server's authority."""
    data: Path

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        lan: bool = False,
        key: str | None = None,
        root: str = "/api/v1",
        **headers: str,
    ) -> Answer:
        """Ask for something under ``root``; a body of bytes goes as it is, everything else as JSON."""
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        if key is not None:
            said["Authorization"] = f"Bearer {key}"
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if data is not None:
            said.setdefault("Content-Type", "application/json")
        base = self.lan if lan else self.local
        request = urllib.request.Request(f"{base}{root}{path}", data, said, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60, context=self.context if lan else None) as response:
                return _answer(response.status, response)
        except urllib.error.HTTPError as error:
            with error:
                return _answer(error.code, error)

    def make_key(self, *scopes: str) -> str:
        """A key with these scopes."""
        made = self.ask("POST", "/keys", {"name": "a test", "scopes": list(scopes)})
        assert made.status == 201, made.body
        key: str = made.json["key"]
        return key

    def invite(self, role: str = "camera", room: str | None = None, **more: Any) -> str:
        """What is in a new link: to a room, which is opened for it, or for a camera of the live page."""
        if room is None:
            made = self.ask("POST", "/access/links", {"role": role, "minutes": 10, **more})
        else:
            self.ask("POST", "/rooms", {"name": room})
            made = self.ask("POST", f"/rooms/{room}/invitations", {"role": role, "minutes": 10, **more})
        assert made.status == 201, made.body
        return str(made.json["url"]).rpartition("/join/")[2]

    def forgive(self) -> None:
        """Forget all wrong guesses."""
        access = self.app[SERVICES].access
        assert access is not None
        access.backoff.clear(*tuple(access.backoff._wrong))

    def sign_in(self, role: str = "owner", *, lan: bool = True) -> dict[str, str]:
        """A new account's session, as headers that a browser sends from a page of this server."""
        made = self.ask("POST", "/access/accounts", {"name": f"A test {next(_NUMBERS)}", "role": role})
        assert made.status == 201, made.body
        page = {"Origin": self.lan if lan else self.local}
        secret = str(made.json["url"]).rpartition("/own/")[2]
        signed = self.ask("POST", "/access/own", {"token": secret}, lan=lan, **page)
        assert signed.status == 200, signed.body
        return {**page, "Cookie": signed.headers["set-cookie"].partition(";")[0]}


_NUMBERS = itertools.count(1)


def _answer(status: int, response: Any) -> Answer:
    return Answer(status, {name.lower(): value for name, value in response.headers.items()}, response.read())


def seed(folder: Path, *names: str) -> list[str]:
    """Enrol people, three made-up samples each, one with a picture; their ids."""
    pack = open_models().manifest
    with contextlib.closing(PeopleStore(folder / "people.sqlite3")) as store:
        ids = []
        for number, name in enumerate(names):
            vectors = [embedding(10 * number + i, pack.embedder.dimension) for i in range(3)]
            samples = [NewSample(v, 0.7, "photo", crop=JPEG if i == 0 else None) for i, v in enumerate(vectors)]
            person = store.add_person(name, samples, pack.digest)
            ids.append(person.id)
    return ids


@contextlib.contextmanager
def serving_all(folder: Path, **changed: Any) -> Iterator[Whole]:
    """Serve everything that `visavis serve` does, with the open pack, on free ports; nobody has to sign in on this
    computer."""
    ports = {"http_port": 0, "https_port": 0, "trust_port": 0}
    ours = {"data_dir": folder, "models_dir": models_folder(), "inbox": True, "consent": "ask", "local_owner": True}
    with in_thread(_whole(folder, Settings(**{**ports, **ours, **changed})), "whole server") as whole:
        yield whole


@contextlib.asynccontextmanager
async def _whole(folder: Path, settings: Settings) -> AsyncIterator[Whole]:
    pack = load_pack("open", models_folder(), "cpu", lambda _line: None)
    with contextlib.closing(bind(settings)) as listeners:
        home = (ip_address("127.0.0.1"),)
        store = CertificateStore(folder / "tls", Names.of("testhost", home))
        door = Door("testhost", home, port_of(listeners.lan), port_of(listeners.trust))
        async with open_services(settings, pack, door) as services:
            app, trust_app = create_app(settings, services), create_trust_app(door, store.authority)
            async with listening(listeners, app, trust_app, store.context):
                context = ssl.create_default_context(cadata=store.authority.pem.decode())
                local, lan = port_of(listeners.local), port_of(listeners.lan)
                yield Whole(app, f"http://127.0.0.1:{local}", f"https://127.0.0.1:{lan}", context, folder)
                await stop_accepting(*listeners.local, *listeners.lan, *listeners.trust)
