"""What becomes of frames, of all sessions together: how many, how long each part took, what was dropped."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

from pipeline.metrics import percentile
from pipeline.results import FrameResult
from server.observing.histogram import Histogram
from server.observing.traces import Sampler, Trace
from server.received_frame import ReceivedFrame

ALWAYS = ("queue", "decode", "flow", "total")
LOOK = ("convert", "detect", "embed", "attributes")  # of frames that were looked at
STAGES = (*ALWAYS, *LOOK)
RECENT = 60.0  # seconds that the status page speaks of
MOST = 4096  # answers of these, at most
OLDEST = 60.0  # seconds: what says it is older has a clock that is wrong

Timing = Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class LastMinute:
    """Of the answers of the last minute: how many a second, milliseconds from a frame's last packet to its answer, and
    the mean milliseconds of each stage where it took place. ``None`` and nothing where there was none."""

    rate: float
    p50: float | None
    p95: float | None
    stages: Mapping[str, float]


class Frames:
    """Counts since the server began. Each session takes a :class:`FrameWatch` of it."""

    def __init__(self, sampler: Sampler | None = None) -> None:
        self.sampler = sampler
        self.received = self.overtaken = self.unreadable = 0
        self.answered = self.unsent = self.keyframes = 0
        self.stages = {stage: Histogram() for stage in STAGES}
        self.waits = Histogram()  # from a frame's last packet to its answer
        self.ages = Histogram()  # from the camera to the answer, where the sender tells its clock
        self._recent: deque[tuple[float, float, Timing]] = deque(maxlen=MOST)

    def watch(self) -> FrameWatch:
        """For one session."""
        return FrameWatch(self)

    def count(self, received: ReceivedFrame, timing: Timing, keyframe: bool, sent: bool) -> None:
        """A frame was answered. ``timing``: milliseconds by stage, and the clock when it came and went, in seconds."""
        self.received += 1 + received.skipped
        self.overtaken += received.skipped
        self.answered += 1
        self.unsent += not sent
        self.keyframes += keyframe
        stages = self.stages
        for stage in ALWAYS:
            stages[stage].add((timing[stage] or 0.0) / 1e3)
        for stage in LOOK:
            if took := timing[stage]:
                stages[stage].add(took / 1e3)
        now, wait = timing["sent"] or 0.0, (timing["total"] or 0.0) / 1e3
        if received.received is not None:
            wait = max(0.0, now - received.received)
            self.waits.add(wait)
        if received.capture is not None and 0.0 <= now - received.capture < OLDEST:
            self.ages.add(now - received.capture)
        self._recent.append((time.monotonic(), wait * 1e3, timing))

    def last_minute(self) -> LastMinute:
        """What the status page says."""
        since = time.monotonic() - RECENT
        recent = [entry for entry in self._recent if entry[0] > since]
        if not recent:
            return LastMinute(0.0, None, None, {})
        waits = [wait for _, wait, _ in recent]
        took = {stage: [t for _, _, timing in recent if (t := timing[stage])] for stage in STAGES}
        # Where there were more than are kept, those that are kept say how many a second.
        full = len(recent) == MOST and recent[-1][0] > recent[0][0]
        span = recent[-1][0] - recent[0][0] if full else RECENT
        stages = {stage: fmean(times) for stage, times in took.items() if times}
        return LastMinute(len(recent) / span, percentile(waits, 50), percentile(waits, 95), stages)


class FrameWatch:
    """What one session tells of its frames: each answer, and the look that follows some of them."""

    __slots__ = ("_frames", "_open")

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        self._open: Trace | None = None

    def answered(self, received: ReceivedFrame, result: FrameResult, timing: Timing, sent: bool) -> None:
        """A frame was answered; ``sent``: not dropped because the channel is closed or full."""
        self._frames.count(received, timing, result.keyframe, sent)
        sampler, self._open = self._frames.sampler, None
        if sampler is not None and sampler.choose():
            trace = Trace(received, timing, len(result.faces), result.keyframe, sent)
            looked = result.timing["detect"] > 0
            if looked or not result.keyframe:
                sampler.keep(trace, result.timing if looked else None, ahead=True)
            else:
                self._open = trace  # the detector looks now

    def looked(self, timing: Mapping[str, float]) -> None:
        """The look that followed the answer is done; milliseconds by stage."""
        trace, self._open = self._open, None
        if trace is not None and self._frames.sampler is not None:
            self._frames.sampler.keep(trace, timing, ahead=False)

    def unreadable(self) -> None:
        """A frame could not be read."""
        self._frames.received += 1
        self._frames.unreadable += 1
