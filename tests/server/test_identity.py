"""Encryption is with whom the description names and with nobody else, in both directions; and only where it names them
well enough."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator

import pytest
from aiortc import RTCCertificate, RTCConfiguration, RTCPeerConnection

from server.peer import Peer
from server.sdp import OfferError, check_offer
from server.transport import ciphers, install, uninstall
from server.transport.identity import CONNECTION, NOT_ENCRYPTED, OTHER_CERTIFICATE
from tests.server.loopback import LOOPBACK, Page, Recorder
from tests.server.offers import CAMERA

STRONG = re.compile(r"a=fingerprint:sha-(256|384|512) [0-9A-F:]+")


@pytest.fixture(autouse=True)
def _transport() -> Iterator[None]:
    install(LOOPBACK)
    yield
    uninstall()


def fingerprints(certificate: RTCCertificate) -> dict[str, str]:
    return {f.algorithm: f.value for f in certificate.getFingerprints()}


def altered(sdp: str, *algorithms: str) -> str:
    """The description with the fingerprints of somebody else's certificate, under these names."""
    other = fingerprints(RTCCertificate.generateCertificate())

    def change(found: re.Match[str]) -> str:
        name = f"sha-{found[1]}"
        return f"a=fingerprint:{name} {other[name]}" if name in algorithms else found[0]

    changed, count = STRONG.subn(change, sdp)
    assert count
    assert changed != sdp
    return changed


async def ended(page: Page, recorder: Recorder, offer: str) -> None:
    """Offer this, and wait until the session has ended."""
    gone = asyncio.Event()
    peer = Peer(LOOPBACK, lambda _: recorder, lambda *_: gone.set())
    try:
        await page.accept(await peer.answer(offer))
        await asyncio.wait_for(gone.wait(), 10)
    finally:
        await peer.close("done")
        await page.close()


@pytest.mark.parametrize(
    "algorithms",
    [("sha-256", "sha-384", "sha-512"), ("sha-256",), ("sha-512",)],
    ids=["all of them", "one of three", "the last of three"],
)
async def test_a_sender_with_another_certificate_gets_no_media_and_no_channel(algorithms: tuple[str, ...]) -> None:
    page, recorder = Page(), Recorder()
    await ended(page, recorder, altered(await page.offer(), *algorithms))
    assert recorder.closed == [OTHER_CERTIFICATE]
    assert recorder.frames == []
    assert recorder.commands == []
    assert not recorder.opened.is_set()
    assert page.results == page.said == []


async def test_the_reason_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "server.link")
    page, recorder = Page(), Recorder()
    await ended(page, recorder, altered(await page.offer(), "sha-256"))
    assert OTHER_CERTIFICATE in caplog.text


async def test_a_page_whose_answer_was_altered_on_the_way_sends_nothing() -> None:
    page, recorder = Page(), Recorder()
    peer = Peer(LOOPBACK, lambda _: recorder, lambda *_: None)
    refused = asyncio.Event()
    page.pc.on("connectionstatechange", lambda: page.pc.connectionState == "failed" and refused.set())
    try:
        await page.accept(altered(await peer.answer(await page.offer()), "sha-256", "sha-384", "sha-512"))
        await asyncio.wait_for(refused.wait(), 10)
        assert recorder.frames == []
        assert not recorder.opened.is_set()
    finally:
        await peer.close("done")
        await page.close()


async def test_without_a_cipher_in_common_that_is_the_reason() -> None:
    page, recorder = Page(), Recorder()
    (certificate,) = getattr(page.pc, ciphers.CERTIFICATES)
    make = getattr(certificate, ciphers.MAKE_CONTEXT)

    def weak(*args: object, **named: object) -> object:
        context = make(*args, **named)
        context.set_cipher_list(b"ECDHE-ECDSA-AES256-GCM-SHA384")
        return context

    setattr(certificate, ciphers.MAKE_CONTEXT, weak)
    await ended(page, recorder, await page.offer())
    assert recorder.closed == [NOT_ENCRYPTED]


async def test_the_library_still_has_the_names_that_tell_the_reason() -> None:
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    try:
        pc.createDataChannel("x")
        assert pc.sctp is not None
        assert hasattr(pc.sctp.transport, CONNECTION)
    finally:
        await pc.close()


def replaced(line: str) -> str:
    text = re.sub(r"a=fingerprint:[^\r]+", line, CAMERA)
    assert text != CAMERA
    return text


HEX = ":".join(["AB"] * 64)


@pytest.mark.parametrize("name", ["sha-1", "md5", "md2", "sha-224", "SHA-1", "token"])
def test_weak_fingerprints_alone_are_refused(name: str) -> None:
    with pytest.raises(OfferError, match="too weak: it takes sha-256") as caught:
        check_offer(replaced(f"a=fingerprint:{name} {HEX[:59]}"))
    assert caught.value.status == 422


def test_a_weak_one_beside_a_strong_one_does_no_harm() -> None:
    assert check_offer(replaced(f"a=fingerprint:sha-1 {HEX[:59]}\r\na=fingerprint:sha-256 {HEX[:95]}"))


@pytest.mark.parametrize(("name", "size"), [("sha-256", 32), ("sha-384", 48), ("sha-512", 64), ("SHA-256", 32)])
def test_strong_fingerprints_are_taken(name: str, size: int) -> None:
    assert check_offer(replaced(f"a=fingerprint:{name} {HEX[: 3 * size - 1]}"))


@pytest.mark.parametrize("value", ["", "AB", HEX[:94], HEX[:98], HEX[:95].replace("AB", "XY"), HEX[:95] + " x", "*"])
def test_a_fingerprint_that_cannot_be_one_is_refused(value: str) -> None:
    with pytest.raises(OfferError, match="no sha-256 in hexadecimal") as caught:
        check_offer(replaced(f"a=fingerprint:sha-256 {value}"))
    assert caught.value.status == 400


def test_a_section_without_one_is_refused() -> None:
    at = CAMERA.rindex("a=fingerprint:")
    bare = CAMERA[:at] + CAMERA[CAMERA.index("\r\n", at) + 2 :]
    with pytest.raises(OfferError, match="no fingerprint") as caught:
        check_offer(bare)
    assert caught.value.status == 400


def test_every_cipher_that_may_be_agreed_on_keeps_old_recordings_secret() -> None:
    """Each has a fresh key for each session (ECDHE), and none is broken or without encryption."""
    suites = ciphers.SUITES.decode().split(":")
    assert all(suite.startswith("ECDHE-") for suite in suites)
    assert not [suite for suite in suites if re.search(r"RC4|DES|NULL|MD5|EXPORT|anon", suite)]
    assert suites[0].endswith("GCM-SHA256")
