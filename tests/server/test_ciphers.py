"""Senders whose certificate is an RSA one, as GStreamer's is."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Iterator

import pytest
from aiortc import RTCCertificate, RTCConfiguration, RTCPeerConnection
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from server.transport import ciphers, install, take_rsa_certificates, uninstall
from tests.server.loopback import LOOPBACK, Page, Recorder, connect


@pytest.fixture(autouse=True)
def _transport() -> Iterator[None]:
    install(LOOPBACK)
    yield
    uninstall()


def rsa_certificate() -> RTCCertificate:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sender")])
    now = datetime.datetime.now(tz=datetime.UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    return RTCCertificate(key=key, cert=made.sign(key, hashes.SHA256()))


async def test_a_sender_with_an_rsa_certificate_connects() -> None:
    page, recorder = Page(), Recorder()
    setattr(page.pc, ciphers.CERTIFICATES, [rsa_certificate()])
    take_rsa_certificates(page.pc)
    peer = await connect(page, recorder, LOOPBACK)
    try:
        await asyncio.wait_for(recorder.opened.wait(), 5)
    finally:
        await peer.close("done")
        await page.close()


async def test_a_library_without_the_names_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    monkeypatch.setattr(ciphers, "MAKE_CONTEXT", "gone")
    assert ciphers.missing(pc) == ["gone"]
    take_rsa_certificates(pc)
    monkeypatch.setattr(ciphers, "CERTIFICATES", "gone too")
    assert ciphers.missing(pc) == ["gone too"]
    await pc.close()
