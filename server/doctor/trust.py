"""What browsers demand before they give a page the camera: a certificate that holds, and a secure context."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime

from cryptography import x509

from server import lan
from server.certificates import (
    RENEW_BEFORE,
    CertificateError,
    certificate_names,
    covered_names,
    load_authority,
    renewal_reason,
    tls_folder,
)
from server.doctor import asking
from server.doctor.finding import Finding, Patient

_RENEW = "visavis certificate renew"
_AUTHORITY = "visavis certificate renew --authority, and have every device trust it anew"


def certificate(patient: Patient, now: datetime | None = None) -> Iterator[Finding]:
    """Of the door for other devices."""
    settings, now = patient.settings, now or datetime.now(UTC)
    if not settings.lan:
        yield Finding("certificate", "good", "not needed: other devices are not served (lan = false)")
        return
    folder = tls_folder(settings)
    if not (folder / "authority.pem").exists():
        yield Finding("certificate", "good", "it is made at the first start")
        return
    names = certificate_names(settings, lan.addresses())
    try:
        authority = load_authority(folder, names, now)
    except CertificateError as error:
        yield Finding("authority", "broken", str(error), _AUTHORITY)
        return
    ends = authority.certificate.not_valid_after_utc
    yield Finding("authority", "good", f"valid until {ends:%d %B %Y}; SHA-256 {authority.fingerprint}")
    for name in settings.host_names:
        if not authority.permits(name):
            yield Finding("authority", "broken", f"it may not vouch for {name} (host_names)", _AUTHORITY)
    try:
        found = x509.load_pem_x509_certificate((folder / "server.pem").read_bytes())
    except (OSError, ValueError):
        yield Finding(
            "certificate",
            "worth a look",
            f"{folder / 'server.pem'} is missing or damaged; a start makes another",
            _RENEW,
        )
        return
    until = f"valid until {found.not_valid_after_utc:%d %B %Y}"
    reason = renewal_reason(found, authority, names, now)
    if reason is None:
        covered = [name for name in covered_names(found) if name not in ("127.0.0.1", "::1")]
        yield Finding("certificate", "good", f"{until}, for {', '.join(covered)}")
    elif now >= found.not_valid_after_utc:
        yield Finding("certificate", "broken", f"it ran out on {found.not_valid_after_utc:%d %B %Y}", _RENEW)
    else:
        yield Finding("certificate", "worth a look", f"{until}, but {reason}; a start renews it", _RENEW)
    if found.not_valid_after_utc - found.not_valid_before_utc < RENEW_BEFORE:
        yield Finding("certificate", "worth a look", "it holds for less than a month", _RENEW)


def camera(patient: Patient) -> Iterator[Finding]:
    """Whether a browser gives the camera to the page, address by address, as it is served at this moment."""
    settings = patient.settings
    if not patient.running:
        yield Finding(
            "camera",
            "worth a look",
            "no server runs here, so no page could be looked at",
            "visavis, and visavis doctor beside it",
        )
        return
    yield page(f"http://localhost:{settings.http_port}")
    if settings.lan:
        yield from _for_others(patient)
    for name in settings.host_names if settings.trusted_proxies else ():
        yield page(f"https://{name}", elsewhere=True)


def _for_others(patient: Patient) -> Iterator[Finding]:
    settings = patient.settings
    try:
        authority = (tls_folder(settings) / "authority.pem").read_text("ascii")
    except (OSError, UnicodeDecodeError):
        yield Finding("camera", "broken", "the authority of the certificate cannot be read", _AUTHORITY)
        return
    pem = authority[authority.index("-----BEGIN CERTIFICATE-----") :]
    found = lan.addresses()
    for address in found:
        host = f"[{address}]" if address.version == 6 else str(address)
        yield page(f"https://{host}:{settings.https_port}", pem)
    if not found:
        yield Finding("camera", "worth a look", "this computer is in no network: no phone can come", "join a network")
    else:
        phone = f"http://{found[0]}:{settings.trust_port}/"
        yield Finding("phones", "good", f"each opens {phone} once, and trusts the authority with the fingerprint above")


def page(server: str, trusted: str | None = None, *, elsewhere: bool = False) -> Finding:
    """The page of one address. ``elsewhere``: it belongs to a proxy, which this computer need not reach."""
    try:
        answer = asking.ask(f"{server}/sign-in", trusted)
    except (asking.NoAnswer, ssl.SSLError) as error:
        if elsewhere:
            return Finding("camera", "worth a look", f"{server}: {error}", f"curl -I {server}/sign-in, from outside")
        return Finding("camera", "broken", f"{server}: {error}", f"{_RENEW}, and start the server again")
    policy = answer.headers.get("Permissions-Policy", "")
    if answer.status != 200:
        return Finding("camera", "broken", f"{server} answers {answer.status}", f"curl -i {server}/sign-in")
    if "camera=(self)" not in policy:
        cure = "have the proxy before it leave the header Permissions-Policy alone"
        return Finding("camera", "broken", f"{server} forbids the camera to its own page", cure)
    why = "browsers trust localhost" if server.startswith("http://") else "over HTTPS, with a certificate that holds"
    return Finding("camera", "good", f"{server} may ask for it: {why}")
