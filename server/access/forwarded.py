"""What a reverse proxy says of whom it asks for: ``X-Forwarded-For``, ``-Proto`` and ``-Host``, or ``Forwarded``
(RFC 7239).

Anybody can write these headers, so they count only from addresses in the setting ``trusted_proxies``. Proxies append to
what they were sent: read from the right, the first address that is no trusted proxy's is the client's, and whatever
stands to the left of it the client may have made up. What cannot be read is refused, never guessed.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from aiohttp import hdrs, web

from server.asked import Asked

FOR, PROTO, HOST, STANDARD = "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded"
HEADERS = (FOR, PROTO, HOST, STANDARD)
Address = IPv4Address | IPv6Address

_HOST = re.compile(r"([A-Za-z0-9]([A-Za-z0-9.-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])(:\d{1,5})?", re.ASCII)
_WITH_PORT = re.compile(r"(\d{1,3}(?:\.\d{1,3}){3}):\d{1,5}|\[([0-9A-Fa-f:.]{2,45})\](?::\d{1,5})?", re.ASCII)
_PAIR = re.compile(r"""[ \t]*([A-Za-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s",;]+))[ \t]*""", re.ASCII)


class BadForwarded(ValueError):
    """What a proxy says cannot be believed; the message says what is wrong, and names no address."""


@dataclass(frozen=True, slots=True)
class _Hop:
    """What one proxy says of whoever asked it."""

    client: str
    proto: str | None = None
    host: str | None = None


class Proxies:
    """The proxies that are believed: addresses or networks, such as ``10.0.0.0/24``."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = tuple(ipaddress.ip_network(network) for network in networks)

    def trusts(self, address: str | None) -> bool:
        """Whether that is the address of one."""
        try:
            return self._holds(_address(address or ""))
        except BadForwarded:
            return False

    def read(self, request: web.Request) -> Asked | None:
        """For whom a trusted proxy asks; ``None`` where it speaks for itself. Ask only of requests from
        one that :meth:`trusts`. Raises :class:`BadForwarded`."""
        if not is_forwarded(request):
            return None
        plain = any(name in request.headers for name in (FOR, PROTO, HOST))
        if plain and STANDARD in request.headers:
            raise BadForwarded("it sends both Forwarded and X-Forwarded-…; have it drop the one it does not write")
        hop = self._client(_plain_hops(request) if plain else _standard_hops(request))
        if hop.proto is None:
            raise BadForwarded(f"it does not say whether it was asked over HTTPS; have it set {PROTO}")
        host = request.headers.get(hdrs.HOST, "") if hop.host is None else hop.host
        if not _HOST.fullmatch(host):
            raise BadForwarded("it does not say under which name it was asked; have it set Host or X-Forwarded-Host")
        return Asked(str(_address(hop.client)), host.lower(), hop.proto.lower() == "https", forwarded=True)

    def _client(self, hops: list[_Hop]) -> _Hop:
        """The hop of the nearest address that is no proxy of ours; the farthest where all are."""
        for hop in reversed(hops):
            if not self._holds(_address(hop.client)):
                return hop
        return hops[0]

    def _holds(self, address: Address) -> bool:
        return any(address.version == network.version and address in network for network in self._networks)


def is_forwarded(request: web.Request) -> bool:
    """Whether a proxy, or somebody who plays one, says for whom it asks."""
    return any(name in request.headers for name in HEADERS)


def _plain_hops(request: web.Request) -> list[_Hop]:
    """``X-Forwarded-For`` grows from proxy to proxy; protocol and host are said once, by the outermost."""
    addresses = [part.strip() for line in request.headers.getall(FOR, ()) for part in line.split(",")]
    if not any(addresses):
        raise BadForwarded(f"it does not say for whom it asks; have it set {FOR}")
    once = [_once(request, name) for name in (PROTO, HOST)]
    return [_Hop(address, *once) for address in addresses]


def _once(request: web.Request, name: str) -> str | None:
    said = [part.strip() for line in request.headers.getall(name, ()) for part in line.split(",")]
    if len(said) > 1:
        raise BadForwarded(f"it says {name} more than once; have it set that header, not add to it")
    return said[0] if said else None


def _standard_hops(request: web.Request) -> list[_Hop]:
    """``Forwarded``: each proxy adds an element of its own, with all it says."""
    hops: list[_Hop] = []
    for element in _elements(", ".join(request.headers.getall(STANDARD))):
        if "for" not in element:
            raise BadForwarded("its header Forwarded does not say for whom it asks")
        hops.append(_Hop(element["for"], element.get("proto"), element.get("host")))
    return hops


def _elements(text: str) -> Iterator[dict[str, str]]:
    """The elements of a ``Forwarded`` header (RFC 7239 §4), names in lower case."""
    element: dict[str, str] = {}
    at = 0
    while True:
        pair = _PAIR.match(text, at)
        if pair is None or (name := pair[1].lower()) in element:
            raise BadForwarded("its header Forwarded cannot be read (RFC 7239)")
        element[name] = pair[3] if pair[2] is None else re.sub(r"\\(.)", r"\1", pair[2])
        at = pair.end()
        if at == len(text) or text[at] == ",":
            yield element
            element = {}
        elif text[at] != ";":
            raise BadForwarded("its header Forwarded cannot be read (RFC 7239)")
        if at == len(text):
            return
        at += 1


def _address(text: str) -> Address:
    """An address, with or without a port; IPv4 in IPv6 is IPv4. Raises :class:`BadForwarded`."""
    port = _WITH_PORT.fullmatch(text)
    try:
        address = ipaddress.ip_address((port[1] or port[2]) if port else text)
    except ValueError:
        raise BadForwarded("it does not say by an IP address for whom it asks") from None
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            raise BadForwarded("it does not say by an IP address for whom it asks")
        return address.ipv4_mapped or address
    return address
