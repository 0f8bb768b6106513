"""Which of a source's encoded pictures a browser shows as they are: VP8, and H.264 without B-frames, in Annex B."""

from __future__ import annotations

from collections.abc import Iterator

import av
from av.bitstream import BitStreamFilterContext
from av.video.stream import VideoStream

from server.transport import is_key_frame

SLICE, IDR, SPS, PPS, AUD, FILLER = 1, 5, 7, 8, 9, 12  # NAL unit types, H.264 table 7-1
PARTITIONS = (2, 3, 4)
SHOWN_PROFILES = (66, 77, 100)  # Baseline, Main, High: 8 bits, 4:2:0
B_SLICES = (1, 6)
START = b"\0\0\0\1"
KEYS_WITHIN = 5.0  # seconds between key frames; a watcher sees nothing before the first, and a source is not asked


class NotShown(Exception):
    """Browsers cannot show this video as it is, or not soon."""


class Relay:
    """Makes of one stream's packets what browsers take. Raises :class:`NotShown` for a stream they do not."""

    def __init__(self, stream: VideoStream) -> None:
        context = stream.codec_context
        self.codec = {"h264": "H264", "vp8": "VP8"}.get(context.name, "")
        if not self.codec:
            raise NotShown(f"{context.name} is shown by no browser")
        self._filter: BitStreamFilterContext | None = None
        self._sets: dict[tuple[int, int], bytes] = {}  # the newest SPS and PPS, by kind and id
        self._since: float | None = None  # the newest key frame, or the first picture
        self._begun = False
        if self.codec == "H264":
            if context.has_b_frames:
                raise NotShown("it has B-frames")
            extra = context.extradata or b""
            if extra[:1] == b"\1":
                self._filter = BitStreamFilterContext("h264_mp4toannexb", stream)
            else:
                self._note(units(extra))

    def take(self, packet: av.Packet[VideoStream], time: float) -> list[tuple[bytes, bool]]:
        """The pictures of a packet, which is used up, with whether each is a key frame. ``time`` is media time."""
        packets = [packet] if self._filter is None else self._filter.filter(packet)
        made = []
        for one in packets:
            data = bytes(one) if self.codec == "VP8" else self._annex_b(bytes(one))
            if not data:
                continue
            key = is_key_frame(data)
            self._watch_keys(key, time)
            if self._begun:  # before the first key frame there is nothing to show
                made.append((data, key))
        return made

    def _watch_keys(self, key: bool, time: float) -> None:
        self._begun = self._begun or key
        if key or self._since is None:
            self._since = time
        if time - self._since > KEYS_WITHIN:
            raise NotShown("its key frames are too far apart")

    def _annex_b(self, data: bytes) -> bytes:
        """The same with long start codes, and with parameter sets before every key frame."""
        found = [unit for unit in units(data) if _kind(unit) not in (AUD, FILLER)]
        self._note(found)
        kinds = {_kind(unit) for unit in found}
        if kinds.intersection(PARTITIONS) or any(_kind(u) == SLICE and slice_type(u) in B_SLICES for u in found):
            raise NotShown("it has B-frames, or slices in parts")
        if IDR in kinds:
            if not kinds >= {SPS, PPS}:
                known = [self._sets[key] for key in sorted(self._sets)]
                found = known + [unit for unit in found if _kind(unit) not in (SPS, PPS)]
            found.sort(key=lambda unit: {SPS: 0, PPS: 1}.get(_kind(unit), 2))
        return b"".join(START + unit for unit in found)

    def _note(self, found: list[bytes]) -> None:
        for unit in found:
            kind = _kind(unit)
            if kind == SPS and unit[1:2] and unit[1] not in SHOWN_PROFILES:
                raise NotShown("its profile is shown by no browser")
            if kind in (SPS, PPS):
                number = numbers(unit[4:] if kind == SPS else unit[1:], 1)
                self._sets[kind, number[0] if number else 0] = unit


def _kind(unit: bytes) -> int:
    return unit[0] & 0x1F


def units(data: bytes) -> list[bytes]:
    """The NAL units of a stream in Annex B, without start codes; none of what is not."""
    return [unit for unit in _units(data) if unit]


def _units(data: bytes) -> Iterator[bytes]:
    at = data.find(b"\0\0\1")
    while at >= 0:
        end = data.find(b"\0\0\1", at + 3)
        yield data[at + 3 : end if end >= 0 else len(data)].rstrip(b"\0")
        at = end


def slice_type(unit: bytes) -> int | None:
    """The type of a slice (H.264 table 7-6), which follows its first macroblock; ``None`` if it is cut off."""
    found = numbers(unit[1:], 2)
    return found[1] if len(found) == 2 else None


def numbers(data: bytes, count: int) -> list[int]:
    """The first few unsigned Exp-Golomb numbers (H.264 clause 9.1) of a header, as many as are there."""
    head = data[:12].replace(b"\0\0\3", b"\0\0")
    bits = f"{int.from_bytes(head):0{8 * len(head)}b}" if head else ""
    found: list[int] = []
    at = 0
    while len(found) < count:
        zeros = bits.find("1", at) - at
        end = at + 2 * zeros + 1
        if zeros < 0 or end > len(bits):
            break
        found.append(int(bits[at + zeros : end], 2) - 1)
        at = end
    return found
