"""The server's own certificate authority and certificate, so that browsers on the local network get a secure context.

The authority (EC P-256, ten years, its key readable by this user only) signs one server certificate with every name and
address of this computer. Name constraints (RFC 5280 §4.2.1.10) keep the authority from vouching for anything on the
internet by name: a device that trusts it trusts it for local names and bare addresses alone. The server certificate
follows Apple's rules: subject alternative names, SHA-256, the serverAuth purpose, and at most 397 days.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from server.lan import Address, host_name
from server.private_files import write_private
from server.settings import Settings, StartError

AUTHORITY_LIFE = timedelta(days=3652)
SERVER_LIFE = timedelta(days=397)
RENEW_BEFORE = timedelta(days=30)
CLOCK_SLACK = timedelta(hours=24)  # devices whose clock is behind still accept a new certificate
_ADVICE = "`visavis certificate renew --authority` makes a new one, which every device has to trust anew"
LOCAL_DOMAINS = ("localhost", "local", "lan", "home", "internal", "home.arpa")


class CertificateError(StartError):
    """The certificates on disk cannot be used; the message names the file and what to do."""


@dataclass(frozen=True, slots=True)
class Names:
    """What the server certificate vouches for."""

    dns: tuple[str, ...]
    addresses: tuple[Address, ...]

    @classmethod
    def of(cls, host: str, addresses: Iterable[Address], further: Iterable[str] = ()) -> Self:
        """A computer's names: ``host``, ``host.local`` (mDNS), ``localhost``, and what else it is called."""
        dns = ("localhost", host, f"{host}.local", *further)
        loopback = (ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1"))
        return cls(tuple(dict.fromkeys(dns)), tuple(dict.fromkeys((*loopback, *addresses))))


@dataclass(frozen=True, slots=True)
class Authority:
    """The local certificate authority."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, as devices show it: ``AB:CD:…``."""
        return self.certificate.fingerprint(hashes.SHA256()).hex(":").upper()

    @property
    def pem(self) -> bytes:
        """The certificate as PEM text."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def der(self) -> bytes:
        """The certificate as DER."""
        return self.certificate.public_bytes(serialization.Encoding.DER)

    def permits(self, name: str) -> bool:
        """Whether the name constraints let this authority vouch for a DNS name."""
        constraints = self.certificate.extensions.get_extension_for_class(x509.NameConstraints).value
        trees = [tree.value for tree in constraints.permitted_subtrees or () if isinstance(tree, x509.DNSName)]
        return any(name == tree or name.endswith(f".{tree}") for tree in trees)


def tls_folder(settings: Settings) -> Path:
    """Where authority and server certificate are kept."""
    return settings.data_dir / "tls"


def certificate_names(settings: Settings, found: Iterable[Address]) -> Names:
    """What the certificate of this computer, found at these addresses, has to vouch for."""
    return Names.of(host_name(), found, settings.host_names)


def make_authority(names: Names, now: datetime) -> Authority:
    """A new authority that may vouch for local domains and for ``names``."""
    key = ec.generate_private_key(ec.SECP256R1())
    title = f"Visavis on {names.dns[1] if len(names.dns) > 1 else names.dns[0]}"
    subject = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, title[:64]), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Visavis")]
    )
    allowed: list[x509.GeneralName] = [x509.DNSName(name) for name in dict.fromkeys((*LOCAL_DOMAINS, *names.dns))]
    # Addresses change with the network, so all are allowed; said in words, as some verifiers refuse kinds left out.
    allowed += [x509.IPAddress(ipaddress.ip_network(everything)) for everything in ("0.0.0.0/0", "::/0")]
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        _builder(subject, subject, key.public_key(), now, now + AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.NameConstraints(permitted_subtrees=allowed, excluded_subtrees=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return Authority(builder.sign(key, hashes.SHA256()), key)


def make_server_certificate(
    authority: Authority, names: Names, now: datetime
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """A certificate for ``names``, with a key of its own. Names the authority may not vouch for are left out."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Visavis")])
    alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in names.dns if authority.permits(name)]
    alternatives += [x509.IPAddress(address) for address in names.addresses]
    identifier = authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    start = now - CLOCK_SLACK
    end = min(start + SERVER_LIFE, authority.certificate.not_valid_after_utc)
    builder = (
        _builder(subject, authority.certificate.subject, key.public_key(), start, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
    )
    return builder.sign(authority.key, hashes.SHA256()), key


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, start: datetime, end: datetime
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    return builder.serial_number(x509.random_serial_number()).not_valid_before(start).not_valid_after(end)


def renewal_reason(certificate: x509.Certificate, authority: Authority, names: Names, now: datetime) -> str | None:
    """Why a new server certificate is needed, or ``None`` if this one still serves."""
    if now >= certificate.not_valid_after_utc - RENEW_BEFORE:
        return "it runs out soon"
    if now < certificate.not_valid_before_utc:
        return "it is from the future"
    try:
        certificate.verify_directly_issued_by(authority.certificate)
    except Exception:  # ValueError, TypeError or InvalidSignature: in every case not ours
        return "another authority signed it"
    covered = covered_names(certificate)
    wanted = [name for name in names.dns if authority.permits(name)] + [str(address) for address in names.addresses]
    missing = [name for name in wanted if name not in covered]
    return f"it lacks {', '.join(missing)}" if missing else None


def covered_names(certificate: x509.Certificate) -> tuple[str, ...]:
    """The subject alternative names, DNS names before addresses."""
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = (str(address) for address in names.get_values_for_type(x509.IPAddress))
    return (*names.get_values_for_type(x509.DNSName), *addresses)


class CertificateStore:
    """Authority and server certificate in a folder, and the TLS context that serves them.

    ``context`` lives as long as the store: new connections get the certificate of the last :meth:`refresh`.
    Raises :class:`CertificateError` when what is in the folder cannot be used. All methods block for milliseconds.
    """

    def __init__(self, folder: Path, names: Names, now: datetime | None = None) -> None:
        self.folder = folder
        self.authority = load_authority(folder, names, now or datetime.now(UTC))
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_alpn_protocols(["http/1.1"])
        self._certificate: x509.Certificate | None = None
        self.refresh(names, now)

    @property
    def certificate(self) -> x509.Certificate:
        """The server certificate being served."""
        assert self._certificate is not None
        return self._certificate

    @property
    def names(self) -> tuple[str, ...]:
        """The names and addresses that the server certificate vouches for."""
        return covered_names(self.certificate)

    def require(self, host_names: Iterable[str]) -> None:
        """Raise :class:`CertificateError` for a host name that the authority cannot vouch for."""
        for name in host_names:
            if not self.authority.permits(name):
                raise CertificateError(
                    f"host_names = {name}: the certificate authority cannot vouch for that name; {_ADVICE}"
                )

    def refresh(self, names: Names, now: datetime | None = None, *, force: bool = False) -> str | None:
        """Renew the server certificate if it has to be; returns why it was, or ``None``."""
        now = now or datetime.now(UTC)
        chain = self.folder / "server.pem"
        if self._certificate is None:
            self._certificate = _read_server_certificate(chain)
            if self._certificate is not None:
                try:
                    self.context.load_cert_chain(chain)
                except ssl.SSLError:  # the key does not belong to it
                    self._certificate = None
        if self._certificate is None:
            reason: str | None = "there was none"
        else:
            reason = "asked for" if force else renewal_reason(self._certificate, self.authority, names, now)
        if reason:
            certificate, key = make_server_certificate(self.authority, names, now)
            write_private(chain, _key_pem(key) + certificate.public_bytes(serialization.Encoding.PEM))
            self.context.load_cert_chain(chain)
            self._certificate = certificate
        return reason


def load_authority(folder: Path, names: Names, now: datetime) -> Authority:
    """The folder's authority, made at first use. Raises :class:`CertificateError`."""
    path = folder / "authority.pem"
    if not path.exists():
        return renew_authority(folder, names, now)
    try:
        content = path.read_bytes()
        certificate = x509.load_pem_x509_certificate(content)
        key = serialization.load_pem_private_key(content, None)
    except (OSError, ValueError, TypeError) as error:
        raise CertificateError(f"{path}: cannot be read ({_first_line(error)}); {_ADVICE}") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise CertificateError(f"{path}: key and certificate do not belong together; {_ADVICE}")
    if now >= certificate.not_valid_after_utc - RENEW_BEFORE:
        raise CertificateError(
            f"{path}: runs out on {certificate.not_valid_after_utc:%d %B %Y}, and this computer's clock says "
            f"{now:%d %B %Y}; set the clock if that is wrong, otherwise {_ADVICE}"
        )
    return Authority(certificate, key)


def renew_authority(folder: Path, names: Names, now: datetime) -> Authority:
    """Make a new authority; what the former one signed is no longer used."""
    authority = make_authority(names, now - CLOCK_SLACK)
    write_private(folder / "authority.pem", _key_pem(authority.key) + authority.pem)
    return authority


def _read_server_certificate(path: Path) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        return None  # absent or damaged: a new one costs nobody anything


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    private = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, private, serialization.NoEncryption())


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
