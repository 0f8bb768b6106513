"""Devices of the network as guests."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from aiohttp import hdrs

from server.people import People
from server.people.routes import setup_people
from tests.packs import open_models
from tests.server.conftest import TOKEN, Serving
from tests.server.forgetters import forgetting_for
from tests.server.test_storage import DIGEST, sample

BEARER = {hdrs.AUTHORIZATION: f"Bearer {TOKEN}"}


@pytest.mark.parametrize("lan_guests", [True, False])
async def test_guests_see_and_change_nobody_and_the_host_everybody(
    tmp_path: Path, serving: Serving, lan_guests: bool
) -> None:
    people = await People.open(tmp_path / "people.sqlite3", DIGEST, 128)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(people.close)
        ada = await people.add_person("Ada", [sample(1)])
        forgetting = await stack.enter_async_context(forgetting_for(people, tmp_path))
        parts = (lambda app: setup_people(app, people, open_models, 16, forgetting),)
        async with serving(parts=parts, lan_guests=lan_guests) as served, served.client() as device:
            for method, path in (
                ("GET", "/people"),
                ("GET", f"/people/{ada.id}"),
                ("GET", "/changes"),
                ("DELETE", f"/people/{ada.id}"),
            ):
                url = f"{served.lan}/api/v1{path}"
                async with device.request(method, url, headers=BEARER) as response:
                    assert (response.status == 403) is lan_guests
                    if lan_guests:
                        assert response.content_type == "application/problem+json"
            assert len(people.gallery) == lan_guests
            async with device.get(f"{served.lan}/api/v1/config", headers=BEARER) as response:
                assert (await response.json())["guest"] is lan_guests
            async with device.get(f"{served.local}/api/v1/config") as response:
                assert (await response.json())["guest"] is False  # this computer is the host's
            async with device.get(f"{served.local}/api/v1/people") as response:
                assert response.status == 200
