"""Which addresses count as one."""

from __future__ import annotations

import ipaddress

from aiohttp import web

from server.asked import asked


def household(address: str) -> str:
    """An IPv6 device picks addresses freely within its /64: those count as one."""
    ip = ipaddress.ip_address(address.split("%")[0])
    return str(ip) if ip.version == 4 else str(ipaddress.ip_network((ip, 64), strict=False))


def household_of(request: web.Request) -> str:
    """Where a request comes from."""
    return household(asked(request).address)
