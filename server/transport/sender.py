"""Tunes one of aiortc's senders for pictures that come encoded, and knows by which timestamps they left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiortc import RTCRtpSender

RTP_TIMESTAMP = "_RTCRtpSender__rtp_timestamp"
KEY_FRAME = "_send_keyframe"

RELAY_NAMES = (RTP_TIMESTAMP, KEY_FRAME)


def tune_sender(sender: RTCRtpSender, want_key: Callable[[], None]) -> None:
    """Ask the source for a key frame where the receiver wants one (PLI, FIR): there is no encoder here that could make
    it. Without the private name, a receiver that lost its picture waits for the next key frame that comes by itself."""
    if hasattr(sender, KEY_FRAME):
        setattr(sender, KEY_FRAME, want_key)


def sent_timestamp(sender: RTCRtpSender) -> int | None:
    """The RTP timestamp of the newest packet that left, or ``None`` where this aiortc does not tell."""
    found: Any = getattr(sender, RTP_TIMESTAMP, None)
    return found if isinstance(found, int) else None
