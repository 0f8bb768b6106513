"""A feed: from a key frame on, in order, nothing that grows, one request for a key frame however many come."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from server.relay.feed import KEY_EVERY, USUAL_STEP, WAITING, Feed, FeedEnded, Picture, Watcher


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def fill(feed: Feed, count: int, start: int = 0, key: int | None = 0) -> None:
    for index in range(start, start + count):
        feed.publish("VP8", b"%d" % index, index * 3000, index == key)


async def taken(watcher: Watcher) -> list[Picture]:
    pictures = []
    while True:
        try:
            async with asyncio.timeout(0.01):
                pictures.append(await watcher.next())
        except TimeoutError:
            return pictures


async def test_watching_begins_at_a_key_frame_and_leaves_nothing_out() -> None:
    feed = Feed()
    fill(feed, 3)
    watcher = feed.subscribe()
    assert feed.asks_for_key()
    fill(feed, 3, 3, key=None)
    fill(feed, 5, 6, key=8)
    pictures = await taken(watcher)
    assert [picture.data for picture in pictures] == [b"8", b"9", b"10"]
    assert pictures[0].key
    assert [b.time - a.time for a, b in itertools.pairwise(pictures)] == [3000, 3000]
    assert [picture.rtp for picture in pictures] == [24000, 27000, 30000]


async def test_one_key_frame_serves_all_who_came_meanwhile() -> None:
    clock = Clock()
    feed = Feed(clock)
    fill(feed, 1)
    for _ in range(8):
        feed.subscribe()
    assert [feed.asks_for_key() for _ in range(3)] == [True, False, False]
    feed.want_key()
    assert not feed.asks_for_key()
    clock.now = KEY_EVERY
    assert feed.asks_for_key()
    assert not feed.asks_for_key()


async def test_a_request_that_was_lost_is_made_again() -> None:
    clock = Clock()
    feed = Feed(clock)
    feed.subscribe()
    assert feed.asks_for_key()
    clock.now = KEY_EVERY
    fill(feed, 1, 5, key=None)
    assert feed.asks_for_key()


async def test_who_is_slow_starts_over_and_holds_up_nobody() -> None:
    feed = Feed()
    slow, quick = feed.subscribe(), feed.subscribe()
    for index in range(3 * WAITING):
        fill(feed, 1, index)
        assert [picture.data for picture in await taken(quick)] == [b"%d" % index] if index % 20 == 0 else True
        while quick._waiting:
            quick._waiting.popleft()
    assert await taken(slow) == []
    assert slow.started_over == 1
    fill(feed, 4, 100, key=102)
    assert [picture.data for picture in await taken(slow)] == [b"102", b"103"]


async def test_another_codec_ends_those_who_watch() -> None:
    feed = Feed()
    fill(feed, 1)
    watcher = feed.subscribe()
    fill(feed, 1, 1, key=1)
    feed.publish("H264", b"other", 9000, True)
    assert (await watcher.next()).data == b"1"
    with pytest.raises(FeedEnded, match="codec changed"):
        await watcher.next()
    assert feed.watched == 0
    assert feed.codec == "H264"


@pytest.mark.parametrize("stamp", [5, 0xFFFF_0000, 1 << 31])
async def test_a_sender_that_begins_anew_goes_on_in_time(stamp: int) -> None:
    feed = Feed()
    watcher = feed.subscribe()
    feed.publish("VP8", b"a", 1 << 30, True)
    feed.publish("VP8", b"b", stamp, False)
    first, second = await taken(watcher)
    assert second.time - first.time == USUAL_STEP


async def test_time_goes_on_across_the_wrap() -> None:
    feed = Feed()
    watcher = feed.subscribe()
    feed.publish("VP8", b"a", 0xFFFFFFFF - 999, True)
    feed.publish("VP8", b"b", 2000, False)
    first, second = await taken(watcher)
    assert second.time - first.time == 3000


async def test_the_end_is_told_once_what_waits_is_read() -> None:
    feed = Feed()
    watcher = feed.subscribe()
    fill(feed, 1)
    feed.end("shutdown")
    feed.end("another")
    assert (await watcher.next()).data == b"0"
    with pytest.raises(FeedEnded, match="shutdown"):
        await watcher.next()
    with pytest.raises(FeedEnded, match="shutdown"):
        feed.subscribe()
