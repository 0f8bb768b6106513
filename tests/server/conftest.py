"""A server on real sockets, for the tests of its doors."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from server.access.access import Access
from server.access.routes import setup_access
from server.app import Services, create_app
from server.certificates import CertificateStore, Names
from server.join import Door
from server.listeners import bind, listening, port_of
from server.settings import Settings
from server.trust_page import create_trust_app
from tests.stores import on_postgres


@dataclass
class Served:
    """A server on free ports of this computer, with its three doors."""

    http_port: int
    door: Door
    store: CertificateStore
    ended: list[str] = field(default_factory=list)  # reasons that sessions were told
    access: Access | None = None

    @property
    def local(self) -> str:
        return f"http://localhost:{self.http_port}"

    @property
    def lan(self) -> str:
        return f"https://127.0.0.1:{self.door.https_port}"

    @property
    def trust(self) -> str:
        return f"http://127.0.0.1:{self.door.trust_port}"

    def client(self, **options: object) -> aiohttp.ClientSession:
        """A browser that trusts our authority and no other."""
        context = ssl.create_default_context(cadata=self.store.authority.pem.decode())
        jar = aiohttp.CookieJar(unsafe=True)  # 'unsafe': cookies of bare addresses too
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context), cookie_jar=jar, **options)  # type: ignore[arg-type]


@pytest.fixture(params=["sqlite", "postgresql"])
def either_store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Whatever is opened in the test lies in a SQLite file once, and once in a PostgreSQL database: another one for
    each folder. Tests that look into the file are marked :data:`tests.stores.only_sqlite`."""
    if request.param == "postgresql":
        with on_postgres(monkeypatch):
            yield "postgresql"
    else:
        yield "sqlite"


Serving = Callable[..., AbstractAsyncContextManager[Served]]


@pytest.fixture
def serving(tmp_path: Path) -> Serving:
    """Serve the application for real, on sockets, with TLS: ``async with serving() as served``. On this computer nobody
    has to sign in; with ``accounts`` (:func:`tests.server.signing.accounts`) others can."""

    @contextlib.asynccontextmanager
    async def serve(
        parts: tuple[Callable[[web.Application], None], ...] = (),
        end_sessions: Callable[[str], Awaitable[None]] | None = None,
        accounts: Callable[[Settings, Door | None], AbstractAsyncContextManager[Access]] | None = None,
        **changed: object,
    ) -> AsyncIterator[Served]:
        ports = {"http_port": 0, "https_port": 0, "trust_port": 0}
        ours = {"data_dir": tmp_path / "data", "models_dir": tmp_path, "consent": "ask", "local_owner": True}
        settings = Settings(**{**ports, **ours, **changed})  # type: ignore[arg-type]
        with contextlib.closing(bind(settings)) as listeners:
            addresses = (ip_address("127.0.0.1"),)
            store = CertificateStore(tmp_path / "tls", Names.of("testhost", addresses))
            door = Door("testhost", addresses, port_of(listeners.lan), port_of(listeners.trust))
            served = Served(port_of(listeners.local), door, store)

            async def note(reason: str) -> None:
                served.ended.append(reason)

            pack = {"name": "open", "licence": "MIT and CC0-1.0"}
            async with contextlib.AsyncExitStack() as stack:
                if accounts is not None:
                    access = served.access = await stack.enter_async_context(accounts(settings, door))
                    parts = (*parts, lambda app: setup_access(app, access))
                services = Services(
                    lambda: pack, lambda: 2, lambda: 3, end_sessions or note, door, parts, access=served.access
                )
                app, trust_app = create_app(settings, services), create_trust_app(door, store.authority)
                await stack.enter_async_context(listening(listeners, app, trust_app, store.context))
                yield served

    return serve
