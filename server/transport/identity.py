"""Why a connection was not encrypted: DTLS vouches for the other side by the certificate named in its description.

aiortc compares the certificate that the handshake brought with every fingerprint it knows how to compute (RFC 8827 §5,
RFC 8122 §5), and lets the connection fail where one differs; it says so in its debug log alone.
"""

from __future__ import annotations

from typing import Any

from aiortc import RTCPeerConnection

OTHER_CERTIFICATE = "certificate is not the one described"
NOT_ENCRYPTED = "no encryption in common"
CONNECTION = "_ssl"


def why_not_encrypted(pc: RTCPeerConnection) -> str | None:
    """The reason, or ``None`` where it was not the encryption that failed."""
    for transport in _transports(pc):
        if transport.state == "failed":
            return OTHER_CERTIFICATE if _came_with_certificate(transport) else NOT_ENCRYPTED
    return None


def _transports(pc: RTCPeerConnection) -> list[Any]:
    found = [transceiver.receiver.transport for transceiver in pc.getTransceivers()]
    return [*found, pc.sctp.transport] if pc.sctp is not None else found


def _came_with_certificate(transport: Any) -> bool:
    """Whether the handshake was through: it was then the certificate that did not do, or nothing keyed the media."""
    connection = getattr(transport, CONNECTION, None)
    if connection is None or connection.get_peer_certificate() is None:
        return False
    return bool(connection.get_selected_srtp_profile())
