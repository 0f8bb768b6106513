"""A server of another design: it draws boxes and names into the video and sends that back.

    python -m tests.load.designs.draw_and_return CLIP…

WebRTC both ways, with this server's way of receiving and its pipeline. The newest frame is worked on, so that nothing
piles up; the whole of its result is drawn with OpenCV, and aiortc encodes the picture (VP8).
"""

from __future__ import annotations

import asyncio
import sys
from fractions import Fraction
from typing import Any

import av
import cv2
import numpy as np
from aiohttp import web
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from numpy.typing import NDArray

from pipeline.frame_pipeline import FramePipeline
from pipeline.results import FrameResult
from server.recognition_track import RecognitionTrack
from server.transport import CLOCK_RATE, TransportOptions, install, tune_receiver
from tests.load.designs.recognising import Recogniser, clip_folders, recognise, serve
from tests.load.peers.video import Clip

COLOUR = (60, 220, 60)


class Drawn(MediaStreamTrack):
    """The video as it came, with boxes and names."""

    kind = "video"

    def __init__(self, source: RecognitionTrack, recogniser: Recogniser) -> None:
        super().__init__()
        self._source = source
        self._executor = recogniser.executor
        self._pipeline = recogniser.pipeline()

    async def recv(self) -> av.VideoFrame:
        """The next picture, recognised and drawn. Raises ``MediaStreamError`` at the end."""
        received = await self._source.newest()
        loop = asyncio.get_running_loop()
        frame = await loop.run_in_executor(self._executor, _answer, self._pipeline, received.frame, received.time)
        frame.pts, frame.time_base = round(received.time * CLOCK_RATE), Fraction(1, CLOCK_RATE)
        return frame


def _answer(pipeline: FramePipeline, picture: av.VideoFrame, time: float) -> av.VideoFrame:
    result = recognise(pipeline, picture, time)
    return av.VideoFrame.from_ndarray(draw(np.asarray(picture.to_ndarray(format="bgr24"), np.uint8), result), "bgr24")


def draw(image: NDArray[np.uint8], result: FrameResult) -> NDArray[np.uint8]:
    """Boxes and names, in place."""
    for face in result.faces:
        x, y, w, h = (round(float(part)) for part in face.box)
        cv2.rectangle(image, (x, y), (x + w, y + h), COLOUR, 2)
        name = face.name or face.identity.value
        cv2.putText(image, name, (x, max(16, y - 6)), cv2.FONT_HERSHEY_SIMPLEX, 0.6, COLOUR, 2)
    return image


class Returning:
    """The route that takes offers."""

    def __init__(self, recogniser: Recogniser, options: TransportOptions) -> None:
        self._recogniser = recogniser
        self._options = options
        self._there: set[RTCPeerConnection] = set()

    async def offer(self, request: web.Request) -> web.Response:
        """Answer an SDP offer."""
        pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._there.add(pc)

        def on_track(track: MediaStreamTrack) -> None:
            receiver = next(t.receiver for t in pc.getTransceivers() if t.receiver.track is track)
            clock = tune_receiver(receiver, self._options)
            pc.addTrack(Drawn(RecognitionTrack(track, clock), self._recogniser))

        async def on_state() -> None:
            if pc.connectionState in ("failed", "closed"):
                self._there.discard(pc)
                await pc.close()

        pc.on("track", on_track)
        pc.on("connectionstatechange", on_state)
        await pc.setRemoteDescription(RTCSessionDescription(await request.text(), "offer"))
        await pc.setLocalDescription(await pc.createAnswer())
        return web.Response(text=pc.localDescription.sdp, status=201, content_type="application/sdp")

    async def end(self, _app: Any) -> None:
        """End all."""
        await asyncio.gather(*(pc.close() for pc in tuple(self._there)))


def main() -> None:
    """Serve until told to end."""
    options = TransportOptions()
    install(options)
    returning = Returning(Recogniser([Clip(folder, 1) for folder in clip_folders(sys.argv[1:])]), options)
    app = web.Application()
    app.router.add_post("/offer", returning.offer)
    app.on_shutdown.append(returning.end)
    serve(app)


if __name__ == "__main__":
    main()
