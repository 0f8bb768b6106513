from __future__ import annotations

import asyncio
import os
import ssl
import stat
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from server.certificates import (
    Authority,
    CertificateError,
    CertificateStore,
    Names,
    load_authority,
    make_authority,
    make_server_certificate,
    renew_authority,
    renewal_reason,
)

NOW = datetime.now(UTC).replace(microsecond=0)
ADDRESS = ip_address("192.168.1.5")
NAMES = Names.of("ada-laptop", [ADDRESS, ip_address("fd00::2")], ["cam.example.org"])


def verify(store: CertificateStore, subject: x509.GeneralName, now: datetime | None = None) -> None:
    builder = PolicyBuilder().store(Store([store.authority.certificate])).time(now or NOW)
    assert isinstance(subject, x509.DNSName | x509.IPAddress)
    builder.build_server_verifier(subject).verify(store.certificate, [])


@pytest.mark.parametrize("name", ["localhost", "ada-laptop", "ada-laptop.local", "cam.example.org"])
def test_every_name_is_verified(tmp_path: Path, name: str) -> None:
    verify(CertificateStore(tmp_path, NAMES), x509.DNSName(name))


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "192.168.1.5", "fd00::2"])
def test_every_address_is_verified(tmp_path: Path, address: str) -> None:
    verify(CertificateStore(tmp_path, NAMES), x509.IPAddress(ip_address(address)))


def test_no_other_name_is_verified(tmp_path: Path) -> None:
    store = CertificateStore(tmp_path, NAMES)
    for other in (x509.DNSName("example.org"), x509.IPAddress(ip_address("192.168.1.6"))):
        with pytest.raises(VerificationError):
            verify(store, other)


def test_apples_rules_for_tls_certificates_are_kept(tmp_path: Path) -> None:
    certificate = CertificateStore(tmp_path, NAMES).certificate
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc <= timedelta(days=397)
    assert certificate.signature_hash_algorithm is not None
    assert certificate.signature_hash_algorithm.name == "sha256"
    purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert ExtendedKeyUsageOID.SERVER_AUTH in purposes
    assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)


def test_the_authority_cannot_vouch_for_the_internet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signed with the real authority's key, and still refused: its name constraints stop it."""
    authority = make_authority(NAMES, NOW - timedelta(days=1))
    assert [authority.permits(n) for n in ("ada-laptop.local", "cam.example.org", "a.lan")] == [True] * 3
    assert not authority.permits("evilcam.example.org")
    monkeypatch.setattr(Authority, "permits", lambda *_: True)
    forged, _key = make_server_certificate(authority, Names.of("bank.example.com", []), NOW)
    verifier = PolicyBuilder().store(Store([authority.certificate])).time(NOW)
    with pytest.raises(VerificationError, match="name constraint"):
        verifier.build_server_verifier(x509.DNSName("bank.example.com")).verify(forged, [])


def test_an_extra_host_name_the_authority_does_not_cover_is_said(tmp_path: Path) -> None:
    CertificateStore(tmp_path, Names.of("ada-laptop", []))
    store = CertificateStore(tmp_path, NAMES)
    assert "cam.example.org" not in store.names  # the handshake for all other names goes on working
    with pytest.raises(CertificateError, match=r"host_names = cam\.example\.org: .*renew --authority"):
        store.require(["cam.example.org"])
    store.require(["garden.local"])


def test_renewal_reasons() -> None:
    authority = make_authority(NAMES, NOW - timedelta(days=1))
    certificate, _key = make_server_certificate(authority, NAMES, NOW)
    assert renewal_reason(certificate, authority, NAMES, NOW) is None
    assert (
        renewal_reason(certificate, authority, Names.of("ada-laptop", []), NOW) is None
    )  # an address went: still valid
    moved = Names.of("ada-laptop", [ip_address("10.0.0.7")])
    assert renewal_reason(certificate, authority, moved, NOW) == "it lacks 10.0.0.7"
    assert renewal_reason(certificate, authority, NAMES, NOW + timedelta(days=365)) is None
    assert renewal_reason(certificate, authority, NAMES, NOW + timedelta(days=367)) == "it runs out soon"
    assert renewal_reason(certificate, authority, NAMES, NOW - timedelta(days=2)) == "it is from the future"
    other = make_authority(NAMES, NOW)
    assert renewal_reason(certificate, other, NAMES, NOW) == "another authority signed it"


def test_a_second_start_keeps_authority_and_certificate(tmp_path: Path) -> None:
    first, second = CertificateStore(tmp_path, NAMES), CertificateStore(tmp_path, NAMES)
    assert second.authority.fingerprint == first.authority.fingerprint
    assert second.certificate == first.certificate


@pytest.mark.skipif(os.name != "posix", reason="file modes are a POSIX matter")
def test_keys_are_readable_by_this_user_only(tmp_path: Path) -> None:
    folder = tmp_path / "tls"
    CertificateStore(folder, NAMES)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {path.name for path in folder.iterdir()} == {"authority.pem", "server.pem"}
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in folder.iterdir())


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_damaged_authority_is_named_and_never_silently_replaced(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "authority.pem"
    path.write_bytes(content)
    with pytest.raises(CertificateError, match=r"authority\.pem: cannot be read .*certificate renew --authority"):
        CertificateStore(tmp_path, NAMES)
    assert path.read_bytes() == content


def test_an_authority_with_anothers_key_or_about_to_run_out_is_named(tmp_path: Path) -> None:
    one = renew_authority(tmp_path / "one", NAMES, NOW)
    renew_authority(tmp_path / "two", NAMES, NOW)
    mixed = (tmp_path / "two" / "authority.pem").read_bytes().partition(b"-----BEGIN CERTIFICATE")[0] + one.pem
    (tmp_path / "one" / "authority.pem").write_bytes(mixed)
    with pytest.raises(CertificateError, match="do not belong together"):
        load_authority(tmp_path / "one", NAMES, NOW)
    with pytest.raises(CertificateError, match="runs out on"):
        load_authority(tmp_path / "two", NAMES, NOW + timedelta(days=3640))


@pytest.mark.parametrize("damage", ["nonsense", "another key", "gone"])
def test_a_damaged_server_certificate_is_made_anew(tmp_path: Path, damage: str) -> None:
    before = CertificateStore(tmp_path, NAMES)
    path = tmp_path / "server.pem"
    if damage == "gone":
        path.unlink()
    elif damage == "nonsense":
        path.write_text("nonsense")
    else:
        key = (tmp_path / "authority.pem").read_bytes().partition(b"-----BEGIN CERTIFICATE")[0]
        path.write_bytes(key + before.certificate.public_bytes(serialization.Encoding.PEM))
    after = CertificateStore(tmp_path, NAMES)
    assert after.certificate != before.certificate
    assert after.authority.fingerprint == before.authority.fingerprint
    verify(after, x509.DNSName("localhost"))


async def served_certificate(port: int, context: ssl.SSLContext, host: str) -> x509.Certificate:
    _reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=host)
    tls = writer.get_extra_info("ssl_object")
    der = tls.getpeercert(binary_form=True)
    writer.close()
    await writer.wait_closed()
    return x509.load_der_x509_certificate(der)


async def test_a_handshake_that_trusts_our_authority_alone_and_renewal_without_a_restart(tmp_path: Path) -> None:
    store = CertificateStore(tmp_path, NAMES)
    client = ssl.create_default_context(cadata=store.authority.pem.decode())
    client.verify_flags |= ssl.VERIFY_X509_STRICT

    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _reader.read()
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=store.context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        for host in ("192.168.1.5", "ada-laptop.local", "localhost", "127.0.0.1"):
            assert await served_certificate(port, client, host) == store.certificate
        with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
            await served_certificate(port, client, "10.0.0.7")

        before = store.certificate
        moved = Names.of("ada-laptop", [ip_address("10.0.0.7")])
        assert store.refresh(moved) == "it lacks 10.0.0.7"
        assert await served_certificate(port, client, "10.0.0.7") == store.certificate != before
        assert store.refresh(moved) is None
        assert store.refresh(moved, force=True) == "asked for"

        stranger = ssl.create_default_context(cadata=make_authority(NAMES, NOW).pem.decode())
        with pytest.raises(ssl.SSLCertVerificationError):
            await served_certificate(port, stranger, "localhost")
