from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.transport.assembly import CAPACITY, RESTART, Assembled, EncodedFrame, FrameAssembler, is_key_frame

KEY = b"\x10\x02\x00\x9d\x01\x2a" + bytes(8)  # how a VP8 key frame begins (RFC 6386 §9.1)
DELTA = b"\x11\x02\x00" + bytes(8)
INTERVAL = 3000  # RTP ticks between frames at 30 a second
SPS, PPS, IDR, SLICE, AUD = (b"\0\0\0\1" + bytes([kind]) + b"abc" for kind in (0x67, 0x68, 0x65, 0x41, 0x09))


@dataclass(frozen=True)
class Sent:
    """A packet as the assembler sees it."""

    sequence_number: int
    timestamp: int
    marker: int
    payload: bytes


def stream(*counts: int, first: int = 1000, keys: Iterable[int] = (0,), marker: bool = True) -> list[list[Sent]]:
    """Frames of that many packets. Every payload says which frame and part it is of."""
    keys, frames, seq = set(keys), [], first
    for number, count in enumerate(counts):
        packets = []
        for part in range(count):
            head = (KEY if number in keys else DELTA) if part == 0 else b""
            last = int(marker and part == count - 1)
            body = head + b"<%d:%d/%d>" % (number, part, count)
            packets.append(Sent(seq & 0xFFFF, (77 + number * INTERVAL) & 0xFFFFFFFF, last, body))
            seq += 1
        frames.append(packets)
    return frames


def data(frame: list[Sent]) -> bytes:
    return b"".join(packet.payload for packet in frame)


class Line:
    """An assembler at the end of a line whose clock the test moves."""

    def __init__(self, **options: bool) -> None:
        self.assembler = FrameAssembler(**options)
        self.now = 100.0
        self.frames: list[EncodedFrame] = []
        self.asked: list[float] = []

    def send(self, *packets: Sent, every: float = 0.001) -> list[bytes]:
        """What comes out of these packets."""
        out: list[bytes] = []
        for packet in packets:
            self.now += every
            done: Assembled = self.assembler.add(packet, packet.payload, self.now)
            self.frames += done.frames
            out += [frame.data for frame in done.frames]
            if done.want_key_frame:
                self.asked.append(self.now)
        return out


def test_a_frame_is_complete_on_its_marker_bit() -> None:
    line, (frame,) = Line(), stream(3)
    assert line.send(*frame[:2]) == []
    assert line.send(frame[2]) == [data(frame)]
    assert line.frames[0].timestamp == 77
    assert line.frames[0].completed == line.now
    assert line.asked == []


@pytest.mark.parametrize("options", [{"marker": False}, {}])
def test_without_a_marker_bit_it_waits_for_the_next_frame(options: dict[str, bool]) -> None:
    line, frames = Line(**options), stream(2, 1, marker=bool(options))
    assert line.send(*frames[0]) == []
    assert line.send(*frames[1]) == [data(frames[0])]


def test_frames_that_a_gap_held_up_come_together_and_in_order() -> None:
    line, frames = Line(), stream(1, 2, 3, 1)
    late = frames[1][0]
    line.send(*frames[0])
    assert line.send(frames[1][1], *frames[2], *frames[3]) == []
    assert line.send(late) == [data(f) for f in frames[1:]]
    assert line.asked == []


def test_order_does_not_matter_within_the_limit() -> None:
    line, frames = Line(), stream(4, 4)
    a, b = frames
    assert line.send(a[0], a[3], a[1], b[1], a[2]) == [data(a)]
    assert line.send(b[3], b[2], b[0]) == [data(b)]


def test_doubled_packets_change_nothing() -> None:
    line, frames = Line(), stream(2, 2, 2)
    twice = [p for frame in frames for packet in frame for p in (packet, packet)]
    assert line.send(*twice) == [data(f) for f in frames]
    assert line.send(*frames[0], *frames[2]) == []
    assert line.asked == []


@pytest.mark.parametrize("first", [65533, 65534, 65535, 0])
def test_sequence_numbers_wrap(first: int) -> None:
    line, frames = Line(), stream(2, 2, 2, first=first)
    late = frames[1][0]
    line.send(*frames[0])
    assert line.send(frames[1][1], *frames[2]) == []
    assert line.send(late) == [data(f) for f in frames[1:]]


def test_padding_is_no_frame() -> None:
    line, frames = Line(), stream(1, 1)
    (key,), (delta,) = frames
    padding = Sent(1001, key.timestamp, 0, b"")
    after = Sent(1002, delta.timestamp, 1, delta.payload)
    assert line.send(key) == [key.payload]
    assert line.send(padding) == []
    assert line.send(after) == [delta.payload]
    assert line.send(Sent(1003, 999_999, 1, b"")) == []


def play(line: Line, frames: list[list[Sent]], every: float = 1 / 30) -> list[bytes]:
    """Whole frames, evenly; what comes out."""
    out = []
    for frame in frames:
        line.now += every
        out += line.send(*frame, every=0.0)
    return out


def test_a_gap_left_open_is_given_up_and_nothing_but_a_key_frame_is_let_through() -> None:
    line = Line()
    frames = stream(*[2] * 60, keys=(0, 40))
    lost = frames[5].pop(0)
    out = play(line, frames[:40])
    assert out == [data(f) for f in frames[:5]]
    assert line.assembler.flushes == 1
    assert line.asked[0] == pytest.approx(100 + 6 / 30 + 0.25, abs=0.04)
    assert len(line.asked) == 2  # the second after half a second
    assert line.asked[1] - line.asked[0] == pytest.approx(0.5, abs=0.04)
    assert line.send(lost) == []
    assert play(line, frames[40:]) == [data(f) for f in frames[40:]]
    assert len(line.asked) == 2


def test_a_gap_that_closes_in_time_is_not_given_up() -> None:
    line, frames = Line(), stream(*[2] * 10)
    lost = frames[2].pop(0)
    play(line, frames[:8])
    assert line.send(lost) == [data([lost, *frames[2]]), *(data(f) for f in frames[3:8])]
    assert line.assembler.flushes == 0


def test_gaps_that_follow_each_other_but_close_are_not_given_up() -> None:
    """Under steady loss there is always some gap; as long as frames come out, that is no stall."""
    line, frames = Line(), stream(*[2] * 40)
    out = line.send(*frames[0])
    for number, frame in enumerate(frames[1:], 1):
        line.now += 1 / 30
        out += line.send(frame[1], every=0.0)
        if number >= 5:
            out += line.send(frames[number - 4][0], every=0.0)  # 133 ms late, each of them
    assert out == [data(f) for f in frames[:36]]
    assert line.assembler.flushes == 0


def test_a_slow_line_without_a_gap_is_not_given_up() -> None:
    line, frames = Line(), stream(8, 8)
    assert line.send(*frames[0], every=0.06) == [data(frames[0])]
    assert line.send(*frames[1], every=0.3) == [data(frames[1])]
    assert line.assembler.flushes == 0
    assert line.asked == []


def test_after_an_outage_a_key_frame_is_asked_for_at_once() -> None:
    line, frames = Line(), stream(*[2] * 60, keys=(0, 35))
    play(line, frames[:5])
    line.now += 0.8
    assert play(line, frames[30:35]) == []
    assert line.asked == [pytest.approx(100 + 5 / 30 + 0.8 + 1 / 30)]
    assert line.send(*(p for frame in frames[5:30] for p in frame)) == []  # they would be a second old
    assert play(line, frames[35:]) == [data(f) for f in frames[35:]]


def test_one_lost_packet_of_a_slow_camera_may_still_be_sent_again() -> None:
    line, frames = Line(), stream(3, 3, 3)
    line.send(*frames[0])
    line.now += 0.5
    assert line.send(*frames[1][1:]) == []
    assert line.send(frames[1][0]) == [data(frames[1])]
    assert line.asked == []


def test_a_key_frame_without_its_first_packet_is_none() -> None:
    line = Line()
    frames = stream(4, 2, 2, 3, 2, keys=(0, 3))
    assert line.send(*frames[0][1:], *frames[1], *frames[2]) == []
    assert line.asked == []  # it may still come
    line.now += 0.6
    assert line.send(*frames[3]) == [data(frames[3])]
    assert line.send(*frames[4]) == [data(frames[4])]


def test_a_key_frame_that_does_not_come_is_asked_for() -> None:
    line = Line()
    play(line, stream(*[1] * 240, keys=()))
    waits = [round(b - a, 1) for a, b in zip(line.asked, line.asked[1:], strict=False)]
    assert waits == [0.5, 1.0, 2.0, 2.0, 2.0]
    assert line.asked[0] - 100.0 < 0.25


@pytest.mark.parametrize("first", [1000, 0])
def test_a_stream_whose_first_packets_overtook_each_other_begins_whole(first: int) -> None:
    line, frames = Line(), stream(3, 1, 2, first=first)
    key = frames[0]
    assert line.send(key[2], *frames[1], key[1]) == []
    assert line.send(key[0]) == [data(key), data(frames[1])]
    assert play(line, frames[2:]) == [data(frames[2])]
    assert line.asked == []


@pytest.mark.parametrize("first", [1000, 65530])
def test_late_packets_are_ignored_until_the_floor_is_gone(first: int) -> None:
    line = Line()
    frames = stream(*[1] * 60, first=first, keys=(0, 20))
    play(line, [*frames[:5], *frames[6:20]])
    assert line.assembler.flushes == 1
    assert play(line, frames[20:22]) == [data(frames[20]), data(frames[21])]
    assert line.send(*(p for f in frames[5:20] for p in f)) == []
    assert play(line, frames[22:]) == [data(f) for f in frames[22:]]
    assert line.assembler.flushes == 1
    anew = stream(*[1] * 3, first=first - 5000 & 0xFFFF)
    assert play(line, anew) == []
    line.now += 2.0
    assert play(line, anew) == [data(f) for f in anew]


def test_a_retransmission_within_the_history_of_the_sender_is_no_restart() -> None:
    """aiortc asks for packets up to 128 back each time one is missing, long after the floor is gone."""
    line, frames = Line(), stream(*[1] * 300)
    play(line, frames)
    assert line.send(*frames[150], *frames[171]) == []
    assert line.assembler.flushes == 0


@pytest.mark.parametrize("back", [RESTART, 30_000])
def test_a_sender_that_begins_anew_is_followed(back: int) -> None:
    line = Line()
    play(line, stream(*[1] * 10, first=40_000))
    anew = stream(*[2] * 10, first=40_010 - back)
    assert play(line, anew) == [data(f) for f in anew]


def test_a_sender_that_begins_anew_without_a_key_frame_is_asked_for_one() -> None:
    line = Line()
    play(line, stream(*[1] * 10, first=40_000))
    assert play(line, stream(*[2] * 10, first=20_000, keys=())) == []
    assert len(line.asked) == 1


def test_capacity() -> None:
    line = Line(guard=False)
    frames = stream(1, *[1] * (CAPACITY + 5), keys=(0, CAPACITY + 3))
    line.send(*frames[0])
    assert line.send(*(p for f in frames[2 : CAPACITY + 1] for p in f)) == []
    assert line.assembler.flushes == 0
    assert line.send(*frames[CAPACITY + 1]) == []
    assert line.assembler.flushes == 1
    assert len(line.asked) == 1
    assert line.send(*frames[CAPACITY + 3]) == []  # one is missing before it
    assert line.send(*frames[CAPACITY + 2]) == [data(frames[CAPACITY + 3])]
    assert len(line.assembler._packets) == 0


def test_memory_is_bounded() -> None:
    line = Line()
    for number in range(5000):
        line.send(Sent(number * 7 & 0xFFFF, 77, 0, b"x" * 10))
        assert len(line.assembler._packets) <= CAPACITY


def test_the_decoder_may_ask_to_start_over() -> None:
    line, frames = Line(), stream(1, 1, 1, 1, keys=(0, 2))
    line.send(*frames[0])
    line.now += 1
    line.assembler.require_key_frame()
    assert line.send(*frames[1]) == []
    assert len(line.asked) == 1
    assert line.send(*frames[2], *frames[3]) == [data(frames[2]), data(frames[3])]


@pytest.mark.parametrize(
    ("frame", "key"),
    [
        (KEY, True),
        (DELTA, False),
        (KEY[1:], False),
        (KEY[:10], False),
        (b"", False),
        (b"\0\0\0\1", False),
        (SPS + PPS + IDR, True),
        (AUD + SPS + PPS + IDR, True),
        (SPS + PPS, False),
        (SLICE, False),
        (IDR, False),  # its parameter sets came in the packet that was lost
        (SLICE + SPS + IDR, False),
    ],
)
def test_key_frames(frame: bytes, key: bool) -> None:
    assert is_key_frame(frame) is key


@settings(max_examples=150, deadline=None)
@given(
    counts=st.lists(st.integers(1, 5), min_size=1, max_size=40),
    keys=st.sets(st.integers(0, 39)),
    first=st.sampled_from([0, 1000, 65500, 65535]),
    marker=st.booleans(),
    draw=st.data(),
)
def test_whatever_is_lost_or_misordered_no_frame_lacks_a_packet(
    counts: list[int], keys: set[int], first: int, marker: bool, draw: st.DataObject
) -> None:
    frames = stream(*counts, first=first, keys=keys)
    sent = [p for frame in frames for p in frame]
    delays = draw.draw(st.lists(st.integers(0, 12), min_size=len(sent), max_size=len(sent)))
    copies = draw.draw(st.lists(st.sampled_from([0, 1, 1, 1, 1, 2]), min_size=len(sent), max_size=len(sent)))
    pace = draw.draw(st.sampled_from([0.0, 0.01, 0.1, 0.4]))
    arriving = sorted(
        ((at + delay * copy, p) for at, (p, delay, n) in enumerate(zip(sent, delays, copies, strict=True))
         for copy in range(1, n + 1)),
        key=lambda entry: entry[0],
    )  # fmt: skip
    line = Line(marker=marker)
    out = line.send(*(p for _, p in arriving), every=pace)
    whole = [data(f) for f in frames]
    places = [whole.index(frame) for frame in out]
    assert places == sorted(set(places))
    if out:
        assert places[0] in keys  # nothing before a key frame
