from __future__ import annotations

import asyncio
import threading

from aiortc import RTCConfiguration, RTCPeerConnection

from tests.load import reconnects


async def test_sessions_that_come_and_go_leave_nothing_behind() -> None:
    (before, *_, after), reasons = await reconnects.run(8, counts=1)
    assert after.left == before.left
    assert after.objects == 0
    assert after.rss - before.rss < 16
    assert reasons == {"video ended": 4, "deleted": 4}


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
