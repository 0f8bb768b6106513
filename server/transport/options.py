"""Settings of the transport."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IceServer:
    """A STUN or TURN server (RFC 8489, RFC 8656)."""

    urls: tuple[str, ...]
    username: str | None = None
    credential: str | None = None


@dataclass(frozen=True, slots=True)
class TransportOptions:
    """How media is received. Addresses are IP addresses; ports a range with both ends included."""

    marker_frames: bool = True  # a frame is complete on its marker bit
    early_remb: bool = True  # announce the bit rate from the first packets on
    stall_guard: bool = True  # break a stall by a key frame
    early_remb_bps: int = 2_000_000
    ice_servers: tuple[IceServer, ...] = ()
    udp_ports: tuple[int, int] | None = None
    bind_addresses: tuple[str, ...] = ()  # none: every address but loopback
    loopback: bool = True  # 127.0.0.1 too, for a browser on this machine
    advertised_addresses: tuple[str, ...] = ()  # told to the browser instead of the bound ones
    consent_interval: float = 1.0  # seconds between two checks that the peer is there (RFC 7675) …
    consent_failures: int = 4  # … and how many may fail
