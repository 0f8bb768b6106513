from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server import peers as registry
from server.peer import Peer
from server.peers import PeerRegistry, at_most
from server.sdp import MAX_SDP, OfferError, parse_fragment
from server.signalling import setup_whip
from server.transport import IceServer, install, uninstall
from tests.server.loopback import LOOPBACK, Page, Recorder
from tests.server.offers import CAMERA, MICROPHONE_AND_CAMERA
from tests.server.test_sdp import FRAGMENT, mutated

SDP = {"Content-Type": "application/sdp"}
TRICKLE = {"Content-Type": "application/trickle-ice-sdpfrag", "If-Match": "*"}
ONLY_UNKNOWN = (
    CAMERA[: CAMERA.index("m=video")]
    + CAMERA[CAMERA.index("m=video") : CAMERA.index("a=rtpmap:96")].replace(
        "96 97 102 103 104 107 108 109 114 115 116 117 39 40 45 46 98 99 100 101 118 119 120", "45"
    )
    + "a=rtpmap:45 AV1/90000\r\n"
    + CAMERA[CAMERA.index("a=ssrc-group") :]
)


class Door:
    """The signalling of a real server, and its peers."""

    def __init__(self, base: str, peers: PeerRegistry, client: aiohttp.ClientSession) -> None:
        self.base = base
        self.peers = peers
        self.client = client

    async def ask(
        self, method: str, path: str = "/api/v1/whip", body: object = None, headers: dict[str, str] | None = None
    ) -> tuple[int, str, aiohttp.ClientResponse]:
        """Status, text and the whole answer; every refusal is a problem in words."""
        async with self.client.request(method, self.base + path, data=body, headers=headers) as response:
            text = await response.text()
            if response.status >= 400:
                assert response.content_type == "application/problem+json"
                problem = await response.json(content_type=None)
                assert set(problem) == {"type", "title", "status", "detail"}
                assert problem["status"] == response.status
                assert len(problem["detail"]) > 10
            return response.status, text, response

    async def post(self, offer: object, headers: dict[str, str] | None = None) -> tuple[int, str, str]:
        """Status, text and location."""
        status, text, response = await self.ask("POST", body=offer, headers=headers or SDP)
        return status, text, response.headers.get("Location", "")


@pytest.fixture(autouse=True)
def _transport() -> Iterator[None]:
    install(LOOPBACK)
    yield
    uninstall()


@pytest.fixture
def whip(serving):  # type: ignore[no-untyped-def]
    @contextlib.asynccontextmanager
    async def open_door(max_sessions: int = 4) -> AsyncIterator[Door]:
        peers = PeerRegistry(LOOPBACK, lambda _: Recorder(), at_most(max_sessions))
        parts = (lambda app: setup_whip(app, peers),)
        async with (
            serving(parts=parts, end_sessions=peers.close_all) as served,
            aiohttp.ClientSession() as client,
        ):
            yield Door(served.local, peers, client)
        assert peers.sessions == 0

    return open_door


async def test_an_offer_becomes_a_session(whip) -> None:  # type: ignore[no-untyped-def]
    async with whip() as door:
        page = Page()
        status, answer, response = await door.ask("POST", body=await page.offer(), headers=SDP)
        assert (status, response.content_type) == (201, "application/sdp")
        location = response.headers["Location"]
        number = location.removeprefix("/api/v1/whip/")
        assert len(number) > 20  # nobody guesses it
        assert response.headers["ETag"] == f'"{door.peers.get(number).negotiation.generation}"'
        assert door.peers.sessions == 1
        await page.accept(answer)
        recorder = door.peers.get(number).handler
        await recorder.until(lambda: bool(recorder.frames))
        assert (await door.ask("DELETE", location))[0] == 200
        assert door.peers.sessions == 0
        assert recorder.closed == ["deleted"]
        assert (await door.ask("DELETE", location))[0] == 200
        await page.close()


@pytest.mark.parametrize("offer", [CAMERA, MICROPHONE_AND_CAMERA, CAMERA.replace("\r\n", "\n")])
async def test_a_browser_s_offer_is_answered(whip, offer: str) -> None:  # type: ignore[no-untyped-def]
    async with whip() as door:
        status, answer, _ = await door.post(offer)
        assert status == 201
        assert answer.count("m=") == offer.count("m=")
        assert "VP8/90000" in answer
        assert "a=recvonly" in answer
        assert "127.0.0.1" in answer


async def test_an_id_that_never_was_is_not_found(whip) -> None:  # type: ignore[no-untyped-def]
    async with whip() as door:
        assert (await door.ask("DELETE", "/api/v1/whip/never"))[0] == 404
        assert (await door.ask("PATCH", "/api/v1/whip/never", FRAGMENT, TRICKLE))[0] == 404


async def test_a_minute_after_its_end_a_session_is_forgotten(whip, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    async with whip() as door:
        _, _, location = await door.post(CAMERA)
        await door.ask("DELETE", location)
        assert (await door.ask("PATCH", location, FRAGMENT, TRICKLE))[0] == 404
        monkeypatch.setattr(registry, "REMEMBER_ENDED", -1.0)
        assert (await door.ask("DELETE", location))[0] == 404


async def test_candidates_are_taken_in_or_refused(whip) -> None:  # type: ignore[no-untyped-def]
    async with whip() as door:
        _, _, location = await door.post(CAMERA)
        good = [FRAGMENT, "", "a=end-of-candidates\r\n", FRAGMENT.replace("a=mid:0", "a=mid:nobody")]
        for fragment in good:
            assert (await door.ask("PATCH", location, fragment, TRICKLE))[0] == 204
        tags = {f'"{door.peers.peers[0].negotiation.generation}"': 204, "*": 204, '"another"': 412}
        for tag, status in tags.items():
            assert (await door.ask("PATCH", location, FRAGMENT, {**TRICKLE, "If-Match": tag}))[0] == status
        without = {"Content-Type": TRICKLE["Content-Type"]}
        assert (await door.ask("PATCH", location, FRAGMENT, without))[0] == 428
        assert (await door.ask("PATCH", location, FRAGMENT, SDP))[0] == 415
        assert (await door.ask("PATCH", location, FRAGMENT.replace("SX8x", "else"), TRICKLE))[0] == 422
        for fragment in ("hello", FRAGMENT.replace("50001", "0"), FRAGMENT.replace("192.0.2.7", "host.example")):
            assert (await door.ask("PATCH", location, fragment, TRICKLE))[0] == 400
        assert (await door.ask("PATCH", location, b"\xff\xfe", TRICKLE))[0] == 400
        assert (await door.ask("PATCH", location, "x" * (MAX_SDP + 1), TRICKLE))[0] == 413
        assert door.peers.sessions == 1


async def endless() -> AsyncIterator[bytes]:
    for _ in range(MAX_SDP // 1000 + 2):
        yield b"v=0\r\n" * 200


@pytest.mark.parametrize(
    ("offer", "headers", "status"),
    [
        (CAMERA, {"Content-Type": "application/json"}, 415),
        (CAMERA, {"Content-Type": "text/plain"}, 415),
        ("v=0\r\n" + "a" * MAX_SDP, SDP, 413),
        (endless, SDP, 413),
        (b"", SDP, 400),
        (b"\xff\xfe\x00", SDP, 400),
        ("hello", SDP, 400),
        ("v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n", SDP, 400),
        ("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n", SDP, 422),
        (CAMERA.replace("m=video", "m=audio"), SDP, 422),
        (CAMERA.replace("a=sendonly", "a=recvonly"), SDP, 422),
        (ONLY_UNKNOWN, SDP, 406),
        (CAMERA.replace("192.0.2.2", "host.example"), SDP, 400),
    ],
)
async def test_what_cannot_be_answered_is_refused(whip, offer, headers: dict[str, str], status: int) -> None:  # type: ignore[no-untyped-def]
    async with whip() as door:
        assert (await door.post(offer() if callable(offer) else offer, headers))[0] == status
        assert door.peers.sessions == 0
        assert (await door.post(CAMERA))[0] == 201  # and nothing is broken


async def test_full(whip) -> None:  # type: ignore[no-untyped-def]
    async with whip(max_sessions=1) as door:
        _, _, location = await door.post(CAMERA)
        status, _, response = await door.ask("POST", body=CAMERA, headers=SDP)
        assert (status, response.headers["Retry-After"]) == (503, "5")
        await door.ask("DELETE", location)
        assert (await door.post(CAMERA))[0] == 201


async def test_many_at_once_stay_within_the_limit(whip) -> None:  # type: ignore[no-untyped-def]
    async with whip(max_sessions=3) as door:
        answers = await asyncio.gather(*(door.post(CAMERA) for _ in range(8)))
        assert sorted(status for status, _, _ in answers) == [201] * 3 + [503] * 5
        assert door.peers.sessions == 3


async def test_addresses_that_take_too_long_are_not_waited_for(whip, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    async def answer(self: Peer, offer: str) -> str:
        await asyncio.sleep(60)
        return ""

    monkeypatch.setattr(registry, "ANSWER_TIMEOUT", 0.1)
    monkeypatch.setattr(Peer, "answer", answer)
    async with whip() as door:
        assert (await door.post(CAMERA))[0] == 503
        assert door.peers.sessions == 0


async def test_a_server_that_ends_takes_no_more(whip) -> None:  # type: ignore[no-untyped-def]
    async with whip() as door:
        await door.post(CAMERA)
        await door.peers.close_all("shutdown")
        assert door.peers.sessions == 0
        assert (await door.post(CAMERA))[0] == 503


def outcome(offer: str, fragment: str = "") -> tuple[int, list[str]]:
    """The status of an offer, and what went wrong unseen: in a task, at the end, or by staying behind."""
    wrong: list[str] = []

    class Notice(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            wrong.append(record.getMessage())

    async def run() -> int:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: wrong.append(str(context)))
        peers, status = PeerRegistry(LOOPBACK, lambda _: Recorder(), at_most(2)), 201
        try:
            peer, _ = await peers.open(offer)
            await peer.negotiation.add_candidates(parse_fragment(fragment))
        except OfferError as error:
            status = error.status
        await peers.close_all("done")
        if left := asyncio.all_tasks() - {asyncio.current_task()}:
            wrong.extend(map(str, (await asyncio.wait(left, timeout=2))[1]))
        if peers.sessions:
            wrong.append("a peer is left")
        return status

    notice, logger = Notice(logging.ERROR), logging.getLogger("server.peer")
    logger.addHandler(notice)
    try:
        return asyncio.run(run()), wrong
    finally:
        logger.removeHandler(notice)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(offer=mutated(CAMERA))
def test_broken_offers_never_fail_nor_leave_anything_behind(offer: str) -> None:
    status, wrong = outcome(offer)
    assert status in (201, 400, 406, 422)
    assert wrong == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=mutated(FRAGMENT) | st.text(max_size=100))
def test_broken_candidates_never_fail(text: str) -> None:
    status, wrong = outcome(CAMERA, text)
    assert status in (201, 400)
    assert wrong == []


async def test_options_say_what_may_be_sent(whip) -> None:  # type: ignore[no-untyped-def]
    async with whip() as door:
        status, _, response = await door.ask("OPTIONS")
        assert (status, response.headers["Accept-Post"]) == (204, "application/sdp")
        _, _, location = await door.post(CAMERA)
        status, _, response = await door.ask("OPTIONS", location)
        assert (status, response.headers["Accept-Patch"]) == (204, "application/trickle-ice-sdpfrag")
        assert set(response.headers["Allow"].split(", ")) == {"DELETE", "OPTIONS", "PATCH"}
        for method in ("GET", "HEAD", "POST", "PUT"):
            async with door.client.request(method, door.base + location) as refused:
                assert refused.status == 405
                assert "PATCH" in refused.headers["Allow"]


async def test_servers_and_results_are_linked(serving) -> None:  # type: ignore[no-untyped-def]
    servers = (IceServer(("stun:stun.example:3478",)), IceServer(("turns:turn.example",), 'a"b', "c\\d"))
    peers = PeerRegistry(LOOPBACK, lambda _: Recorder(), at_most(1))
    parts = (lambda app: setup_whip(app, peers, ice_servers=servers),)
    async with (
        serving(parts=parts, end_sessions=peers.close_all) as served,
        aiohttp.ClientSession() as client,
        client.post(served.local + "/api/v1/whip", data=CAMERA, headers=SDP) as response,
    ):
        stun, turn, events = response.headers.getall("Link")
        number = response.headers["Location"].rpartition("/")[2]
        assert stun == '<stun:stun.example:3478>; rel="ice-server"'
        assert turn.startswith('<turns:turn.example>; rel="ice-server"; username="a\\"b"; credential="c\\\\d"')
        assert turn.endswith('; credential-type="password"')
        assert events.startswith(f"</api/v1/sessions/{number}/events>; rel=")
