"""The WHIP door and the media path against the real Chromium, with its built-in test picture for a camera."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

import numpy as np
import pytest

from server.commands.live_browser import find_chromium
from server.transport import TransportOptions
from tests.load.frame_age import chromium, sending

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def path() -> str:
    pytest.importorskip("playwright")
    found = find_chromium()
    if found is None:
        pytest.skip("no Chromium is installed; on Debian: apt-get install chromium")
    return found


async def until(condition: Callable[[], bool], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in the browser too
            await asyncio.sleep(0.02)


async def test_chromium_is_answered_seen_and_told(path: str) -> None:
    """One exchange, looked at from all sides: starting a browser is what takes long."""
    async with chromium(path) as browser, sending(browser, TransportOptions(bind_addresses=("127.0.0.1",))) as watched:
        (recorder,) = watched.recorders
        await until(lambda: len(recorder.ages(after=0.0)) > 30, 15)
        frames = [frame for _, frame in recorder.frames]

        # Frames have the size, the order and the wire's own times.
        assert (frames[-1].frame.width, frames[-1].frame.height) == (640, 480)
        assert all(a.time < b.time for a, b in itertools.pairwise(frames))
        await asyncio.sleep(0.2)
        sent = set(await watched.page.evaluate("sent"))
        assert {frame.rtp for frame in frames} <= sent
        assert all(frame.received is not None for frame in frames)

        # Results reach the page, by the frame's number.
        told = {message["rtp"] for message in await watched.page.evaluate("told")}
        assert {frame.rtp for frame in frames[-10:]} <= told

        # Frames are there well before the next one is captured: the test picture comes 20 times a second.
        ages = recorder.ages(after=0.0)
        assert -0.01 < float(np.median(ages)) < 0.045

        # Candidates trickled in, VP8 stayed first, nothing came of a public STUN server.
        assert await watched.page.evaluate("states") == ["connecting", "connected"]
        answer = await watched.page.evaluate("pc.remoteDescription.sdp")
        assert "VP8/90000" in answer.split("m=video")[1].split("a=rtpmap:")[1]
        assert "srflx" not in answer

        # A page that goes is gone on the server too.
        await watched.page.evaluate("pc.close()")
        await until(lambda: watched.peers.sessions == 0, 3)
        assert recorder.ended is not None


async def test_two_pages_do_not_disturb_each_other(path: str) -> None:
    async with chromium(path) as browser, sending(browser, TransportOptions(bind_addresses=("127.0.0.1",))) as watched:
        other = await browser.new_page()
        await other.goto(watched.page.url)
        where = await asyncio.wait_for(other.evaluate("start()"), 20)
        await until(lambda: len(watched.recorders) == 2 and all(len(r.frames) > 5 for r in watched.recorders), 10)
        assert await other.evaluate(f"fetch('{where}', {{method: 'DELETE'}}).then(r => r.status)") == 200
        await until(lambda: watched.recorders[1].ended == "deleted", 3)
        seen = len(watched.recorders[0].frames)
        await until(lambda: len(watched.recorders[0].frames) > seen + 5, 3)
        assert watched.peers.sessions == 1
