"""What of a source goes to browsers as it is can be shown by a decoder that knows nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from server.sources.relaying import B_SLICES, IDR, PPS, SPS, NotShown, Relay, numbers, slice_type, units
from server.transport import is_key_frame
from tests.server.loopback import moving_bars
from tests.server.source_media import RATE, encoded, write_clip


def relayed(path: Path) -> tuple[str, list[tuple[bytes, bool]]]:
    """Everything of a file that may go to browsers. Raises ``NotShown``."""
    with av.open(str(path)) as container:
        relay = Relay(container.streams.video[0])
        made = []
        for packet in container.demux(video=0):
            if packet.size:
                made += relay.take(packet, len(made) / RATE)
        return relay.codec, made


def decoded(codec: str, packets: list[bytes]) -> list[Any]:
    """What a decoder shows of packets alone."""
    context: Any = av.CodecContext.create({"H264": "h264", "VP8": "vp8"}[codec], "r")
    frames = []
    for data in packets:
        frames += context.decode(av.Packet(data))
    return [frame.to_ndarray(format="gray") for frame in [*frames, *context.decode(None)]]


def pictures(path: Path) -> list[Any]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]


@pytest.mark.parametrize("form", ["mp4", "mpegts", "h264", "flv"])
def test_h264_decodes_again_from_every_key_frame_on(tmp_path: Path, form: str) -> None:
    path = write_clip(tmp_path / "clip", form=form)
    codec, made = relayed(path)
    assert codec == "H264"
    assert [key for _, key in made] == [index % 10 == 0 for index in range(30)]
    assert all(is_key_frame(data) is key for data, key in made)
    for data, key in made:
        assert data[:4] == b"\0\0\0\1"
        kinds = [unit[0] & 0x1F for unit in units(data)]
        assert not key or (kinds[:2] == [SPS, PPS] and IDR in kinds)
    expected = pictures(path)
    for first in (0, 10, 20):
        shown = decoded(codec, [data for data, _ in made[first:]])
        assert len(shown) == 30 - first
        assert all(np.array_equal(one, other) for one, other in zip(shown, expected[first:], strict=True))


def test_vp8_decodes_again(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.webm", codec="libvpx")
    codec, made = relayed(path)
    assert (codec, made[0][1]) == ("VP8", True)
    assert len(decoded(codec, [data for data, _ in made])) == 30


def test_parameter_sets_are_put_before_key_frames_that_come_without(tmp_path: Path) -> None:
    """As over RTSP, where they stand in the description alone."""
    path = tmp_path / "bare.h264"
    packets = encoded(moving_bars())
    first = b"".join(b"\0\0\1" + unit for unit in units(packets[0]))
    bare = [b"".join(b"\0\0\1" + u for u in units(p) if u[0] & 0x1F not in (SPS, PPS)) for p in packets[1:]]
    path.write_bytes(first + b"".join(bare))
    _, made = relayed(path)
    assert len(decoded("H264", [data for data, _ in made[10:]])) == 20


def test_b_frames_are_not_handed_on(tmp_path: Path) -> None:
    with pytest.raises(NotShown, match="B-frames"):
        relayed(write_clip(tmp_path / "clip.mp4", bf="2", **{"b-adapt": "0"}))


def test_b_frames_nobody_announced_are_noticed(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4")
    other = write_clip(tmp_path / "other.h264", form="h264", bf="2", **{"b-adapt": "0"})
    with av.open(str(path)) as container, av.open(str(other)) as later:
        relay = Relay(container.streams.video[0])
        relay._filter = None
        with pytest.raises(NotShown, match="B-frames"):
            for packet in later.demux(video=0):
                relay.take(packet, 0.0)


@pytest.mark.parametrize(("codec", "form"), [("mjpeg", "avi"), ("mpeg4", "mp4"), ("libx265", "mp4")])
def test_other_codecs_are_not_handed_on(tmp_path: Path, codec: str, form: str) -> None:
    with pytest.raises(NotShown, match="no browser"):
        relayed(write_clip(tmp_path / f"clip.{form}", codec=codec))


def test_neither_are_profiles_browsers_lack(tmp_path: Path) -> None:
    with pytest.raises(NotShown, match="profile"):
        relayed(write_clip(tmp_path / "clip.h264", pixels="yuv422p"))


def test_nor_video_whose_key_frames_are_far_apart(tmp_path: Path) -> None:
    with pytest.raises(NotShown, match="far apart"):
        relayed(write_clip(tmp_path / "clip.mp4", moving_bars(64, 48, 6 * RATE), gop=250))
    assert len(relayed(write_clip(tmp_path / "short.mp4", moving_bars(64, 48, 4 * RATE), gop=250))[1]) == 4 * RATE


def test_slice_types_and_what_is_cut_off() -> None:
    packets = encoded(moving_bars(count=12), bf="0")
    kinds = {unit[0] & 0x1F: slice_type(unit) for packet in packets for unit in units(packet)}
    assert kinds[1] in (0, 5)
    assert kinds[IDR] in (2, 7)
    assert slice_type(b"\x41") is slice_type(b"\x41\0\0") is slice_type(b"") is None
    assert slice_type(b"\x41\xa0") == 1 in B_SLICES
    assert numbers(b"\x80", 1) == [0]
    assert numbers(b"\x28\x00", 2) == [4]
    assert units(b"no start code") == units(b"\0\0\1") == []
    assert units(b"\0\0\0\1A\0\0\1B\0") == [b"A", b"B"]
