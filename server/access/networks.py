"""Whether an address is in one of some networks."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection


def within(address: str | None, networks: Collection[str]) -> bool:
    """Whether an address is in one of these networks; an IPv4 address that comes as IPv6 counts as what it is."""
    if address is None or not networks:
        return False
    found = ipaddress.ip_address(address.split("%")[0])
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in ipaddress.ip_network(network) for network in networks)
