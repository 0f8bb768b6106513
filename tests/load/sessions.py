"""Many sessions on one server: how each is served, and what that costs, against their number.

    python -m tests.load.sessions --sessions 1,5,10,20 --seconds 30 [--rate 15] [--video FILE …] [--then 1] [--bars]
        [--flag=--workers=2 …] [--json]

For each number a server of its own is started, and that many real peers send encoded video to it (640×480, VP8, one
face each, everybody enrolled), from a few other processes. They obey the server's budget. Without ``--video`` the faces
are those of a sample photo. Times are from the handing over of a picture to its sender's aiortc until its result was
there. All of it shares the machine's processors: what the drivers take is printed beside.

``--then 1`` lets all but that many go at the end and says after how long those have their full rate again. ``--bars``
holds the figures against what is asked (``BARS``) and exits with 1 where one is missed.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from pipeline.metrics import percentile
from server.commands.live_browser import running_server
from tests.load.imports import visavis_people
from tests.load.peers.drivers import Drivers, drivers
from tests.load.peers.measure import Processes, Watch, robust_slope
from tests.load.peers.video import Clip, Unreadable, make_clips
from tests.packs import models_folder

PACE = 10.0  # sessions that begin in a second
SETTLE = 5.0  # seconds after the last has begun: names are found, and shares are settled
FULL_AGAIN = 0.95  # of the video's rate
STEADY = 2.0  # seconds for which it must hold
RECOVERY = 12.0  # seconds waited for it
LONG = 120.0  # seconds from which on memory is judged


@dataclass(frozen=True, slots=True)
class Bar:
    """What is asked at up to so many sessions: results a second of the slowest, p95 and oldest in ms, the slowest in
    terms of the median, seconds to full rate after it."""

    sessions: int
    slowest: float
    p95: float
    oldest: float = math.inf
    fairness: float = 0.0
    recovery: float = math.inf


BARS = (Bar(20, 12.0, 150.0), Bar(100, 2.0, 700.0, oldest=1500.0, fairness=0.6, recovery=5.0))
MEMORY_GROWTH = 0.03  # of the memory at the beginning, from the first fifth of a long run to its last


@dataclass(frozen=True, slots=True)
class Run:
    """What was seen with so many sessions. Rates a second, latencies and ages in ms, memory in MB, processors in % of
    one. ``full`` were turned away, ``failed`` did not get in, ``silent`` had no result, ``ended`` were ended early: all
    others were ``served``."""

    asked: int
    served: int
    full: int
    failed: dict[str, int]
    silent: int
    ended: int
    counted: int  # sessions the server says it has
    seconds: float
    sent: float  # pictures a second and session
    slowest: float
    middle: float
    fairness: float
    p50: float
    p95: float
    worst_p95: float  # of the session with the highest
    oldest: float
    skipped: float  # % of the pictures sent
    unanswered: float  # % neither answered nor skipped
    looks: float  # % of the results whose picture the detector looks at
    named: float  # % of the results with a name
    nameless: int  # sessions in which nobody was named
    cpu: float
    cpu_result: float  # ms a result
    drivers_cpu: float
    late: float  # % of the pictures that the drivers gave late
    up: float  # kbit/s a session
    down: float
    memory: float
    growth: float  # MB from the first fifth of the run to the last
    slope: float  # MB a minute
    processes: int
    recovery: float | None = None
    missed: list[str] = field(default_factory=list)


def ask(url: str) -> Any:
    """JSON from the server."""
    with urllib.request.urlopen(url, timeout=20) as answer:
        return json.load(answer)


def enrol(data: Path, clips: Sequence[Clip]) -> None:
    """Make everybody of the clips known, under names of their own."""
    with tempfile.TemporaryDirectory() as place:
        for number, clip in enumerate(clips):
            home = Path(place) / f"Person {number + 1}"
            home.mkdir()
            for still in clip.stills():
                (home / still.name).symlink_to(still)
        visavis_people(data, "import", place, "--review", "off", "--models-dir", str(models_folder()))


def measure(
    number: int,
    seconds: float,
    clips: Sequence[Clip],
    data: Path,
    *,
    then: int | None = None,
    flags: Sequence[str] = (),
    processes: int = 0,
    pace: float = PACE,
    kind: str = "whip",
    before: Sequence[str] = (),
) -> Run:
    """One run with so many sessions on a server of its own, whose data folder is ``data``. ``kind`` and ``before`` are
    for other designs: what the senders are, and the command that stands in for the server and is given its own."""
    ours = ("--models-dir", str(models_folder()), "--max-sessions", str(max(8, number)))
    with (
        running_server(data, *ours, *flags, before=before) as server,
        drivers(server.url, clips, number, processes, kind) as peers,
    ):
        opened = peers.open(range(number), pace)
        time.sleep(SETTLE)
        ours_cpu, theirs = Processes([server.process.pid]), Processes(peers.pids)
        earlier = ours_cpu.cpu(), theirs.cpu()
        began = time.perf_counter()
        peers.begin()
        with Watch(ours_cpu) as watch:
            time.sleep(seconds)
        reports = peers.report()
        elapsed = time.perf_counter() - began
        spent, driving = ours_cpu.cpu() - earlier[0], theirs.cpu() - earlier[1]
        counted = len(ask(f"{server.url}/api/v1/sessions")["sessions"]) if kind == "whip" else len(reports)
        standing = ours_cpu.standing()
        alive = [one for one, said in reports.items() if said["ended"] is None]
        recovery = _recover(peers, alive, then, clips[0].rate) if then is not None else None
    failed: dict[str, int] = {}
    for why in opened["failed"].values():
        failed[why] = failed.get(why, 0) + 1
    there = list(reports.values())
    served = sum(bool(one["times"]) and one["ended"] is None for one in there)
    rates = [len(one["times"]) / elapsed for one in there] or [0.0]
    latencies = [1e3 * took for one in there for took in one["latencies"]]
    results, sent = sum(len(one["times"]) for one in there), sum(one["sent"] for one in there)
    skipped = sum(one["skipped"] for one in there)
    memory = watch.memory
    return Run(
        asked=number,
        served=served,
        full=len(opened["full"]),
        failed=failed,
        silent=sum(not one["times"] for one in there),
        ended=sum(one["ended"] is not None for one in there),
        counted=counted,
        seconds=round(elapsed, 1),
        sent=round(sent / elapsed / max(1, len(there)), 1),
        slowest=round(min(rates), 2),
        middle=round(median(rates), 2),
        fairness=round(min(rates) / median(rates), 2) if median(rates) else 0.0,
        p50=_ms(latencies, 50),
        p95=_ms(latencies, 95),
        worst_p95=max((_ms([1e3 * took for took in one["latencies"]], 95) for one in there), default=math.nan),
        oldest=round(1e3 * max((one["oldest"] for one in there), default=math.nan)),
        skipped=round(100 * skipped / max(1, sent), 1),
        unanswered=round(100 * max(0, sent - skipped - results) / max(1, sent), 1),
        looks=round(100 * sum(one["looks"] for one in there) / max(1, results), 1),
        named=round(100 * sum(one["named"] for one in there) / max(1, results), 1),
        nameless=sum(not one["names"] for one in there),
        cpu=round(100 * spent / elapsed),
        cpu_result=round(1e3 * spent / max(1, results), 2),
        drivers_cpu=round(100 * driving / elapsed),
        late=round(100 * sum(one["late"] for one in there) / max(1, sent), 1),
        up=round(sum(one["bytes_up"] for one in there) * 8e-3 / elapsed / max(1, len(there))),
        down=round(sum(one["bytes_down"] for one in there) * 8e-3 / elapsed / max(1, len(there))),
        memory=round(standing.memory),
        growth=round(growth(memory), 1),
        slope=round(60 * robust_slope(memory), 2),
        processes=standing.processes,
        recovery=recovery,
    )


def growth(memory: Sequence[tuple[float, float]]) -> float:
    """MB by which the median of the last fifth is above that of the first."""
    fifth = max(1, len(memory) // 5)
    return median(m for _, m in memory[-fifth:]) - median(m for _, m in memory[:fifth])


def _recover(peers: Drivers, there: Sequence[int], then: int, rate: int) -> float:
    """Let all but so many go; seconds until every one of those has its full rate. Infinite where that does not come in
    time."""
    staying, leaving = there[:then], there[then:]
    peers.begin()
    began = time.perf_counter()
    peers.close(leaving)
    time.sleep(RECOVERY)
    reports = peers.report()
    return round(max((full_rate_after(reports[one]["times"], began, rate) for one in staying), default=math.inf), 1)


def full_rate_after(times: Sequence[float], began: float, rate: float) -> float:
    """Seconds from ``began`` until results come at the full rate, for ``STEADY`` s at least; infinite where they do
    not."""
    enough = int(FULL_AGAIN * rate * STEADY)
    for at, end in zip(times, times[enough:], strict=False):
        if at >= began and end - at <= STEADY:
            return at - began
    return math.inf


def missed(run: Run) -> list[str]:
    """Which bars this run is under, in words."""
    bar = next((bar for bar in BARS if run.asked <= bar.sessions), BARS[-1])
    checks = [
        (run.served == run.asked, f"{run.served} of {run.asked} served"),
        (run.slowest >= bar.slowest, f"slowest {run.slowest} results/s, asked {bar.slowest}"),
        (run.p95 <= bar.p95, f"p95 {run.p95} ms, asked {bar.p95:.0f}"),
        (run.oldest <= bar.oldest, f"oldest {run.oldest} ms, asked {bar.oldest:.0f}"),
        (run.fairness >= bar.fairness, f"fairness {run.fairness}, asked {bar.fairness}"),
        (
            run.recovery is None or run.recovery <= bar.recovery,
            f"full rate after {run.recovery} s, asked {bar.recovery}",
        ),
        (
            run.seconds < LONG or run.growth <= MEMORY_GROWTH * run.memory,
            f"memory grew by {run.growth} MB of {run.memory}",
        ),
    ]
    return [words for held, words in checks if not held]


def _ms(values: Sequence[float], share: float) -> float:
    return round(percentile(list(values), share), 1) if values else math.nan


COLUMNS = (
    ("sessions", "asked", "{}"),
    ("served", "served", "{}"),
    ("full", "full", "{}"),
    ("sent/s", "sent", "{:.1f}"),
    ("results/s slowest", "slowest", "{:.1f}"),
    ("median", "middle", "{:.1f}"),
    ("fairness", "fairness", "{:.2f}"),
    ("p50 ms", "p50", "{:.0f}"),
    ("p95 ms", "p95", "{:.0f}"),
    ("oldest ms", "oldest", "{:.0f}"),
    ("skipped %", "skipped", "{:.1f}"),
    ("unanswered %", "unanswered", "{:.1f}"),
    ("looks %", "looks", "{:.1f}"),
    ("named %", "named", "{:.0f}"),
    ("CPU %", "cpu", "{:.0f}"),
    ("ms/result", "cpu_result", "{:.2f}"),
    ("drivers %", "drivers_cpu", "{:.0f}"),
    ("MB", "memory", "{}"),
    ("grew MB", "growth", "{:.1f}"),
    ("kbit/s up", "up", "{:.0f}"),
    ("down", "down", "{:.0f}"),
)


def table(runs: Sequence[Run]) -> str:
    """All runs, one a line, and below what has to be said of them."""
    rows = [[name for name, _, _ in COLUMNS]]
    rows += [[shape.format(getattr(run, key)) for _, key, shape in COLUMNS] for run in runs]
    widths = [max(len(row[index]) for row in rows) for index in range(len(COLUMNS))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    for run in runs:
        remarks = [f"{count} could not connect: {why}" for why, count in run.failed.items()]
        remarks += [f"{run.full} were turned away as full"] * bool(run.full)
        remarks += [f"{run.silent} had no result"] * bool(run.silent)
        remarks += [f"{run.ended} were ended early"] * bool(run.ended)
        remarks += [f"in {run.nameless} nobody was named"] * bool(run.nameless)
        remarks += [f"the server counts {run.counted}"] * (run.counted != run.served)
        remarks += [f"the drivers gave {run.late} % of the pictures late"] * (run.late > 0.5)
        remarks += [f"full rate again after {run.recovery} s"] * (run.recovery is not None)
        remarks += [f"missed: {words}" for words in run.missed]
        lines += [f"{run.asked} sessions: {remark}" for remark in remarks]
    return "\n".join(lines)


def numbers(text: str) -> list[int]:
    """``1,5,20``. Raises ``argparse.ArgumentTypeError``."""
    try:
        found = [int(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or not all(1 <= number <= 1000 for number in found):
        raise argparse.ArgumentTypeError("whole numbers from 1 to 1000, with commas between them: 1,5,20")
    return found


def add_video_options(parser: argparse.ArgumentParser) -> None:
    """What all load tools take."""
    parser.add_argument("--rate", type=int, default=15, help="pictures a second at full rate")
    parser.add_argument("--video", type=Path, nargs="+", default=[], help="one face each, a file per session in turn")
    parser.add_argument("--flag", action="append", default=[], help="for the server, as in --flag=--workers=1")
    parser.add_argument("--json", action="store_true")


def check_rate(asked: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """End the program for a rate that no camera has."""
    if not 1 <= asked.rate <= 60:
        parser.error("--rate must be from 1 to 60 pictures a second")


def main() -> None:
    """Print the table; with ``--bars`` the exit code says whether they were held."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sessions", type=numbers, default=[1, 5, 10, 20])
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--then", type=int, help="how many stay at the end, to see when they have their full rate")
    parser.add_argument("--bars", action="store_true", help="compare with what is asked")
    parser.add_argument("--pace", type=float, default=PACE, help="sessions that begin in a second")
    parser.add_argument("--drivers", type=int, default=0, help="processes that send")
    add_video_options(parser)
    asked = parser.parse_args()
    if asked.seconds < 1 or asked.pace <= 0 or asked.drivers < 0:
        parser.error("--seconds must be at least 1, --pace more than 0, and --drivers not below 0")
    if asked.then is not None and not 1 <= asked.then < min(asked.sessions) + (min(asked.sessions) == 1):
        parser.error("--then must be fewer than the sessions before, and at least 1")
    check_rate(asked, parser)
    try:
        clips = make_clips(asked.video, asked.rate)
    except Unreadable as error:
        parser.error(str(error))
    runs = []
    with tempfile.TemporaryDirectory(prefix="visavis-load-") as temporary:
        data = Path(temporary) / "data"
        enrol(data, clips)
        for number in asked.sessions:
            run = measure(
                number, asked.seconds, clips, data,
                then=asked.then, flags=asked.flag, processes=asked.drivers, pace=asked.pace,
            )  # fmt: skip
            if asked.bars:
                run.missed.extend(missed(run))
            runs.append(run)
            if not asked.json:
                print(table([run]) if len(asked.sessions) > 1 else "", file=sys.stderr, flush=True)
    print(json.dumps([asdict(run) for run in runs]) if asked.json else table(runs))
    sys.exit(any(run.missed for run in runs))


if __name__ == "__main__":
    main()
