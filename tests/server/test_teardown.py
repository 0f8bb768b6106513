from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
import sys
import threading
import time

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection
from aiortc.codecs.vpx import Vp8Decoder

from server.peer import Peer
from server.transport import receiver as tuned
from tests.load import reconnects
from tests.server.loopback import LOOPBACK, Page, Recorder, connect


async def test_sessions_that_come_and_go_leave_nothing_behind() -> None:
    command = (sys.executable, "-m", "tests.load.reconnects", "--cycles", "8", "--json")
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)  # where nothing else is alive
    said = json.loads((await process.communicate())[0])
    before, after = said["counts"][0], said["counts"][-1]
    for what in ("tasks", "threads", "descriptors"):
        assert after[what] == before[what], what
    assert after["objects"] == 0
    assert after["rss"] - before["rss"] < 16
    assert said["ends"] == {"video ended": 4, "deleted": 4}
    assert process.returncode == 0


async def test_the_count_sees_what_stays() -> None:
    """Otherwise the test above could not fail."""
    before = await reconnects.count(0)
    kept = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    kept.createDataChannel("kept")
    await kept.setLocalDescription(await kept.createOffer())
    waiting = asyncio.create_task(asyncio.sleep(60))
    thread = threading.Timer(60, lambda: None)
    thread.start()
    during = await reconnects.count(0)
    assert all(after > less for less, after in zip(before.left, during.left, strict=True))
    thread.cancel()
    waiting.cancel()
    await kept.close()


async def test_a_handler_may_close_its_peer_while_it_is_closed() -> None:
    class Insistent(Recorder):
        async def on_closed(self, reason: str) -> None:
            await peer.close("again")
            await super().on_closed(reason)

    recorder = Insistent()
    page, gone = Page(), []
    peer = Peer(LOOPBACK, lambda _: recorder, lambda _, reason: gone.append(reason))
    await page.accept(await peer.answer(await page.offer()))
    await asyncio.wait_for(peer.close("done"), 2)
    assert (recorder.closed, gone) == (["done"], ["done"])
    await page.close()


async def test_the_handler_hears_of_the_end_even_if_the_connection_fails_to_close(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    page, recorder, gone = Page(), Recorder(), []
    peer = Peer(LOOPBACK, lambda _: recorder, lambda _, reason: gone.append(reason))
    await page.accept(await peer.answer(await page.offer()))
    close = RTCPeerConnection.close

    async def failing(pc: RTCPeerConnection) -> None:
        await close(pc)
        raise OSError("socket")

    with monkeypatch.context() as patch:
        patch.setattr(RTCPeerConnection, "close", failing)
        await peer.close("done")
    assert (recorder.closed, gone) == (["done"], ["done"])
    assert "could not be ended in order" in caplog.text
    await page.close()


async def test_the_loop_goes_on_while_a_busy_decoder_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """aiortc joins the decoder's thread on the loop; with what was waiting, this took half a second."""
    page, recorder = Page(), Recorder()
    peer = await connect(page, recorder)
    decode = Vp8Decoder.decode

    def slowly(decoder: Vp8Decoder, frame: object) -> object:
        time.sleep(0.05)
        return decode(decoder, frame)

    monkeypatch.setattr(Vp8Decoder, "decode", slowly)
    (receiver,) = peer._pc.getReceivers()  # type: ignore[union-attr]
    await recorder.until(lambda: getattr(receiver, tuned.DECODER_QUEUE).qsize() > 6)
    steps: list[float] = []

    async def tick() -> None:
        while True:
            steps.append(time.perf_counter())
            await asyncio.sleep(0.001)

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0.01)
    await peer.close("done")
    await asyncio.sleep(0.01)
    ticking.cancel()
    assert max(b - a for a, b in itertools.pairwise(steps)) < 0.2
    await page.close()
