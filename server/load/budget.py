"""The budget: how many pictures a second the processors can take, and how these are shared. No clock, no I/O.

It is measured, not assumed: what a picture costs is the processor time this server used, divided by the pictures it
answered. When more is wanted than there is, faces that are known and sit still are first looked for less often, which
costs nobody a picture; then everybody gets fewer, by weights (max–min fairness: Bertsekas & Gallager, *Data Networks*,
§6.5.2), and below some rate smaller ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from server.load.share import Demand, Need, Reason, Share

HEADROOM = 0.9  # of the processors: beyond, answers begin to wait for each other
LEAST_OURS = 0.5  # of the processors that are reckoned with, however busy others keep them: the system shares them …
PROMPT = 0.08  # … and gives us more than that where answers are no later than this
SMOOTH = 2.0  # seconds over which the cost of a picture is averaged …
LASTING = 5.0, 60.0  # … and over which it is reckoned that there may be more sessions, and fewer
LEAST_PICTURES = 5  # in a measurement, for it to say what one costs
LATE = 0.15  # seconds from picture to answer, above which the processors are not the whole truth …
BUSY = 0.4  # … where this server itself uses so much of them, or most of one
OVERLOADED = 0.4, 10.0  # … and below which, for so many seconds, nobody more is taken
SLOWEST, BEST = 0.25, 2.0  # times what seems to be there, by how late answers are
MIN_RATE = 2.1  # pictures a second below which nobody goes: others are turned away instead
MAX_RATE = 30.0
LEAST = 10.0  # pictures a second that are always reckoned with: who is alone on a busy computer is not let down
WEIGHTS = {Need.NEW_FACE: 1.4, Need.ORDINARY: 1.2, Need.SETTLED: 1.0}
PATIENT = {Need.NEW_FACE: 2.0, Need.ORDINARY: 2.5, Need.SETTLED: 3.0}  # how much rarer looks may become
LOOKED_FOR_WITHIN = 2.0  # seconds, whatever is scarce
FULL_SIZE, SMALLER, SMALLEST = (640, 480), (480, 360), (320, 240)
SMALLER_BELOW, SMALLEST_BELOW = 8.0, 4.0  # pictures a second


@dataclass(frozen=True, slots=True)
class Measured:
    """Some time of this server. ``own`` and ``others``: processors used by it and by everybody else; ``late``: seconds
    from picture to answer, of the slower sessions."""

    seconds: float
    processors: float
    own: float
    others: float
    pictures: int
    late: float


class Budget:
    """What there is, and who gets it. ``cost`` is the first guess: processor seconds a picture."""

    def __init__(self, cost: float, keyframe_interval: float = 0.6, processors: float = 1.0) -> None:
        self.cost = cost
        self.rate = HEADROOM * processors / cost  # pictures a second
        self._lasting = self.rate  # the same, were answers never late, over a longer time
        self._sessions = 0
        self._interval = keyframe_interval
        self._thrift = 0.0  # 0–1: how far looks have been made rarer
        self._scale = 1.0  # times what seems to be there
        self._short = False  # more is wanted than there is
        self._overloaded = 0.0  # seconds for which answers have been late

    @property
    def most(self) -> int:
        """How many sessions get the least there is. While sessions begin, pictures seem dear: so this looks at a
        longer time; and while answers stay late, nobody more is taken."""
        most = int(self._lasting / MIN_RATE)
        return max(1, min(most, self._sessions) if self._overloaded > OVERLOADED[1] else most)

    def learn(self, seen: Measured) -> None:
        """Take in a measurement."""
        weight = min(1.0, seen.seconds / SMOOTH)
        if seen.pictures >= LEAST_PICTURES:
            self.cost += weight * (seen.own * seen.seconds / seen.pictures - self.cost)
        ours = max(seen.processors - seen.others, LEAST_OURS * seen.processors)
        working = seen.own > min(BUSY * seen.processors, 0.9)
        if seen.late > LATE and working:
            self._scale = max(SLOWEST, self._scale * max(0.7, LATE / seen.late) ** weight)
        elif seen.late < PROMPT and self._short:
            self._scale = min(BEST, self._scale * 1.2**weight)
        elif self._scale < 1 and (seen.late < 0.7 * LATE or not working):
            self._scale = min(1.0, self._scale * 1.3**weight)
        self._overloaded = self._overloaded + seen.seconds if self._scale < OVERLOADED[0] else 0.0
        lasting = HEADROOM * ours / max(self.cost, 1e-5)
        over = LASTING[1] if lasting < self._lasting else LASTING[0]
        self._lasting += min(1.0, seen.seconds / over) * (lasting - self._lasting)
        there_is = max(LEAST, HEADROOM * min(ours * self._scale, seen.processors) / max(self.cost, 1e-5))
        # Less at once, more little by little: what has become cheap may be so for a moment only.
        self.rate += (1.0 if there_is < self.rate else weight) * (there_is - self.rate)

    def share(self, demands: Sequence[Demand]) -> list[Share]:
        """What each session gets now, in the order of ``demands``."""
        self._sessions = len(demands)
        wanted = [min(MAX_RATE, max(MIN_RATE, demand.rate)) for demand in demands]
        strain = sum(wanted) / max(self.rate, 1e-5)
        self._short = strain > 1.0
        if self._short:
            self._thrift = min(1.0, self._thrift + 0.15)
        elif strain < 0.75:
            self._thrift = max(0.0, self._thrift - 0.1)
        rates = fair_rates(self.rate, wanted, [WEIGHTS[demand.need] for demand in demands])
        return [
            self._share(demand, rate, scarce=rate < 0.97 * most)
            for demand, rate, most in zip(demands, rates, wanted, strict=True)
        ]

    def _share(self, demand: Demand, rate: float, *, scarce: bool) -> Share:
        rarer = 1 + self._thrift * (PATIENT[demand.need] - 1)
        # A look at every second picture is enough, however few there are.
        interval = max(self._interval * rarer, min(2 / rate, LOOKED_FOR_WITHIN) if scarce else 0.0)
        width, height = _size(rate, demand.width)
        reason = Reason.ALONE
        if scarce:
            reason = {Need.NEW_FACE: Reason.NEW_FACE, Need.SETTLED: Reason.SETTLED}.get(demand.need, Reason.SHARED)
        within = max(LOOKED_FOR_WITHIN, self._interval)
        return Share(round(rate, 1), width, height, round(min(interval, within), 2), reason, self._thrift > 0.5)


def _size(rate: float, needed: float) -> tuple[int, int]:
    """How large pictures are at a rate. Somebody who would be too small to be recognised gets larger ones, except where
    that would be at the cost of everybody's last few pictures."""
    if rate < SMALLEST_BELOW:
        return SMALLEST
    return SMALLER if rate < SMALLER_BELOW and needed <= SMALLER[0] else FULL_SIZE


def fair_rates(there_is: float, wanted: Sequence[float], weights: Sequence[float]) -> list[float]:
    """Share ``there_is`` so that nobody gets more than they want nor less than :data:`MIN_RATE`, and who gets less than
    they want gets in proportion to their weight."""
    given = [0.0] * len(wanted)
    open_, left = set(range(len(wanted))), there_is
    while open_:
        level = left / sum(weights[i] for i in open_)
        bound = {}
        for i in open_:
            rate = level * weights[i]
            if rate >= wanted[i]:
                bound[i] = wanted[i]
            elif rate <= MIN_RATE:
                bound[i] = MIN_RATE
        if not bound:
            return [given[i] if i not in open_ else level * weights[i] for i in range(len(wanted))]
        # Those who want less than their part leave more for the others: they come first.
        sated = {i: rate for i, rate in bound.items() if rate == wanted[i]} or bound
        for i, rate in sated.items():
            given[i] = rate
            left -= rate
            open_.discard(i)
        left = max(left, 0.0)
    return given
