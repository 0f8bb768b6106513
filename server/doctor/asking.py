"""Asks a server that may be there, over plain sockets and for seconds at most."""

from __future__ import annotations

import http.client
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from email.message import Message

from server.security import HEADERS

SECONDS = 3.0
_MOST = 256 * 1024  # bytes of an answer that are read


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Message
    text: str


class NoAnswer(Exception):
    """Nothing came back; the message says why."""


def ask(url: str, trusted: str | None = None, *, check: bool = True) -> Answer:
    """GET a URL, without any proxy of the environment. ``trusted`` is an authority as PEM, else the system's count;
    without ``check`` any certificate does. Raises :class:`NoAnswer`."""
    context = ssl.create_default_context(cadata=trusted)
    if not check:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context), _Stay()
    )
    try:
        with opener.open(url, timeout=SECONDS) as response:
            return Answer(response.status, response.headers, response.read(_MOST).decode("utf-8", "replace"))
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.headers, error.read(_MOST).decode("utf-8", "replace"))
    except (urllib.error.URLError, OSError, http.client.HTTPException, ValueError) as error:
        raise NoAnswer(_why(error)) from None


def is_visavis(server: str) -> bool:
    """Whether a Visavis answers there: by its health and by the headers that all its answers have."""
    try:
        answer = ask(f"{server}/healthz", check=False)
    except NoAnswer:
        return False
    return answer.status in (200, 503) and answer.headers.get("Permissions-Policy") == HEADERS["Permissions-Policy"]


class _Stay(urllib.request.HTTPRedirectHandler):
    """Nothing is followed: where it leads may be another server."""

    def redirect_request(self, *_arguments: object) -> None:
        return None


def _why(error: Exception) -> str:
    reason = getattr(error, "reason", error)
    if isinstance(reason, ssl.SSLCertVerificationError):
        return f"its certificate does not hold: {reason.verify_message}"
    if isinstance(reason, TimeoutError):
        return f"no answer within {SECONDS:g} seconds"
    return str(getattr(reason, "strerror", None) or reason) or type(error).__name__
