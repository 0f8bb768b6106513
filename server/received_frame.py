"""A decoded frame and where it stands in time."""

from __future__ import annotations

from dataclasses import dataclass

import av


@dataclass(frozen=True, slots=True)
class ReceivedFrame:
    """A decoded frame, as a link hands it to its session.

    ``time`` is media time in seconds from the first frame and never runs backwards; ``rtp`` the timestamp on the wire;
    ``capture`` the sender's wall clock and ``received`` the server's when the last packet came, in seconds since 1970.
    ``decode_ms`` runs from the last packet to the decoded frame, ``queue_ms`` from there until the frame was taken.
    ``skipped`` frames were dropped since the previous one because a newer one was there.
    """

    frame: av.VideoFrame
    time: float
    rtp: int | None
    capture: float | None
    received: float | None
    queue_ms: float
    decode_ms: float
    skipped: int
