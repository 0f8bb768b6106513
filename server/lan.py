"""The local network: by which addresses and names other devices reach this computer, and when that changes."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

import ifaddr

logger = logging.getLogger(__name__)

Address = IPv4Address | IPv6Address

WATCH_INTERVAL = 10.0  # seconds between looks at the interfaces
_ELSEWHERE = (
    ("192.0.2.1", socket.AF_INET),
    ("2001:db8::1", socket.AF_INET6),
)  # documentation addresses (RFC 5737, RFC 3849)


@dataclass(frozen=True, slots=True)
class Change:
    """What differs between two looks at the addresses."""

    added: tuple[Address, ...]
    removed: tuple[Address, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed)


def diff(before: Iterable[Address], after: Iterable[Address]) -> Change:
    """Addresses that came and that went, each in the order of their list."""
    before, after = tuple(before), tuple(after)
    return Change(
        tuple(address for address in after if address not in before),
        tuple(address for address in before if address not in after),
    )


def reachable(text: str) -> Address | None:
    """The address if another device on the network can use it: not loopback, link-local, multicast or unspecified."""
    address = ipaddress.ip_address(text)
    if address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified:
        return None
    return address


def in_order(addresses: Iterable[Address], preferred: Iterable[Address]) -> tuple[Address, ...]:
    """Without repeats; IPv4 first (a person can type it), in each family the addresses of the default route first."""
    first = tuple(preferred)
    return tuple(sorted(set(addresses), key=lambda a: (a.version, a not in first, int(a))))


def addresses() -> tuple[Address, ...]:
    """The addresses other devices can reach this computer by, the likeliest first."""
    texts = [ip.ip if ip.is_IPv4 else ip.ip[0] for adapter in ifaddr.get_adapters() for ip in adapter.ips]
    found = (reachable(str(text)) for text in texts)
    return in_order((address for address in found if address is not None), _default_route())


def _default_route() -> list[Address]:
    """Our addresses on the way to the outside. Connecting a datagram socket only asks the routing table."""
    found: list[Address] = []
    for there, family in _ELSEWHERE:
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((there, 9))
            found.append(ipaddress.ip_address(probe.getsockname()[0]))
    return found


def host_name() -> str:
    """This computer's name, without a domain, in lower case; ``localhost`` where that is no valid host name."""
    name = socket.gethostname().split(".")[0].lower()
    valid = name.isascii() and 0 < len(name) <= 63 and name.replace("-", "").isalnum() and name.strip("-") == name
    return name if valid else "localhost"


@contextlib.asynccontextmanager
async def watching(
    looked: Callable[[tuple[Address, ...]], Awaitable[None]],
    *,
    read: Callable[[], tuple[Address, ...]] = addresses,
    interval: float = WATCH_INTERVAL,
) -> AsyncIterator[None]:
    """While inside, look at the addresses every ``interval`` seconds and await ``looked`` with them.

    It is called whether or not they differ, for a certificate also ages. What fails is logged; the next look
    tries again.
    """

    async def watch() -> None:
        while True:
            await asyncio.sleep(interval)
            try:
                await looked(await asyncio.to_thread(read))
            except Exception:
                logger.exception("the network addresses could not be followed")

    task = asyncio.create_task(watch(), name="lan addresses")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
