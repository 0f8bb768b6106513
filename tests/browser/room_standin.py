"""Rooms without recognition: the routes of docs/rooms.md answered as a test wants them, and cameras that send a real,
moving picture over WebRTC, with results for each of its frames.

For what a whole server reaches only by luck: refusals, states of cameras, roles, a stream that breaks off.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import av
import cv2
import numpy as np
from aiohttp import web
from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription, VideoStreamTrack

from server.app import static_folder
from server.join import qr_svg
from server.problems import problem
from server.security import HEADERS
from tests.pictures import group_photo
from tests.serving import in_thread, on_free_port

RATE = 15
STEP = 90_000 // RATE
FACES = [(60, 266, 106, 123), (273, 153, 97, 114), (463, 270, 107, 144), (745, 348, 101, 132), (902, 60, 107, 140),
         (1134, 272, 90, 126)]  # of the photo, in its pixels, from left to right  # fmt: skip
IDENTITIES = {
    "Ada": {"identity": "known", "person": "a" * 32, "name": "Ada", "probability": 0.98},
    "Bob": {"identity": "uncertain", "person": "b" * 32, "name": "Bob", "probability": 0.7},
    "?": {"identity": "unknown", "person": None, "name": None, "probability": None},
}


@dataclass
class Camera:
    """What a camera shows: the photo's faces ``first`` … ``first + len(who) - 1``, called so."""

    name: str | None
    first: int
    who: tuple[str, ...]
    size: tuple[int, int] = (640, 480)
    refusal: tuple[int, str, dict[str, str]] | None = None
    offset: int = 123_456
    """Of its own timestamps and those on the wire; ``clock`` tells it."""
    clocks: bool = True
    channels: set[RTCDataChannel] = field(default_factory=set)

    def picture(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """A frame, and the 2×3 matrix from the photo to it."""
        boxes = np.array(FACES[self.first : self.first + len(self.who)], float)
        left, right = boxes[:, 0].min(), (boxes[:, 0] + boxes[:, 2]).max()
        middle = (boxes[:, 1].min() + (boxes[:, 1] + boxes[:, 3]).max()) / 2
        width, height = self.size
        tall = (boxes[:, 1] + boxes[:, 3]).max() - boxes[:, 1].min()
        scale = min(2.0, 0.75 * width / (right - left), 0.7 * height / tall)
        x = (left + right) / 2 + 0.04 * width / scale * np.sin(2 * np.pi * index / (4 * RATE))
        matrix = np.array([[scale, 0, width / 2 - scale * x], [0, scale, height * 0.45 - scale * middle]])
        return (
            cv2.warpAffine(group_photo(), matrix, self.size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE),
            matrix,
        )

    def faces(self, matrix: np.ndarray) -> list[dict[str, Any]]:
        """Of a frame, as in a result."""
        width, height = self.size
        scale = matrix[0, 0]
        found = []
        for track, (who, (x, y, w, h)) in enumerate(zip(self.who, FACES[self.first :], strict=False), 1):
            left, top = scale * x + matrix[0, 2], scale * y + matrix[1, 2]
            box = [left / width, top / height, scale * w / width, scale * h / height]
            face = {"track": track, "box": box, "state": "confirmed", "quality": None, "age": 0.0, "votes": 3}
            found.append(face | IDENTITIES[who])
        return found


class _Track(VideoStreamTrack):
    """A camera's picture, and its results when a frame goes out."""

    def __init__(self, camera: Camera, sent: Callable[[int, np.ndarray], None]) -> None:
        super().__init__()
        self._camera, self._sent = camera, sent
        self._index = 0
        self._began = time.monotonic()

    async def recv(self) -> av.VideoFrame:
        self._index += 1
        await asyncio.sleep(max(0.0, self._began + self._index / RATE - time.monotonic()))
        picture, matrix = self._camera.picture(self._index)
        frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="yuv420p")
        frame.pts, frame.time_base = self._index * STEP, Fraction(1, 90_000)
        self._sent(frame.pts, matrix)
        return frame


class RoomStandin:
    """One room. Everything public may be changed by a test; :meth:`tell` sends the state anew."""

    def __init__(self) -> None:
        self.name = "kitchen"
        self.role = "host"
        self.by_link = False
        """The host came by an invitation."""
        self.cameras: dict[str, Camera] = {}
        self.states: dict[str, dict[str, Any]] = {}
        self.present: list[dict[str, Any]] = []
        self.invitations: list[dict[str, Any]] = []
        self.sources: list[dict[str, Any]] = []
        self.refusal: tuple[int, str] | None = None
        """Of the room's events."""
        self.lan = True
        self.is_open = True
        self.asked: list[tuple[str, Any]] = []
        self.watching: dict[str, str] = {}
        """Viewers by their number: whom they watch."""
        self.watched: list[str] = []
        """Cameras in the order in which watching them was asked for."""
        self.url = ""
        self._loop: asyncio.AbstractEventLoop
        self._peers: dict[str, RTCPeerConnection] = {}
        self._readers: set[asyncio.Queue[str]] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    # -- what a test does ----------------------------------------------------------------------------------------------

    def add(self, number: str, camera: Camera, **state: Any) -> None:
        """A camera comes."""
        self.cameras[number] = camera
        self.states[number] = {"way": "webrtc", "state": "live", "recognising": True, "guest": False, **state}

    def sees(self, key: str, who: str, *views: tuple[str, int], minutes: float = 1) -> None:
        """Somebody is present, seen by cameras as these tracks."""
        since = datetime.now(UTC) - timedelta(minutes=minutes)
        views_ = [{"camera": camera, "track": track} for camera, track in views]
        self.present.append({"key": key, "since": since.isoformat(), "views": views_} | IDENTITIES[who])

    def tell(self) -> None:
        """Say the state to everybody who listens."""
        self._loop.call_soon_threadsafe(self._tell)

    def say(self, camera: str, **message: Any) -> None:
        """A message to everybody who watches this camera."""
        text = json.dumps({"v": 1, **message})
        for channel in tuple(self.cameras[camera].channels):
            self._loop.call_soon_threadsafe(_send, channel, text)

    def hang_up(self) -> None:
        """Break off every stream of events."""
        for queue in tuple(self._readers):
            self._loop.call_soon_threadsafe(queue.put_nowait, "")

    def close_room(self) -> None:
        """As a host elsewhere would."""
        self.is_open = False
        for queue in tuple(self._readers):
            self._loop.call_soon_threadsafe(queue.put_nowait, "event: closed\ndata: {}\n\n")

    # -- the room ------------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        faces = {number: len(camera.who) for number, camera in self.cameras.items()}
        cameras = [
            {"id": number, "number": at, "name": camera.name, "since": "2026-11-28T10:01:00Z", "width": camera.size[0],
             "height": camera.size[1], "rate": 29.9, "latency_p95_ms": 18.2, "codec": "VP8", "faces": faces[number],
             "viewers": sum(watched == number for watched in self.watching.values()), **self.states[number]}
            for at, (number, camera) in enumerate(self.cameras.items(), 1)
        ]  # fmt: skip
        return {"name": self.name, "opened": "2026-11-28T10:00:00Z", "role": self.role,
                "viewers": len(self._readers), "cameras": cameras, "present": self.present}  # fmt: skip

    def _tell(self) -> None:
        for queue in self._readers:
            queue.put_nowait(self._event())

    def _event(self) -> str:
        return f"event: room\ndata: {json.dumps(self.state())}\n\n"

    async def _events(self, request: web.Request) -> web.StreamResponse:
        if self.refusal is not None:
            return problem(self.refusal[0], "Refused", self.refusal[1])
        if not self.is_open:
            return problem(404, "Not Found", "This room is not open.")
        queue: asyncio.Queue[str] = asyncio.Queue()
        self._readers.add(queue)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", **HEADERS})
        try:
            await response.prepare(request)
            text = self._event()
            while text:
                await response.write(text.encode())
                if text.startswith("event: closed"):
                    break
                text = await queue.get()
        except ConnectionError:
            pass
        finally:
            self._readers.discard(queue)
        return response

    async def _whep(self, request: web.Request) -> web.Response:
        number = request.match_info["id"]
        camera = self.cameras.get(number)
        self.watched.append(number)
        if camera is None:
            return problem(404, "Not Found", "This camera has ended.")
        if camera.refusal is not None:
            status, words, headers = camera.refusal
            return problem(status, "Refused", words, **headers)
        assert request.content_type == "application/sdp"
        viewer = f"viewer-{len(self.watched)}"
        peer = self._peers[viewer] = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.watching[viewer] = number
        channels: list[RTCDataChannel] = []
        counts = {"seq": 0}
        wire: dict[str, int | None] = {"offset": None}

        def sent(pts: int, matrix: np.ndarray) -> None:
            # What was sent last tells by how much the timestamps on the wire differ from the track's own.
            before, seq = getattr(sender, "_RTCRtpSender__rtp_timestamp"), counts["seq"]  # noqa: B009
            if seq and wire["offset"] is None and before:
                wire["offset"] = (before - (pts - STEP)) % 2**32
            counts["seq"] += 1
            now = time.time()
            timing = {"queue": 0.3, "decode": 1.0, "flow": 1.0, "detect": 0.0, "embed": 0.0, "attributes": 0.0,
                      "convert": 0.0, "total": 2.0, "received": now + 0.004, "sent": now + 0.006}  # fmt: skip
            faces = camera.faces(matrix) if self.states[number]["recognising"] else []
            result = {"v": 1, "type": "result", "seq": seq, "rtp": (pts - camera.offset) % 2**32, "capture": now,
                      "width": camera.size[0], "height": camera.size[1], "keyframe": False, "skipped": 0,
                      "timing": timing, "faces": faces}  # fmt: skip
            self._loop.call_later(0.006, lambda: [_send(channel, json.dumps(result)) for channel in channels])
            if camera.clocks and wire["offset"] is not None and seq % RATE == 2:
                clock = {"v": 1, "type": "clock", "offset": (wire["offset"] + camera.offset) % 2**32}
                for channel in channels:
                    _send(channel, json.dumps(clock))

        sender = peer.addTrack(_Track(camera, sent))

        @peer.on("datachannel")
        def _opened(channel: RTCDataChannel) -> None:
            assert (channel.label, channel.ordered, channel.maxRetransmits) == ("results", False, 0)
            channels.append(channel)
            camera.channels.add(channel)
            _send(channel, json.dumps({"v": 1, "type": "hello", "name": camera.name, "recognising": True}))

        await peer.setRemoteDescription(RTCSessionDescription(await request.text(), "offer"))
        await peer.setLocalDescription(await peer.createAnswer())
        headers = {"Location": f"/api/v1/whep/{viewer}", "ETag": '"one"'}
        answer = peer.localDescription.sdp
        return web.Response(status=201, text=answer, content_type="application/sdp", headers=headers)

    async def _trickle(self, request: web.Request) -> web.Response:
        assert request.headers["If-Match"] == '"one"'
        assert request.content_type == "application/trickle-ice-sdpfrag"
        return web.Response(status=204 if request.match_info["viewer"] in self._peers else 404)

    async def _leave(self, request: web.Request) -> web.Response:
        viewer = request.match_info["viewer"]
        peer = self._peers.pop(viewer, None)
        if peer is not None:
            self.cameras_without(self.watching.pop(viewer))
            task = self._loop.create_task(peer.close())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return web.Response(status=200)

    def cameras_without(self, number: str) -> None:
        """Forget channels that are closed."""
        if number in self.cameras:
            self.cameras[number].channels -= {c for c in self.cameras[number].channels if c.readyState != "open"}

    async def _api(self, request: web.Request) -> web.StreamResponse:
        body = await request.json() if request.can_read_body else None
        path = request.path.removeprefix("/api/v1")
        if request.method != "GET":
            self.asked.append((f"{request.method} {path}", body))
        base = f"/rooms/{self.name}"
        match (request.method, path.removeprefix(base) if path.startswith(base) else path):
            case ("GET", "/config"):
                return web.json_response({"iceServers": [], "guest": False, "retention": "Video is never stored."})
            case ("GET", "/rooms") if self.role != "host" or self.by_link:
                return problem(403, "Not by this link", "This link is for hosting in the room kitchen.")
            case ("GET", "/rooms"):
                listed = {"name": self.name, "opened": "2026-11-28T10:00:00Z", "open": True,
                          "cameras": len(self.cameras), "viewers": len(self._readers)}  # fmt: skip
                return web.json_response({"rooms": [listed] if self.is_open else []})
            case ("POST", "/rooms"):
                self.is_open = True
                return web.json_response(self.state(), status=201)
            case ("DELETE", ""):
                self.close_room()
            case ("PATCH", camera) if camera.startswith("/cameras/"):
                number = camera.split("/")[2]
                if "name" in body:
                    self.cameras[number].name = body["name"]
                if "recognising" in body:
                    self.states[number]["recognising"] = body["recognising"]
                self._tell()
                return web.json_response({"id": number})
            case ("DELETE", camera) if camera.startswith("/cameras/"):
                number = camera.split("/")[2]
                for channel in tuple(self.cameras[number].channels):
                    _send(channel, '{"v":1,"type":"bye","reason":"ended"}')
                del self.cameras[number], self.states[number]
                self._tell()
            case ("GET", "/invitations"):
                return web.json_response({"invitations": self.invitations})
            case ("POST", "/invitations"):
                return self._invite(body)
            case ("DELETE", one) if one.startswith("/invitations/"):
                self.invitations = [row for row in self.invitations if row["id"] != one.split("/")[2]]
            case ("GET", "/sources"):
                return web.json_response({"sources": self.sources})
            case ("POST", "/sources"):
                if not body["url"].startswith("rtsp://"):
                    return problem(400, "Bad Request", "This is no address of a camera.")
                source = {"id": f"s{len(self.sources)}", "name": body.get("name"), "url": body["url"]}
                self.sources.append(source | {"state": "connecting", "reason": None, "retry_in": None, "camera": None})
                return web.json_response(self.sources[-1], status=201)
            case ("DELETE", one) if one.startswith("/sources/"):
                self.sources = [row for row in self.sources if row["id"] != one.split("/")[2]]
            case _:
                return problem(404, "Not Found", f"No answer to {request.method} {path}.")
        return web.Response(status=204)

    def _invite(self, body: dict[str, Any]) -> web.Response:
        now = datetime.now(UTC)
        over = now + timedelta(minutes=body["minutes"])
        row = {"id": f"i{len(self.invitations)}", "role": body["role"], "label": body.get("label"), "used": None,
               "devices": body.get("devices"),
               "created": now.isoformat(), "expires": over.isoformat()}  # fmt: skip
        self.invitations.append(row)
        url = "https://testhost:8443/i/correct-horse-battery-staple"
        once = {"url": url, "qr": qr_svg(url), "trust_url": "http://testhost:8080/" if self.lan else None}
        return web.json_response(row | once, status=201)

    # -- serving -------------------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[RoomStandin]:
        self._loop = asyncio.get_running_loop()
        folder = static_folder()

        def document(name: str) -> Callable[[web.Request], Any]:
            async def show(_request: web.Request) -> web.StreamResponse:
                return web.FileResponse(folder / name, headers=HEADERS)

            return show

        async def file(request: web.Request) -> web.StreamResponse:
            return web.FileResponse(folder / request.match_info["path"], headers=HEADERS)

        app = web.Application()
        for path, name in {"/": "index.html", "/rooms": "rooms.html", "/room/{room}": "room.html"}.items():
            app.router.add_get(path, document(name))
        app.router.add_get("/static/{path:.+}", file)
        app.router.add_get("/api/v1/rooms/{room}/events", self._events)
        app.router.add_post("/api/v1/rooms/{room}/cameras/{id}/whep", self._whep)
        app.router.add_patch("/api/v1/whep/{viewer}", self._trickle)
        app.router.add_delete("/api/v1/whep/{viewer}", self._leave)
        app.router.add_route("*", "/api/v1/{path:.+}", self._api)
        async with on_free_port(app) as port:
            self.url = f"http://localhost:{port}"
            yield self
            self.hang_up()
        # After the last answer: one that is still being made would open what nobody closes.
        await asyncio.gather(*(peer.close() for peer in self._peers.values()), *self._tasks, return_exceptions=True)


def _send(channel: RTCDataChannel, text: str) -> None:
    if channel.readyState == "open":
        channel.send(text)


@contextlib.contextmanager
def standing_in() -> Iterator[RoomStandin]:
    """Serve in a thread."""
    with in_thread(RoomStandin().serving(), "rooms") as room:
        yield room


def kitchen(room: RoomStandin) -> None:
    """Two cameras that see three people, one of them both."""
    room.add("one", Camera("Door", 1, ("Ada", "?")))
    room.add("two", Camera(None, 3, ("Bob", "Ada")), guest=True, way="websocket")
    room.sees("p:a", "Ada", ("one", 1), ("two", 2), minutes=12)
    room.sees("p:b", "Bob", ("two", 1), minutes=3)
    room.sees("u:1", "?", ("one", 2), minutes=5)
