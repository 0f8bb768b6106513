"""A server of another design: each picture comes as a JPEG over a WebSocket, and its result goes back as JSON.

    python -m tests.load.designs.jpeg_socket CLIP…

Binary messages: the picture's number (32 bits, big-endian), then the JPEG. The same pipeline as this server.
"""

from __future__ import annotations

import asyncio
import json
import struct
import sys
import time

import av
import cv2
import numpy as np
from aiohttp import WSMsgType, web

from pipeline.frame_pipeline import FramePipeline
from tests.load.designs.recognising import Recogniser, as_json, clip_folders, recognise, serve
from tests.load.peers.video import Clip

NUMBER = struct.Struct("!I")


class Pictures:
    """The route of the WebSocket."""

    def __init__(self, recogniser: Recogniser) -> None:
        self._recogniser = recogniser

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        """One session: a picture after the other."""
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        pipeline, loop, began = self._recogniser.pipeline(), asyncio.get_running_loop(), time.perf_counter()
        async for message in socket:
            if message.type is WSMsgType.BINARY:
                now = time.perf_counter() - began
                text = await loop.run_in_executor(self._recogniser.executor, _answer, pipeline, message.data, now)
                await socket.send_str(text)
        return socket


def _answer(pipeline: FramePipeline, data: bytes, now: float) -> str:
    (number,) = NUMBER.unpack_from(data)
    picture = cv2.imdecode(np.frombuffer(data, np.uint8, offset=NUMBER.size), cv2.IMREAD_COLOR)
    frame = av.VideoFrame.from_ndarray(np.asarray(picture, np.uint8), "bgr24")
    return json.dumps(as_json(number, recognise(pipeline, frame, now)), separators=(",", ":"))


def main() -> None:
    """Serve until told to end."""
    pictures = Pictures(Recogniser([Clip(folder, 1) for folder in clip_folders(sys.argv[1:])]))
    app = web.Application()
    app.router.add_get("/socket", pictures.socket)
    serve(app)


if __name__ == "__main__":
    main()
