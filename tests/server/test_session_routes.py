"""The live sessions as JSON, and which room and guest an offer names."""

from __future__ import annotations

import aiohttp
import pytest

from server.live.routes import setup_sessions
from server.peers import PeerRegistry, at_most
from server.signalling import setup_whip
from server.transport import install, uninstall
from tests.server.loopback import LOOPBACK, Recorder
from tests.server.offers import CAMERA
from tests.server.signing import accounts, link, signed_in

SDP = {"Content-Type": "application/sdp"}


@pytest.fixture(autouse=True)
def _transport():  # type: ignore[no-untyped-def]
    install(LOOPBACK)
    yield
    uninstall()


async def test_sessions_are_listed_to_hosts_and_to_nobody_else(serving) -> None:  # type: ignore[no-untyped-def]
    peers = PeerRegistry(LOOPBACK, lambda _: Recorder(), at_most(4))
    parts = (lambda app: setup_whip(app, peers), lambda app: setup_sessions(app, peers))
    async with (
        serving(parts=parts, end_sessions=peers.close_all, accounts=accounts()) as served,
        aiohttp.ClientSession() as client,
    ):
        for query in ("", "?room=lab&guest=1"):
            async with client.post(f"{served.local}/api/v1/whip{query}", data=CAMERA, headers=SDP) as response:
                assert response.status == 201
        async with client.get(f"{served.local}/api/v1/sessions") as response:
            sessions = (await response.json())["sessions"]
        assert [(s["room"], s["guest"]) for s in sessions] == [(None, False), ("lab", True)]
        assert [s["id"] for s in sessions] == [peer.id for peer in peers.peers]
        async with client.get(f"{served.local}/api/v1/sessions/never") as response:
            assert response.status == 404
        for came, status in (
            (await signed_in(served.access, "viewer"), 403),
            (await link(served.access), 403),
            ({}, 401),
        ):
            async with (
                served.client(headers=came) as outside,
                outside.get(f"{served.lan}/api/v1/sessions") as response,
            ):
                assert response.status == status


@pytest.mark.parametrize("query", ["room=a b", "room=" + "x" * 41, "room=../etc", "guest=yes", "guest=2"])
async def test_a_room_or_guest_that_is_none_is_refused(serving, query: str) -> None:  # type: ignore[no-untyped-def]
    peers = PeerRegistry(LOOPBACK, lambda _: Recorder(), at_most(4))
    async with serving(parts=(lambda app: setup_whip(app, peers),)) as served, aiohttp.ClientSession() as client:
        async with client.post(f"{served.local}/api/v1/whip?{query}", data=CAMERA, headers=SDP) as response:
            assert response.status == 400
            assert len((await response.json(content_type=None))["detail"]) > 10
        assert peers.sessions == 0
