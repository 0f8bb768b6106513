"""Which encryption DTLS may agree on: that of senders with an RSA certificate too.

aiortc offers ECDSA suites alone, as RFC 8827 §6.5 asks of browsers. GStreamer's webrtcbin (before 1.24) and other
senders that are none answer with an RSA certificate, for which no suite is left: the handshake ends with "no shared
cipher".
"""

from __future__ import annotations

from typing import Any

from aiortc import RTCPeerConnection

CERTIFICATES = "_RTCPeerConnection__certificates"
MAKE_CONTEXT = "_create_ssl_context"
ECDSA = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-SHA",
)
RSA = ("ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-CHACHA20-POLY1305")
SUITES = ":".join((*ECDSA, *RSA)).encode()  # aiortc's, then ours: who had a suite before gets the same


def missing(pc: RTCPeerConnection) -> list[str]:
    """Which private names a connection of this aiortc does not have."""
    certificates = getattr(pc, CERTIFICATES, None)
    if not certificates:
        return [CERTIFICATES]
    return [] if hasattr(certificates[0], MAKE_CONTEXT) else [MAKE_CONTEXT]


def take_rsa_certificates(pc: RTCPeerConnection) -> None:
    """Let the other side of this connection have an RSA certificate. Where a private name is missing, it stays as it
    was."""
    if missing(pc):
        return
    for certificate in getattr(pc, CERTIFICATES):
        _widen(certificate)


def _widen(certificate: Any) -> None:
    make = getattr(certificate, MAKE_CONTEXT)

    def context(*args: Any, **named: Any) -> Any:
        made = make(*args, **named)
        made.set_cipher_list(SUITES)
        return made

    setattr(certificate, MAKE_CONTEXT, context)
