"""How old a frame is when work on it may begin, with a real Chromium.

    python -m tests.load.frame_age [--seconds 10] [--json]

The browser sends its built-in test picture, 640×480, over loopback to the server's own receiving side in this process,
which does nothing with it. The age is from capture, by the browser's clock, to the pipeline's door.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from aiohttp import web
from aiohttp.typedefs import Handler

from server.commands.live_browser import FLAGS, find_chromium
from server.peer import Peer
from server.peers import PeerRegistry, at_most
from server.received_frame import ReceivedFrame
from server.signalling import setup_whip
from server.transport import TransportOptions, install, uninstall
from server.visitor import LOCAL, VISITOR
from tests.serving import on_free_port

SETTLED = 3.0  # seconds until the encoder and the first sender reports are there
PAGE = """<!doctype html><meta charset=utf-8><title>frame age</title><script>
const sent = [], told = [], states = [];
let pc;
const worker = new Worker(URL.createObjectURL(new Blob([`onrtctransform = ({transformer: t}) =>
  t.readable.pipeThrough(new TransformStream({transform(frame, out) {
    postMessage(frame.getMetadata().rtpTimestamp); out.enqueue(frame);
  }})).pipeTo(t.writable);`])));
worker.onmessage = e => sent.push(e.data);

async function start() {
  const stream = await navigator.mediaDevices.getUserMedia({video: {width: 640, height: 480, frameRate: 30}});
  pc = new RTCPeerConnection();
  pc.onconnectionstatechange = () => states.push(pc.connectionState);
  const sender = pc.addTransceiver(stream.getVideoTracks()[0],
    {direction: 'sendonly', sendEncodings: [{maxBitrate: 1500000}]}).sender;
  if (window.RTCRtpScriptTransform) sender.transform = new RTCRtpScriptTransform(worker, {});
  pc.createDataChannel('results', {ordered: false, maxRetransmits: 0}).onmessage = e => told.push(JSON.parse(e.data));
  pc.createDataChannel('commands');
  const waiting = [];
  let where = null;
  const trickle = async () => {
    if (where === null || !waiting.length) return;
    const lines = waiting.splice(0);
    const ufrag = pc.localDescription.sdp.match(/a=ice-ufrag:(.*)/)[1].trim();
    const body = [`a=ice-ufrag:${ufrag}`, 'm=video 9 UDP/TLS/RTP/SAVPF 0', 'a=mid:0', ...lines, ''].join('\\r\\n');
    const answer = await fetch(where, {method: 'PATCH', body,
      headers: {'Content-Type': 'application/trickle-ice-sdpfrag', 'If-Match': '*'}});
    if (answer.status !== 204) states.push('PATCH ' + answer.status);
  };
  pc.onicecandidate = e => {
    waiting.push(e.candidate && e.candidate.candidate ? 'a=' + e.candidate.candidate : 'a=end-of-candidates');
    trickle();
  };
  await pc.setLocalDescription();
  const answer = await fetch('/api/v1/whip', {method: 'POST', body: pc.localDescription.sdp,
    headers: {'Content-Type': 'application/sdp'}});
  if (answer.status !== 201) throw new Error(await answer.text());
  where = answer.headers.get('Location');
  await pc.setRemoteDescription({type: 'answer', sdp: await answer.text()});
  await trickle();
  return where;
}
async function outbound() {
  for (const r of (await pc.getStats()).values()) if (r.type === 'outbound-rtp') return r;
}
</script>"""


@dataclass
class Recorder:
    """Takes note of frames and tells the page of each."""

    peer: Peer
    frames: list[tuple[float, ReceivedFrame]] = field(default_factory=list)
    ended: str | None = None

    async def on_frame(self, frame: ReceivedFrame) -> None:
        """Note when it came, in seconds since 1970."""
        self.frames.append((time.time(), frame))
        self.peer.send_result(json.dumps({"rtp": frame.rtp}))

    def on_commands_open(self) -> None:
        """Nothing to do."""

    def on_command(self, raw: str | bytes) -> None:
        """Nothing to do."""

    def on_video_state(self, live: bool) -> None:
        """Nothing to do."""

    async def on_closed(self, reason: str) -> None:
        """The end, and why."""
        self.ended = reason

    def ages(self, after: float = SETTLED) -> list[float]:
        """Seconds from capture to here, of frames later than ``after`` seconds of video."""
        return [now - f.capture for now, f in self.frames if f.time >= after and f.capture is not None]


@web.middleware
async def _let_in(request: web.Request, handler: Handler) -> web.StreamResponse:
    request[VISITOR] = LOCAL
    return await handler(request)


async def _page(_: web.Request) -> web.Response:
    return web.Response(text=PAGE, content_type="text/html")


@dataclass
class Watched:
    """A page that is sending, and what the server saw of it."""

    page: Any
    peers: PeerRegistry
    recorders: list[Recorder]


@contextlib.asynccontextmanager
async def chromium(path: str) -> AsyncIterator[Any]:
    """A headless Chromium with its built-in camera."""
    from playwright.async_api import async_playwright

    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=path, headless=True, args=list(FLAGS))
        try:
            yield browser
        finally:
            await browser.close()


@contextlib.asynccontextmanager
async def sending(browser: Any, options: TransportOptions) -> AsyncIterator[Watched]:
    """The WHIP door on a free port, with a page of that browser sending to it."""
    install(options)
    recorders: list[Recorder] = []

    def record(peer: Peer) -> Recorder:
        recorders.append(Recorder(peer))
        return recorders[-1]

    peers = PeerRegistry(options, record, at_most(4))
    app = web.Application(middlewares=[_let_in])
    setup_whip(app, peers)
    app.router.add_get("/", _page)
    try:
        async with on_free_port(app) as port:
            page = await browser.new_page()
            try:
                await page.goto(f"http://127.0.0.1:{port}/")
                await asyncio.wait_for(page.evaluate("start()"), 20)
                yield Watched(page, peers, recorders)
            finally:
                await page.close()
                await peers.close_all("done")
    finally:
        uninstall()


async def measure(browser: Any, name: str, options: TransportOptions, seconds: float) -> dict[str, Any]:
    """One transport: ages in milliseconds, rates in kbit/s."""
    async with sending(browser, options) as watched:
        rates = []
        before = 0
        for _ in range(round(seconds + SETTLED)):
            await asyncio.sleep(1.0)
            stats = await watched.page.evaluate("outbound()")
            rates.append((stats["bytesSent"] - before) * 8 / 1e3)
            before = stats["bytesSent"]
        (recorder,) = watched.recorders
        ages = np.array(recorder.ages()) * 1e3
        return {
            "transport": name,
            "frames": len(ages),
            "age p50 [ms]": round(float(np.percentile(ages, 50)), 1),
            "age p95 [ms]": round(float(np.percentile(ages, 95)), 1),
            "rate in second 2 [kbit/s]": round(rates[1]),
            f"rate in second {len(rates)} [kbit/s]": round(rates[-1]),
            "codec": await watched.page.evaluate(
                "pc.getStats().then(s => [...s.values()].find(r => r.type === 'codec').mimeType)"
            ),
        }


async def compare(path: str, seconds: float) -> list[dict[str, Any]]:
    """Stock, each mend that bears on it alone, and all."""
    off = {"marker_frames": False, "early_remb": False, "stall_guard": False}
    where = {"bind_addresses": ("127.0.0.1",)}
    variants = {
        "stock": off,
        "marker bit": {**off, "marker_frames": True},
        "early bit rate": {**off, "early_remb": True},
        "all": {},
    }
    async with chromium(path) as browser:
        return [
            await measure(browser, name, TransportOptions(**where, **changed), seconds)  # type: ignore[arg-type]
            for name, changed in variants.items()
        ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Age of frames on their arrival, with and without the mends.")
    parser.add_argument("--seconds", type=float, default=10.0, help="measured, after the first three")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    path = find_chromium()
    if path is None:
        raise SystemExit("no Chromium was found; on Debian: apt-get install chromium")
    rows = asyncio.run(compare(path, args.seconds))
    if args.json:
        print(json.dumps(rows, indent=1))
        return
    for label in rows[0]:
        print(f"{label:28}" + "".join(f"{row[label]!s:>16}" for row in rows))


if __name__ == "__main__":
    main()
