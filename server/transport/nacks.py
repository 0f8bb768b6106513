"""Which packets to ask for again (NACK, RFC 4585 §6.2.1), with three differences from aiortc's generator.

- Where packets overtake each other, one that is missing is given the time that others took to come by themselves.
- A packet is asked for again when the answer should have come and has not, not whenever some other packet is missing:
  on a full line that fills it with copies of copies.
- What was given up is not asked for any more; and nothing is while very much is missing, for the line that lost it has
  no room for it either.

No I/O; the clock is an argument.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

HISTORY = 128  # packets looked back on: senders keep few more
TRIES = 5
SOONEST, LATEST = 0.03, 0.25  # seconds until a packet is asked for again
LOST_AFTER = 0.15  # seconds after which a packet was neither late nor sent again
FLOODED = 25  # of HISTORY packets
PATIENCE = 0.1  # seconds given at most to packets that were overtaken
FADES = 0.97  # how fast the memory of such fades, by each missing packet


class Numbered(Protocol):
    """The parts of an RTP packet that matter here; of the extensions, ``abs_send_time``."""

    sequence_number: int
    extensions: Any


@dataclass(slots=True)
class _Missing:
    since: float
    sent: int | None  # when the packet that showed it to be missing was sent
    asked: float = 0.0
    times: int = 0


class Nacks:
    """Stands where aiortc's generator was: ``add`` says whether to ask, ``missing`` for which packets."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.missing: set[int] = set()  # to be asked for now
        self._clock = clock
        self._newest: int | None = None
        self._open: dict[int, _Missing] = {}
        self._answer = 0.1  # seconds from asking to the packet, smoothed
        self._late = 0.0  # seconds that overtaken packets came late, lately

    def add(self, packet: Numbered) -> bool:
        """Take in a packet; returns whether some are to be asked for."""
        now, seq, sent = self._clock(), packet.sequence_number, packet.extensions.abs_send_time
        if self._newest is None:
            self._newest = seq
            return False
        ahead = (seq - self._newest) & 0xFFFF
        if 0 < ahead < 0x8000:
            if ahead > HISTORY:
                self._open.clear()  # an outage, or again a sender that began anew
            else:
                for step in range(1, ahead):
                    self._open[(self._newest + step) & 0xFFFF] = _Missing(now, sent)
            self._newest = seq
        elif ahead and 0x10000 - ahead > 2 * HISTORY:
            self._open.clear()  # a sender that began anew
            self._newest = seq
        elif (entry := self._open.pop(seq, None)) is not None:
            self._late *= FADES
            if _overtaken(sent, entry.sent):
                self._late = max(self._late, now - entry.since)
            elif entry.times == 1:
                self._answer += 0.125 * (now - entry.asked - self._answer)
        self._forget_old()
        self.missing = self._due(now)
        return bool(self.missing)

    def give_up(self) -> None:
        """Ask for nothing that is missing now."""
        self._open.clear()

    def flooded(self) -> bool:
        """Whether much more is lost for good than a bad radio loses: the line is given more than it carries."""
        now = self._clock()
        return sum(now - entry.since > LOST_AFTER for entry in self._open.values()) >= FLOODED

    def _due(self, now: float) -> set[int]:
        if len(self._open) >= FLOODED:
            return set()
        wait = min(max(1.5 * self._answer, SOONEST), LATEST)
        patience = min(self._late, PATIENCE)
        due = {
            seq
            for seq, entry in self._open.items()
            if (entry.times == 0 and now - entry.since >= patience)
            or (0 < entry.times < TRIES and now - entry.asked > wait)
        }
        for seq in due:
            self._open[seq].asked = now
            self._open[seq].times += 1
        return due

    def _forget_old(self) -> None:
        assert self._newest is not None
        while self._open:
            oldest = next(iter(self._open))
            if (self._newest - oldest) & 0xFFFF <= HISTORY:
                break
            del self._open[oldest]


def _overtaken(sent: int | None, other: int | None) -> bool:
    """Whether a packet was sent before the ``other`` (24-bit times), so that it is no repetition."""
    return sent is not None and other is not None and ((other - sent) & 0xFFFFFF) < 0x800000
