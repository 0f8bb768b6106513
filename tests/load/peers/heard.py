"""What one session is told, held against what it sent. No I/O and no clock: times are seconds by one clock."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Set
from dataclasses import dataclass, field
from typing import Any

KEPT = 600  # pictures that were sent and not answered


@dataclass(slots=True)
class Window:
    """What happened since a moment. ``times`` are when results came, ``latencies`` from a picture's handing over until
    its result was there; ``oldest`` is the greatest age that the newest result shown had at any time."""

    began: float
    sent: int = 0
    times: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    oldest: float = 0.0
    skipped: int = 0  # pictures that the server says newer ones overtook
    looks: int = 0  # results whose picture the detector looks at
    named: int = 0  # results with a name in them
    stale: int = 0  # results that came after a newer one
    late: int = 0  # pictures that the driver itself gave more than a period late
    bytes_up: int = 0
    bytes_down: int = 0

    def fields(self) -> dict[str, Any]:
        """As JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


class Heard:
    """One session's account; :meth:`begin` opens a new window."""

    def __init__(self, now: float) -> None:
        self.window = Window(now)
        self.names: set[str] = set()  # seen at any time
        self.last_result: float | None = None
        self._handed: OrderedDict[int, float] = OrderedDict()  # RTP timestamp → when it was handed over
        self._seq = -1
        self._shown: float | None = None  # when the picture was handed over whose result is shown

    def begin(self, now: float) -> None:
        """Count from now on."""
        self.window = Window(now)

    def sent(self, stamp: int, size: int, now: float, late: bool = False) -> None:
        """A picture of so many bytes is handed over."""
        self._handed[stamp] = now
        if len(self._handed) > KEPT:
            self._handed.popitem(last=False)
        self.window.sent += 1
        self.window.bytes_up += size
        self.window.late += late

    def result(self, result: dict[str, Any], size: int, now: float) -> None:
        """A result came."""
        window = self.window
        window.bytes_down += size
        if result["seq"] <= self._seq:
            window.stale += 1
            return
        self._seq = result["seq"]
        window.skipped += result["skipped"]
        names = {face["name"] for face in result["faces"] if face["identity"] == "known"}
        self.answered(result["rtp"], now, looked=result["keyframe"], names=names)

    def answered(self, stamp: int, now: float, *, looked: bool = False, names: Set[str] = frozenset()) -> None:
        """What is shown now is of the picture that was handed over under this stamp."""
        window = self.window
        self.age(now)
        handed = self._handed.pop(stamp, None)
        if handed is not None:
            window.latencies.append(now - handed)
            self._shown = handed
        window.times.append(now)
        self.last_result = now
        window.looks += looked
        window.named += bool(names)
        self.names |= names

    def age(self, now: float) -> None:
        """Take into account how old what is shown has become; where nothing is, since the window began."""
        since = self.window.began if self._shown is None else self._shown
        self.window.oldest = max(self.window.oldest, now - since)
