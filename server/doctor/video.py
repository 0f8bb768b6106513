"""The way of the video: which addresses browsers are told, whether UDP flows between them, and who helps."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import re
import time
from collections.abc import Awaitable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from server.doctor.finding import Finding, Patient
from server.negotiation import Negotiation
from server.transport import TransportOptions, install
from server.transport_options import transport_options

GATHER_SECONDS, CONNECT_SECONDS = 12.0, 5.0
_CANDIDATE = re.compile(r"^a=candidate:\S+ \d+ \S+ \d+ (\S+) (\d+) typ (\w+)", re.MULTILINE)
T = TypeVar("T")
Candidates = dict[str, list[str]]


def video(patient: Patient) -> Iterator[Finding]:
    """Connects for real, on this computer."""
    options = transport_options(patient.settings)
    for remark in install(options).remarks:
        yield Finding("transport", "worth a look", remark, "pip install --upgrade --force-reinstall visavis")
    try:
        found = asyncio.run(_within(GATHER_SECONDS, gather(options)))
    except (TimeoutError, ConnectionError, OSError) as error:
        words = str(error) or f"the addresses were not found within {GATHER_SECONDS:g} seconds"
        yield Finding(
            "addresses", "broken", words, "visavis settings, and look at bind_addresses, udp_ports and ice_servers"
        )
        return
    yield addresses(found.get("host", []), options, in_container())
    yield from helpers(found, options)
    yield flow(options)


async def gather(options: TransportOptions) -> Candidates:
    """The addresses that an offer of ours would have, by the kind of candidate."""
    pc = Negotiation(options).pc
    try:
        pc.createDataChannel("doctor")
        await pc.setLocalDescription(await pc.createOffer())
        found: Candidates = {}
        for address, _, kind in _CANDIDATE.findall(pc.localDescription.sdp):
            found.setdefault(kind, []).append(address)
        return found
    finally:
        await pc.close()


def addresses(hosts: list[str], options: TransportOptions, container: bool) -> Finding:
    """Who can reach them."""
    told = list(options.advertised_addresses or dict.fromkeys(hosts))
    kinds = [(text, _kind(text)) for text in told]
    said = ", ".join(f"{text} ({kind})" for text, kind in kinds)
    reach = {kind for _, kind in kinds} - {"loopback", "link-local"}
    if options.advertised_addresses:
        if not reach:
            cure = "visavis --advertised-addresses ADDRESS, the one that browsers open this server by"
            return Finding("addresses", "broken", f"told instead of this computer's: {said}", cure)
        return Finding("addresses", "good", f"told instead of this computer's: {said}")
    if container:
        cure = "VISAVIS_ADVERTISED_ADDRESSES=ADDRESS, the computer's that the container runs on"
        return Finding(
            "addresses", "worth a look", f"{said}: a container's, which browsers outside of it cannot reach", cure
        )
    if not reach:
        words = f"{said or 'none'}: video of this computer alone can come in"
        return Finding("addresses", "worth a look", words, "join a network, or visavis --bind-addresses ADDRESS")
    return Finding("addresses", "good", said)


def _kind(text: str) -> str:
    address = ipaddress.ip_address(text)
    if address.is_loopback:
        return "loopback"
    if address.is_link_local:
        return "link-local"
    return "public" if address.is_global else "private"


def in_container(root: Path = Path("/")) -> bool:
    """Whether this process lives in a container: as Docker, Podman and Kubernetes mark theirs."""
    marks = ((root / name).exists() for name in (".dockerenv", "run/.containerenv"))
    return any(marks) or "KUBERNETES_SERVICE_HOST" in os.environ


def helpers(found: Candidates, options: TransportOptions) -> Iterator[Finding]:
    """The STUN and the TURN server, where the settings name one."""
    for server in options.ice_servers:
        url = server.urls[0]
        kind, gives = ("TURN", "relay") if url.startswith("turn") else ("STUN", "srflx")
        if given := found.get(gives):
            yield Finding(kind, "good", f"{url} answers: {', '.join(dict.fromkeys(given))}")
            continue
        why = "it does not answer within five seconds"
        cure = f"look at ice_servers, and at the firewall before {url}; or leave it out: --ice-servers ''"
        if kind == "TURN":
            why += ", refuses turn_username or turn_password, or its certificate is not trusted"
        yield Finding(kind, "broken", f"{url} gave no address: {why}", cure)


def flow(options: TransportOptions) -> Finding:
    """A WebRTC connection of this computer with itself, through this configuration."""
    try:
        took = asyncio.run(_within(CONNECT_SECONDS, connect(options)))
    except (TimeoutError, ConnectionError, OSError) as error:
        words = str(error) or f"no WebRTC connection within {CONNECT_SECONDS:g} seconds: UDP does not flow"
        cure = "let UDP through on this computer's own addresses, and look at udp_ports and bind_addresses"
        return Finding("connection", "broken", words, cure)
    return Finding(
        "connection", "good", f"WebRTC connects here within {took * 1000:.0f} ms, and data flow both ways over UDP"
    )


async def connect(options: TransportOptions) -> float:
    """Seconds until a word has come back. Raises ``ConnectionError`` and ``TimeoutError``."""
    began = time.perf_counter()
    ours = Negotiation(replace(options, ice_servers=())).pc
    # The other side takes ports of its own, or a range would have to hold both.
    install(replace(options, udp_ports=None, ice_servers=()))
    theirs = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    heard = asyncio.Event()
    try:
        channel = theirs.createDataChannel("doctor")
        channel.on("open", lambda: channel.send("?"))
        channel.on("message", lambda _: heard.set())
        install(options)
        ours.on("datachannel", lambda there: there.on("message", lambda _: there.send("!")))
        await theirs.setLocalDescription(await theirs.createOffer())
        await ours.setRemoteDescription(RTCSessionDescription(theirs.localDescription.sdp, "offer"))
        await ours.setLocalDescription(await ours.createAnswer())
        await theirs.setRemoteDescription(RTCSessionDescription(ours.localDescription.sdp, "answer"))
        await heard.wait()
        return time.perf_counter() - began
    finally:
        install(options)
        await asyncio.gather(ours.close(), theirs.close())


async def _within(seconds: float, work: Awaitable[T]) -> T:
    async with asyncio.timeout(seconds):
        return await work
