"""Whether video finds its way where addresses are not the usual ones.

    sudo python -m tests.load.addresses [--json]

Browser and server are in network namespaces of their own (Linux, root): with IPv6 alone between them; with a second
interface on each side that leads nowhere and has the default route; and with the server behind a router that
translates addresses, forwards one TCP port and the UDP ports of a range and lets nothing else through. Seconds are
from the press of the button to the first result.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.load.namespaces import ip
from tests.load.two_sides import KERNEL, SERVER, Sides, no_sides, two_sides
from tests.load.visits import visiting
from tests.load.wire import Condition

BROWSER6, SERVER6 = "fd77::2", "fd77::1"
INSIDE, GATEWAY = "172.31.77.2", "172.31.77.1"  # of a server behind a router that is SERVER to the browser
PORT, RANGE = "8443", "41000-41010"
FORWARD = f"""
table ip visavis {{
  chain incoming {{
    type nat hook prerouting priority dstnat;
    iifname "outside" tcp dport {PORT} dnat to {INSIDE}
    iifname "outside" udp dport {RANGE} dnat to {INSIDE}
  }}
  chain through {{
    type filter hook forward priority filter; policy drop;
    ct state established,related accept
    ct status dnat accept
  }}
}}
"""
Prepare = Callable[[Sides], contextlib.AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Found:
    """One visit: over WebRTC or not, and how soon."""

    network: str
    way: str
    first: float
    results: int


@contextlib.contextmanager
def ipv6_alone(sides: Sides) -> Iterator[None]:
    """No IPv4 between the two."""
    for side, address in (("browser", BROWSER6), ("server", SERVER6)):
        ip("-n", sides.spaces[side], "addr", "flush", "dev", KERNEL)
        ip("-n", sides.spaces[side], "addr", "add", f"{address}/64", "dev", KERNEL, "nodad")
    yield


@contextlib.contextmanager
def dead_interfaces(sides: Sides) -> Iterator[None]:
    """A further interface on each side, up, with an address and the default route, at whose end nobody listens."""
    for number, space in enumerate(sides.spaces.values()):
        ip("-n", space, "link", "add", "dead", "type", "veth", "peer", "name", "nobody")
        for end in ("dead", "nobody"):
            ip("-n", space, "link", "set", end, "up")
        ip("-n", space, "addr", "add", f"10.78.{number}.1/24", "dev", "dead")
        ip("-n", space, "route", "add", "default", "via", f"10.78.{number}.254")
    yield


@contextlib.contextmanager
def behind_a_router(sides: Sides) -> Iterator[None]:
    """As in a container whose ports are mapped: from outside, the router's address is the server's."""
    space = f"{sides.spaces['server']}-router"
    browser, server = sides.spaces["browser"], sides.spaces["server"]
    ip("netns", "add", space)
    try:
        ip("-n", browser, "link", "del", KERNEL)
        for side, name, ours, theirs in (
            (browser, "outside", SERVER, "10.77.1.2"),
            (server, "inside", GATEWAY, INSIDE),
        ):
            ip("-n", space, "link", "add", name, "type", "veth", "peer", "name", KERNEL, "netns", side)
            for where, link, address in ((space, name, ours), (side, KERNEL, theirs)):
                ip("-n", where, "addr", "add", f"{address}/24", "dev", link)
                ip("-n", where, "link", "set", link, "up")
        ip("-n", server, "route", "add", "default", "via", GATEWAY)
        inside = ["ip", "netns", "exec", space]
        subprocess.run([*inside, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"], check=True)
        subprocess.run([*inside, "nft", "-f", "-"], input=FORWARD, text=True, check=True)
        yield
    finally:
        subprocess.run(["ip", "netns", "del", space], check=False, capture_output=True)


MAPPED = ("--https-port", PORT, "--udp-ports", RANGE, "--advertised-addresses", SERVER)
NETWORKS: dict[str, tuple[Prepare, str, tuple[str, ...]]] = {
    "IPv6 alone": (ipv6_alone, f"[{SERVER6}]", ()),
    "dead interfaces": (dead_interfaces, SERVER, ()),
    "mapped ports": (behind_a_router, SERVER, MAPPED),
}


def missing(network: str) -> str | None:
    """Why this one cannot be made here."""
    if why := no_sides():
        return why
    if network == "mapped ports" and shutil.which("nft") is None:
        return "a router that translates addresses needs `nft` (on Debian: apt-get install nftables)"
    return None


def measure(network: str, seconds: float = 3.0) -> Found:
    """A page for so long after its first result. Raises :class:`playwright.sync_api.TimeoutError` where none
    comes."""
    prepare, host, flags = NETWORKS[network]
    with tempfile.TemporaryDirectory() as temporary, two_sides(Path(temporary)) as sides:
        sides.impair(Condition())
        with prepare(sides), visiting(sides, Path(temporary), host, *flags) as page:
            page.click("#start")
            page.wait_for_function("() => window.visavis.firstResultAt !== null", timeout=30_000)
            page.wait_for_timeout(1000 * seconds)
            first, results, fallback = page.evaluate(
                "() => [window.visavis.firstResultAt - window.visavis.startedAt, window.visavis.results.length,"
                " window.visavis.fallback]"
            )
    return Found(network, "WebSocket" if fallback else "WebRTC", round(first / 1000, 2), results)


def main() -> None:
    """Print the table; the exit code says whether all went over WebRTC."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = []
    for network in NETWORKS:
        if why := missing(network):
            print(f"{network}: {why}", file=sys.stderr)
        else:
            found.append(measure(network))
    if asked.json:
        print(json.dumps([asdict(one) for one in found]))
    else:
        for one in found:
            print(f"{one.network:16} {one.way:10} first result after {one.first:.2f} s, {one.results} results")
    sys.exit(any(one.way != "WebRTC" for one in found))


if __name__ == "__main__":
    main()
