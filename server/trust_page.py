"""The plain-HTTP page that helps another device trust this server's certificate authority.

It is all that is served without TLS on the network, and all it gives away is public: the authority's certificate, as a
file and as an Apple profile, and the address of the real page without its token.
"""

from __future__ import annotations

import plistlib
import re
import uuid
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template

from aiohttp import web

from server.certificates import Authority
from server.join import Door
from server.security import add_headers

CA_FILE = "/visavis-ca.crt"
PROFILE = "/visavis.mobileconfig"
_HERE = Path(__file__).parent
_UUIDS = uuid.UUID(
    "4a0d7f3e-3c55-4b0b-9a39-5f3b6f1c7a52"
)  # profile identifiers are derived from it and the fingerprint

_CA_LINK = f'<a class="button" href="{CA_FILE}" download="visavis-ca.crt">Download the certificate</a>'
_PROFILE_LINK = f'<a class="button" href="{PROFILE}">Download the profile</a>'


@dataclass(frozen=True, slots=True)
class Platform:
    """What to do on one kind of device. ``steps`` are HTML."""

    key: str
    name: str
    pattern: str  # in a User-Agent header
    steps: tuple[str, ...]


PLATFORMS = (
    Platform(
        "ios",
        "iPhone and iPad",
        r"iPhone|iPad|iPod",
        (
            f"{_PROFILE_LINK}<br>Use Safari for it, and allow the download.",
            "Open <b>Settings → General → VPN &amp; Device Management</b>, choose <b>Visavis</b>, tap <b>Install</b>.",
            "Open <b>Settings → General → About → Certificate Trust Settings</b> and switch Visavis on. "
            "Without this switch the camera stays off.",
        ),
    ),
    Platform(
        "android",
        "Android",
        r"Android",
        (
            _CA_LINK,
            "Open <b>Settings</b>, search for <b>CA certificate</b> (under Security → Encryption &amp; credentials → "
            "Install a certificate) and choose <b>Install anyway</b>.",
            "Pick <b>visavis-ca.crt</b> from the downloads, then reload the page in Chrome. In Firefox, also switch on "
            "<b>Use third party CA certificates</b> in its secret settings.",
        ),
    ),
    Platform(
        "macos",
        "Mac",
        r"Macintosh",
        (
            f"{_CA_LINK}<br>Open it: Keychain Access adds it to the <b>login</b> keychain.",
            "In Keychain Access, open the <b>Visavis</b> certificate, unfold <b>Trust</b>, choose <b>Always Trust</b>.",
            "Close the window, enter your password, and restart the browser.",
        ),
    ),
    Platform(
        "windows",
        "Windows",
        r"Windows",
        (
            f"{_CA_LINK}<br>Open it and choose <b>Install Certificate… → Current User</b>.",
            "Choose <b>Place all certificates in the following store</b>, then "
            "<b>Trusted Root Certification Authorities</b>.",
            "Confirm the warning after comparing the fingerprint, and restart the browser.",
        ),
    ),
    Platform(
        "linux",
        "Linux, and Firefox everywhere",
        r"Linux|X11|CrOS|Firefox",
        (
            _CA_LINK,
            "Firefox: <b>Settings → Privacy &amp; Security → View Certificates… → Authorities → Import…</b>, and tick "
            "<b>Trust this CA to identify websites</b>.",
            "Chrome and Chromium: <b>chrome://certificate-manager → Custom → Installed by you → Trusted Certificates "
            "→ Import</b>.",
        ),
    ),
)


def platforms_for(user_agent: str) -> tuple[Platform, ...]:
    """All platforms, the one a User-Agent header speaks of first."""
    for platform in PLATFORMS:
        if re.search(platform.pattern, user_agent):
            return (platform, *(other for other in PLATFORMS if other is not platform))
    return PLATFORMS


def render(platforms: tuple[Platform, ...], fingerprint: str, page_url: str) -> str:
    """The page as HTML, the first platform unfolded."""
    sections = "".join(_section(platform, unfolded=index == 0) for index, platform in enumerate(platforms))
    grouped = " ".join(fingerprint[start : start + 11] for start in range(0, len(fingerprint), 12))
    template = Template((_HERE / "trust_page.html").read_text("utf-8"))
    return template.substitute(sections=sections, fingerprint=escape(grouped), page_url=escape(page_url))


def _section(platform: Platform, *, unfolded: bool) -> str:
    steps = "".join(f"<li>{step}</li>" for step in platform.steps)
    state = " open" if unfolded else ""
    return f'<details id="{platform.key}"{state}><summary>{escape(platform.name)}</summary><ol>{steps}</ol></details>\n'


def apple_profile(authority: Authority) -> bytes:
    """The authority's certificate as an Apple profile (``com.apple.security.root``); the same each time."""
    fingerprint = authority.fingerprint
    certificate = {
        "PayloadType": "com.apple.security.root",
        "PayloadVersion": 1,
        "PayloadIdentifier": "local.visavis.authority.certificate",
        "PayloadUUID": str(uuid.uuid5(_UUIDS, f"certificate {fingerprint}")).upper(),
        "PayloadDisplayName": "Visavis certificate",
        "PayloadCertificateFileName": "visavis-ca.crt",
        "PayloadContent": authority.der,
    }
    profile = {
        "PayloadType": "Configuration",
        "PayloadVersion": 1,
        "PayloadIdentifier": "local.visavis.authority",
        "PayloadUUID": str(uuid.uuid5(_UUIDS, f"profile {fingerprint}")).upper(),
        "PayloadDisplayName": "Visavis",
        "PayloadDescription": "Lets this device trust the Visavis server on your network, and no site on the internet.",
        "PayloadContent": [certificate],
    }
    return plistlib.dumps(profile)


def create_trust_app(door: Door, authority: Authority) -> web.Application:
    """The application for the trust port: page, style, certificate and profile. Anything else is 404."""
    app = web.Application(client_max_size=1024)
    app.on_response_prepare.append(add_headers)

    async def page(request: web.Request) -> web.Response:
        host = _host_of(request)
        url = door.page_url(host if host in door.hosts else None)
        text = render(platforms_for(request.headers.get("User-Agent", "")), authority.fingerprint, url)
        return web.Response(text=text, content_type="text/html")

    async def style(_request: web.Request) -> web.Response:
        return web.Response(text=(_HERE / "trust_page.css").read_text("utf-8"), content_type="text/css")

    async def certificate(_request: web.Request) -> web.Response:
        return web.Response(body=authority.pem, content_type="application/x-x509-ca-cert")

    async def profile(_request: web.Request) -> web.Response:
        return web.Response(body=apple_profile(authority), content_type="application/x-apple-aspen-config")

    app.router.add_get("/", page)
    app.router.add_get("/trust_page.css", style)
    app.router.add_get(CA_FILE, certificate)
    app.router.add_get(PROFILE, profile)
    return app


def _host_of(request: web.Request) -> str | None:
    """The host the visitor used, as it stands in a URL."""
    try:
        host = request.url.host
    except ValueError:
        return None
    return f"[{host}]" if host and ":" in host else host
