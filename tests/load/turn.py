"""A live session through a TURN server, where nothing else lets video through.

    sudo python -m tests.load.turn [--seconds 10] [--way tcp|tls] [--json]

Browser and server are in network namespaces of their own (Linux, root) in which all UDP is prohibited; both reach a
third, where Debian's `coturn` listens, over TCP or TLS. Whom the certificate of the TURN server is trusted by: the
server has its authority in ``SSL_CERT_FILE``, the browser by a flag. Times are the page's.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import hashlib
import ipaddress
import json
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization

from pipeline.metrics import percentile
from server.certificates import Names, make_authority, make_server_certificate
from tests.load.namespaces import ip
from tests.load.two_sides import SERVER, Sides, no_sides, two_sides
from tests.load.visits import visiting
from tests.load.wire import Condition

PROGRAM = "turnserver"
ADDRESS = "10.77.9.1"  # by which both sides know the TURN server
WAYS = {"tcp": f"turn:{ADDRESS}:3478?transport=tcp", "tls": f"turns:{ADDRESS}:5349?transport=tcp"}
USER = "visavis"
READ = """async () => ({first: window.visavis.firstResultAt - window.visavis.startedAt, now: performance.now(),
  fallback: window.visavis.fallback, route: (await window.visavis.sent()).route,
  ages: window.visavis.results.filter((r) => r.captured !== null).map((r) => [r.arrived, r.arrived - r.captured])})"""


@dataclass(frozen=True, slots=True)
class Relayed:
    """What one visit gave: ms from the press of the button to the first result of any kind, seconds until WebRTC was
    there, results a second then, and ms from capture to result."""

    way: str
    first: float
    webrtc: float
    rate: float
    p50: float
    p95: float


def no_turn() -> str | None:
    """Why there can be no TURN server here."""
    if why := no_sides():
        return why
    return None if shutil.which(PROGRAM) else "coturn is not installed; on Debian: apt-get install coturn"


@dataclass(frozen=True, slots=True)
class TurnServer:
    """``authority`` is the file of who vouches for it, ``pin`` the hash of its key as Chromium wants it."""

    password: str
    authority: Path
    pin: str


@contextlib.contextmanager
def turn_server(sides: Sides, folder: Path) -> Iterator[TurnServer]:
    """A TURN server in a namespace that both sides reach."""
    space = f"{sides.spaces['server']}-turn"
    ip("netns", "add", space)
    try:
        for number, side in enumerate(sides.spaces.values(), 10):
            ip("-n", side, "link", "add", "turn", "type", "veth", "peer", "name", f"side{number}", "netns", space)
            for where, name, last in ((side, "turn", 2), (space, f"side{number}", 1)):
                ip("-n", where, "addr", "add", f"10.77.{number}.{last}/24", "dev", name)
                ip("-n", where, "link", "set", name, "up")
            ip("-n", side, "route", "add", ADDRESS, "via", f"10.77.{number}.1")
        ip("-n", space, "link", "set", "lo", "up")
        ip("-n", space, "addr", "add", f"{ADDRESS}/32", "dev", "lo")
        # What it is asked to send to private addresses vanishes, as on the Internet, and is no error.
        ip("-n", space, "route", "add", "default", "via", "10.77.10.2")
        with _coturn(space, folder) as turn:
            yield turn
    finally:
        subprocess.run(["ip", "netns", "del", space], check=False, capture_output=True)


@contextlib.contextmanager
def _coturn(space: str, folder: Path) -> Iterator[TurnServer]:
    names = Names((), (ipaddress.ip_address(ADDRESS),))
    authority = make_authority(Names(("turn.internal",), ()), datetime.now(UTC))
    certificate, key = make_server_certificate(authority, names, datetime.now(UTC))
    trusted, chain, secret = folder / "authority.pem", folder / "turn.pem", folder / "turn.key"
    trusted.write_bytes(authority.pem)
    chain.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + authority.pem)
    plain = serialization.NoEncryption()
    secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    public = key.public_key().public_bytes(serialization.Encoding.DER, form)
    password = secrets.token_urlsafe(16)
    flags = ["-n", "--listening-ip", ADDRESS, "--relay-ip", ADDRESS, "--no-cli", "--no-udp", "--no-dtls"]
    flags += ["--lt-cred-mech", "--user", f"{USER}:{password}", "--realm", "visavis", "--fingerprint"]
    flags += ["--cert", str(chain), "--pkey", str(secret), "--userdb", str(folder / "turn.db")]
    flags += ["--pidfile", str(folder / "turn.pid"), "--log-file", "stdout"]
    with (folder / "turn.log").open("w") as log:
        command = ["ip", "netns", "exec", space, PROGRAM, *flags]
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        _wait_until_it_listens(space)
        yield TurnServer(password, trusted, base64.b64encode(hashlib.sha256(public).digest()).decode())
    finally:
        process.terminate()
        process.wait(10)


def _wait_until_it_listens(space: str) -> None:
    look = ["ip", "netns", "exec", space, "cat", "/proc/net/tcp"]
    wanted = {f":{port:04X} 00000000:0000 0A" for port in (3478, 5349)}
    for _ in range(200):
        listening = subprocess.run(look, check=True, capture_output=True, text=True).stdout
        if all(port in listening for port in wanted):
            return
        time.sleep(0.05)
    raise TimeoutError("coturn does not listen")


def prohibit_udp(sides: Sides) -> None:
    """On both sides, to anywhere; our rule goes before that of the local addresses."""
    for space in sides.spaces.values():
        ip("-n", space, "rule", "add", "pref", "10", "ipproto", "udp", "prohibit")
        ip("-n", space, "rule", "add", "pref", "20", "table", "local")
        ip("-n", space, "rule", "del", "pref", "0")


def measure(way: str, seconds: float) -> Relayed:
    """A page for so long after WebRTC connected. Raises ``TimeoutError`` where it does not."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with two_sides(folder) as sides:
            sides.impair(Condition())
            with turn_server(sides, folder) as turn:
                prohibit_udp(sides)
                return _visit(sides, turn, folder, way, seconds)


def _visit(sides: Sides, turn: TurnServer, folder: Path, way: str, seconds: float) -> Relayed:
    flags = ("--ice-servers", WAYS[way], "--turn-username", USER)
    environ = {"VISAVIS_TURN_PASSWORD": turn.password, "SSL_CERT_FILE": str(turn.authority)}
    pin = (f"--ignore-certificate-errors-spki-list={turn.pin}",)
    with visiting(sides, folder, SERVER, *flags, environ=environ, browser_flags=pin) as page:
        page.click("#start")
        relayed = _when_relayed(page)
        page.wait_for_timeout(2000)
        began = page.evaluate("() => performance.now()")
        page.wait_for_timeout(1000 * seconds)
        read = page.evaluate(READ)
    if read["fallback"] or read["route"] != "relay":
        raise RuntimeError(f"not through the TURN server: {read['route']}, fallback {read['fallback']}")
    ages = [age for arrived, age in read["ages"] if arrived > began]
    return Relayed(
        way,
        round(read["first"]),
        round(relayed / 1000, 1),
        round(len(ages) / (read["now"] - began) * 1000, 1),
        round(percentile(ages, 50), 1),
        round(percentile(ages, 95), 1),
    )


def _when_relayed(page: Any) -> float:
    """Milliseconds from the press of the button until pictures go through the TURN server."""
    read = "async () => [performance.now() - window.visavis.startedAt, (await window.visavis.sent()).route]"
    while True:
        since, route = page.evaluate(read)
        if route == "relay":
            return float(since)
        if since > 30_000:
            raise TimeoutError(f"no video came through the TURN server; the way is {route}")
        page.wait_for_timeout(50)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--way", choices=[*WAYS], action="append")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    if why := no_turn():
        sys.exit(why)
    found = [measure(way, asked.seconds) for way in asked.way or WAYS]
    if asked.json:
        print(json.dumps([asdict(one) for one in found]))
        return
    print(f"{'way':4} {'first ms':>9} {'WebRTC s':>9} {'results/s':>10} {'p50 ms':>7} {'p95 ms':>7}")
    for one in found:
        print(f"{one.way:4} {one.first:9.0f} {one.webrtc:9.1f} {one.rate:10.1f} {one.p50:7.1f} {one.p95:7.1f}")


if __name__ == "__main__":
    main()
