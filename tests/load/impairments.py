"""What a bad moment does to a session: an outage of the network, a pipeline that is too slow.

    python -m tests.load.impairments [--json]

A sender and the server's own receiving side in one process, over loopback, 640×480 at 30 frames a second, first with
the WebRTC library as it comes, then as Visavis tunes it. Ages are from capture, by the sender's clock, to the
pipeline's door.
"""

from __future__ import annotations

import argparse
import asyncio
import fractions
import json
import time
from dataclasses import dataclass, field
from typing import Any

import aioice.ice
import av
import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription, VideoStreamTrack

from server.peer import Peer
from server.received_frame import ReceivedFrame
from server.transport import TransportOptions, install, uninstall
from tests.pictures import camera_frame, group_photo

RATE = 30
SETTLE = 3.0


class MovingPicture(VideoStreamTrack):
    """A camera moving over a photo, in real time."""

    def __init__(self) -> None:
        super().__init__()
        self._pictures = [camera_frame(group_photo(), index)[0] for index in range(60)]
        self._count = 0
        self._began = time.perf_counter()

    async def recv(self) -> av.VideoFrame:
        """The next picture, when it is due."""
        await asyncio.sleep(max(0.0, self._began + self._count / RATE - time.perf_counter()))
        frame = av.VideoFrame.from_ndarray(self._pictures[self._count % 60], "rgb24")
        frame.pts, frame.time_base = self._count * 90_000 // RATE, fractions.Fraction(1, 90_000)
        self._count += 1
        return frame


@dataclass
class Recorder:
    """A handler that only takes note, ``work`` seconds a frame."""

    work: float = 0.0
    frames: list[tuple[float, float | None]] = field(default_factory=list)

    async def on_frame(self, frame: ReceivedFrame) -> None:
        """Note when it came and how old it was, in seconds."""
        now = time.time()
        self.frames.append((now, None if frame.capture is None else now - frame.capture))
        await asyncio.sleep(self.work)

    def on_commands_open(self) -> None:
        """Nothing to do."""

    def on_command(self, raw: str | bytes) -> None:
        """Nothing to do."""

    def on_video_state(self, live: bool) -> None:
        """Nothing to do."""

    async def on_closed(self, reason: str) -> None:
        """Nothing to do."""


class Outage:
    """Swallows incoming media while it lasts: at the socket, where a network would."""

    def __init__(self) -> None:
        self.until = 0.0
        self._receive: Any = aioice.ice.StunProtocol.datagram_received

    def __enter__(self) -> Outage:
        outage, receive = self, self._receive

        def datagram_received(protocol: Any, data: bytes, addr: Any) -> None:
            is_rtp = data[0] > 127 and not 192 <= data[1] <= 223
            if not (is_rtp and time.time() < outage.until):
                receive(protocol, data, addr)

        aioice.ice.StunProtocol.datagram_received = datagram_received  # type: ignore[method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        aioice.ice.StunProtocol.datagram_received = self._receive  # type: ignore[method-assign]


async def run(options: TransportOptions, recorder: Recorder, outage: Outage | None, seconds: float) -> float:
    """Send for that long, with a second's outage in the middle if there is one; returns when packets came again."""
    install(options)
    sender = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    sender.addTrack(MovingPicture())
    sender.createDataChannel("results")
    await sender.setLocalDescription(await sender.createOffer())
    peer = Peer(options, lambda _: recorder, lambda *_: None)
    answer = await peer.answer(sender.localDescription.sdp)
    await sender.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    await asyncio.sleep(SETTLE)
    recorder.frames.clear()
    back = 0.0
    if outage is not None:
        await asyncio.sleep(1.0)
        outage.until = back = time.time() + 1.0
    await asyncio.sleep(seconds)
    await sender.close()
    await peer.close("done")
    return back


async def measure(name: str, options: TransportOptions) -> dict[str, Any]:
    """Both impairments for one transport; milliseconds."""
    interrupted, slow = Recorder(), Recorder(work=0.05)
    with Outage() as outage:
        back = await run(options, interrupted, outage, 8.0)
    await run(options, slow, None, 20.0)
    after = [(now, age) for now, age in interrupted.frames if now > back]
    # A frame that was on its way when the network came back is not yet the recovery: a stream is.
    steady = next((now for (now, _), (later, _) in zip(after, after[3:], strict=False) if later - now < 0.3), None)
    ages = [age for _, age in after if age is not None]
    behind = [age for _, age in slow.frames if age is not None]
    span = slow.frames[-1][0] - slow.frames[0][0]
    return {
        "transport": name,
        "frames again after [ms]": None if steady is None else round((steady - back) * 1e3),
        "oldest of them [ms]": round(max(ages) * 1e3) if ages else None,
        "slow: frames a second": round((len(slow.frames) - 1) / span, 1),
        "slow: age p50 [ms]": round(float(np.percentile(behind, 50)) * 1e3) if behind else None,
        "slow: age p95 [ms]": round(float(np.percentile(behind, 95)) * 1e3) if behind else None,
        "slow: age at the end [ms]": round(behind[-1] * 1e3) if behind else None,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="An outage of one second, and a pipeline of 50 ms a frame.")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    where = {"bind_addresses": ("127.0.0.1",)}
    stock = TransportOptions(marker_frames=False, early_remb=False, stall_guard=False, **where)  # type: ignore[arg-type]
    rows = [
        asyncio.run(measure("stock, newest frame", stock)),
        asyncio.run(measure("tuned", TransportOptions(**where))),  # type: ignore[arg-type]
    ]
    uninstall()
    if args.json:
        print(json.dumps(rows, indent=1))
        return
    for label in rows[0]:
        print(f"{label:28}" + "".join(f"{row[label]!s:>24}" for row in rows))


if __name__ == "__main__":
    main()
