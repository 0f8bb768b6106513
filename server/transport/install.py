"""Checks that the private names exist in the versions we know, and puts our ICE connection in place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, cast

import aioice.ice
import aiortc.rtcicetransport
from aiortc import RTCConfiguration, RTCDtlsTransport, RTCPeerConnection, RTCRtpReceiver, RTCRtpSender

from server.transport import ciphers
from server.transport import receiver as tuned
from server.transport.ice import BoundConnection
from server.transport.options import TransportOptions
from server.transport.sender import PACKING, RELAY_NAMES

KNOWN = {"aiortc": "1.16", "aioice": "0.13"}
CONNECTION = "Connection"
STOCK_CONNECTION = aioice.ice.Connection
STOCK_CONSENT = (aioice.ice.CONSENT_INTERVAL, aioice.ice.CONSENT_FAILURES)


@dataclass(frozen=True, slots=True)
class Feature:
    """One difference from the stock libraries: on, or off and why."""

    name: str
    on: bool
    why: str


@dataclass(frozen=True, slots=True)
class TransportReport:
    """What is on, and which versions were found."""

    features: tuple[Feature, ...]
    versions: dict[str, str]

    @property
    def remarks(self) -> list[str]:
        """One line for everything a person should know; none if all is as it should be."""
        lines = [
            f"{name} {found} is not the version this was made for ({KNOWN[name]}); checked name by name"
            for name, found in self.versions.items()
            if not found.startswith(KNOWN[name] + ".")
        ]
        return lines + [f"{f.name} is off: {f.why}" for f in self.features if not f.on]


def install(options: TransportOptions) -> TransportReport:
    """Put ``options`` in force for all peers made from now on; may be called again with others."""
    receiver = RTCRtpReceiver("video", cast(RTCDtlsTransport, _Nowhere()))
    features = [
        _feature("frames complete on the marker bit", options.marker_frames, receiver, tuned.BUFFER_NAMES),
        _feature("stall guard", options.stall_guard, receiver, tuned.GUARD_NAMES),
        _feature("early bit rate", options.early_remb, receiver, tuned.BITRATE_NAMES),
        _feature("capture time", True, receiver, tuned.CLOCK_NAMES),
        _relay(),
        _rsa(),
        _bind(options),
        _consent(options),
    ]
    return TransportReport(tuple(features), {name: version(name) for name in KNOWN})


def uninstall() -> None:
    """Back to the stock libraries, for side-by-side measurements."""
    setattr(aiortc.rtcicetransport, CONNECTION, STOCK_CONNECTION)
    aioice.ice.CONSENT_INTERVAL, aioice.ice.CONSENT_FAILURES = STOCK_CONSENT


class _Nowhere:
    """As much of a transport as a receiver looks at before it receives."""

    state = "new"


def _feature(name: str, wanted: bool, receiver: RTCRtpReceiver, needed: Iterable[str]) -> Feature:
    if not wanted:
        return Feature(name, False, "switched off by a setting")
    if gone := tuned.missing(receiver, needed):
        return Feature(name, False, f"this aiortc has no {', '.join(gone)}")
    return Feature(name, True, "")


def _relay() -> Feature:
    name = "quick sending to viewers"
    # One made for the purpose would open an event loop where none runs.
    there = {*vars(RTCRtpSender), *RTCRtpSender.__init__.__code__.co_names}
    gone = [attribute for attribute in RELAY_NAMES if attribute not in there]
    gone += [f"{owner.__name__}.{attribute}" for owner, attribute in PACKING if not hasattr(owner, attribute)]
    return Feature(name, not gone, f"this aiortc has no {', '.join(gone)}" if gone else "")


def _rsa() -> Feature:
    name = "senders with an RSA certificate"
    gone = ciphers.missing(RTCPeerConnection(RTCConfiguration(iceServers=[])))
    return Feature(name, not gone, f"this aiortc has no {', '.join(gone)}" if gone else "")


def _bind(options: TransportOptions) -> Feature:
    name = "choice of addresses and ports"
    needed: tuple[tuple[Any, str], ...] = (
        (aioice.ice.Connection, "get_component_candidates"),
        (aioice.ice.Connection, "data_received"),
        (aioice.ice, "StunProtocol"),
        (aioice.ice, "server_reflexive_candidate"),
        (aiortc.rtcicetransport, CONNECTION),
    )
    missing = [attribute for owner, attribute in needed if not hasattr(owner, attribute)]
    if missing:
        return Feature(name, False, f"this aioice has no {', '.join(missing)}")
    bound = type("BoundConnection", (BoundConnection,), {"options": options})
    setattr(aiortc.rtcicetransport, CONNECTION, bound)
    return Feature(name, True, "")


def _consent(options: TransportOptions) -> Feature:
    name = "early notice of a dead peer"
    if not (hasattr(aioice.ice, "CONSENT_INTERVAL") and hasattr(aioice.ice, "CONSENT_FAILURES")):
        return Feature(name, False, "this aioice has no CONSENT_INTERVAL")
    aioice.ice.CONSENT_INTERVAL = options.consent_interval  # type: ignore[assignment]
    aioice.ice.CONSENT_FAILURES = options.consent_failures
    return Feature(name, True, "")
