"""Hours of sessions that come and go, as they do: with a goodbye, without one, over lossy lines, killed.

    python -m tests.load.soak --minutes 60 [--sessions 12] [--life 60] [--video FILE …] [--seed N] [--json]

Sessions last exponentially long, ``--life`` seconds on average; a share of them loses packets, a share falls silent
instead of saying goodbye. They are in a room that a few viewers watch. Now and then a whole process of senders is
killed, and a process that the server has started (``--no-worker-kills``: never). A line is printed every minute.

At the end: what the server still holds, and how its memory went (Theil–Sen, after a warm-up). Exits with 1 where
something stays behind: a session that nobody drives, one that is driven and hears nothing, threads, files, or memory
that grows by more than ``SLOPE`` MB an hour.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from pipeline.metrics import percentile
from server.commands.live_browser import running_server
from tests.load.peers.drivers import Driver, DriverGone, Drivers, drivers
from tests.load.peers.measure import Processes, Standing, robust_slope
from tests.load.peers.video import Clip, Unreadable, make_clips
from tests.load.sessions import add_video_options, ask, check_rate, enrol
from tests.packs import models_folder

LOSSY, LOSS = 0.25, 0.05  # share of the sessions, and of their packets
SILENT = 0.3  # share of the sessions that go without a goodbye
DRIVER_KILLS, WORKER_KILLS = 150.0, 240.0  # seconds between two, on average
ENOUGH = 3.0  # seconds in which a session shows its rate
ROOM = "soak"
LOOK = 5.0  # seconds between two looks at everything
STUCK = 60.0  # seconds after which a session that nobody drives should be gone
DEAF = 20.0  # … and in which every session that is driven should have heard something
AFTER = 70.0  # seconds that are waited at the end: sessions without a goodbye are kept for a minute
WARM_UP, LONGEST = 0.25, 900.0  # share of the time, and seconds at most: every thread gets buffers of its own
SLOPE = 12.0  # MB an hour, judged from JUDGED minutes on
JUDGED = 20.0
GROWN = 6  # threads or files more than at the start: a pool that had not all its threads


@dataclass
class Account:
    """What has happened. ``memory`` is in MB, by seconds since the beginning."""

    seed: int
    counts: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)  # of sessions that were ended by the server, by reason
    memory: list[tuple[float, float]] = field(default_factory=list)
    minutes: list[dict[str, Any]] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)  # sessions of the server that nobody drove
    deaf: list[int] = field(default_factory=list)  # sessions that were driven and heard nothing
    start: Standing | None = None
    end: Standing | None = None
    left: int = 0  # sessions that the server has when all are gone
    slope: float = 0.0  # MB an hour

    def missed(self) -> list[str]:
        """What should not have been, in words."""
        words = []
        if self.stuck:
            words.append(f"{len(self.stuck)} sessions were there for over {STUCK:.0f} s with nobody driving them")
        if self.deaf:
            words.append(f"{len(self.deaf)} sessions heard nothing for over {DEAF:.0f} s")
        if self.left:
            words.append(f"{self.left} sessions are left")
        if self.start is not None and self.end is not None:
            for what in ("threads", "files", "processes"):
                before, after = getattr(self.start, what), getattr(self.end, what)
                if after > before + GROWN:
                    words.append(f"{what}: {before} at the start, {after} at the end")
        if self.memory and self.memory[-1][0] >= JUDGED * 60 and self.slope > SLOPE:
            words.append(f"memory grows by {self.slope:.1f} MB an hour, asked {SLOPE:.0f}")
        return words


@dataclass
class Soak:
    """One run against one server."""

    url: str
    server: int  # its process
    peers: Drivers
    clips: Sequence[Clip]
    target: int
    life: float
    chance: random.Random
    account: Account
    worker_kills: bool = True
    viewers: int = 0
    _ends: dict[int, float] = field(default_factory=dict)  # when each session goes
    _began: dict[int, float] = field(default_factory=dict)
    _orphans: dict[str, float] = field(default_factory=dict)  # sessions of the server that nobody drives, since when
    _gone: list[dict[str, Any]] = field(default_factory=list)  # what those had counted who went in this minute
    _there: int = 0  # sessions the server has
    _watching: int = 0  # viewers
    _pictures: int = 0  # that came to them in this minute
    _number: int = 0

    def run(self, seconds: float, say: Any) -> None:
        """Let sessions come and go for so long; ``say`` is given a line every minute."""
        processes = Processes([self.server])
        began = time.monotonic()
        looked, minute = began, began
        driver_kill = began + self._pause(DRIVER_KILLS)
        worker_kill = began + self._pause(WORKER_KILLS)
        self.peers.begin()
        cpu = processes.cpu()
        while (now := time.monotonic()) < began + seconds:
            self._come_and_go(now)
            if now >= driver_kill:
                driver_kill = now + self._pause(DRIVER_KILLS)
                self._kill_driver()
            if now >= worker_kill and self.worker_kills:
                worker_kill = now + self._pause(WORKER_KILLS)
                self._kill_worker()
            if now - looked >= LOOK:
                looked = now
                self.account.memory.append((now - began, processes.standing().memory))
                reports = self._look(now)
                if self.viewers:
                    seen = self.peers.all[0].ask("watch", room=ROOM, number=self.viewers)
                    self._watching, self._pictures = seen["watching"], self._pictures + seen["pictures"]
                if now - minute >= 60 or now + LOOK >= began + seconds:
                    line = self._minute(reports, now - minute, (processes.cpu() - cpu) / (now - minute))
                    minute, cpu = now, processes.cpu()
                    line = {"minute": round((now - began) / 60, 1), "MB": round(self.account.memory[-1][1]), **line}
                    self.account.minutes.append(line)
                    say(line)
                    self.peers.begin()
            time.sleep(max(0.0, now + 0.5 - time.monotonic()))
        warm = min(LONGEST, WARM_UP * seconds)
        points = [(at / 3600, memory) for at, memory in self.account.memory if at >= warm]
        self.account.slope = round(robust_slope(points[:: 1 + len(points) // 700]), 1)

    def _pause(self, average: float) -> float:
        return self.chance.expovariate(1 / average)

    def _come_and_go(self, now: float) -> None:
        leaving = [number for number, end in self._ends.items() if end <= now]
        silent = [number for number in leaving if self.chance.random() < SILENT]
        for numbers, goodbye in ((sorted(set(leaving) - set(silent)), True), (silent, False)):
            if numbers:
                self._gone += self.peers.close(numbers, goodbye).values()
                self.account.counts["goodbye" if goodbye else "fell silent"] += len(numbers)
        self._drop(leaving)
        missing = self.target - len(self._ends)
        if missing <= 0:
            return
        coming = list(range(self._number, self._number + missing))
        self._number += missing
        lossy = [number for number in coming if self.chance.random() < LOSSY]
        for numbers, loss in ((sorted(set(coming) - set(lossy)), 0.0), (lossy, LOSS)):
            if not numbers:
                continue
            answer = self.peers.open(numbers, 10.0, loss=loss, query=f"?room={ROOM}")
            self.account.counts["came lossy" if loss else "came"] += len(answer["open"])
            self.account.counts["full"] += len(answer["full"])
            self.account.counts["failed"] += len(answer["failed"])
            for why in answer["failed"].values():
                self.account.ends[f"not let in: {why}"] += 1
            for number in answer["open"]:
                self._began[number] = time.monotonic()
                self._ends[number] = now + self._pause(self.life)

    def _drop(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self._ends.pop(number, None)
            self._began.pop(number, None)

    def _kill_driver(self) -> None:
        """A process of senders dies, and with it all that it drove; another takes its place."""
        index = self.chance.randrange(len(self.peers.all))
        victim = self.peers.all[index]
        victim.kill()
        self.account.counts["driver killed"] += 1
        self.account.counts["killed with it"] += len(victim.numbers)
        self._drop(sorted(victim.numbers))
        self.peers.all[index] = Driver(self.url, self.clips)
        self.peers.all[index].hear()

    def _kill_worker(self) -> None:
        """A process that the server has started dies."""
        with contextlib.suppress(psutil.NoSuchProcess):
            children = psutil.Process(self.server).children(recursive=True)
            if children:
                self.chance.choice(children).kill()
                self.account.counts["worker killed"] += 1

    def _look(self, now: float) -> dict[int, dict[str, Any]]:
        """Hold what the server has against what is driven; what each session has counted."""
        reports = self.peers.report()
        for number, one in reports.items():
            if one["ended"] is not None:
                self.account.ends[one["ended"]] += 1
            elif number in self._began and now - self._began[number] > DEAF:
                heard = one["last_result"]
                if (heard is None or time.perf_counter() - heard > DEAF) and number not in self.account.deaf:
                    self.account.deaf.append(number)
        ended = [number for number, one in reports.items() if one["ended"] is not None]
        if ended:
            self._gone += self.peers.close(ended).values()
            self._drop(ended)
        driven = {one["session"] for one in reports.values()}
        there = {session["id"] for session in ask(f"{self.url}/api/v1/sessions")["sessions"]}
        orphans = there - driven
        self._orphans = {one: self._orphans.get(one, now) for one in orphans}
        stuck = [one for one, since in self._orphans.items() if now - since > STUCK]
        self.account.stuck += [one for one in stuck if one not in self.account.stuck]
        self._there = len(there)
        return reports

    def _minute(self, reports: dict[int, dict[str, Any]], seconds: float, cpu: float) -> dict[str, Any]:
        all_of_it, self._gone = [*self._gone, *reports.values()], []
        rates = sorted(len(one["times"]) / one["lasts"] for one in all_of_it if one["lasts"] > ENOUGH)
        latencies = [1e3 * took for one in all_of_it for took in one["latencies"]]
        pictures, self._pictures = self._pictures, 0
        return {
            "driven": len(reports),
            "server has": self._there,
            "results/s slowest": round(rates[0], 1) if rates else None,
            "median": round(rates[len(rates) // 2], 1) if rates else None,
            "p95 ms": round(percentile(latencies, 95)) if latencies else None,
            "CPU %": round(100 * cpu),
            "viewers": self._watching,
            "pictures to them/s": round(pictures / seconds, 1),
            "came": self.account.counts["came"] + self.account.counts["came lossy"],
            "killed": self.account.counts["killed with it"],
            "worker kills": self.account.counts["worker killed"],
            "ended early": sum(self.account.ends.values()),
        }


@contextlib.contextmanager
def soaking(
    clips: Sequence[Clip],
    sessions: int,
    life: float,
    seed: int,
    flags: Sequence[str],
    *,
    worker_kills: bool = True,
    viewers: int = 0,
) -> Iterator[Soak]:
    """A server, warmed up by as many sessions as there will be, and whoever drives them."""
    with tempfile.TemporaryDirectory(prefix="visavis-load-") as temporary:
        data = Path(temporary) / "data"
        enrol(data, clips)
        # Who is killed keeps its place until the server notices.
        most = ("--models-dir", str(models_folder()), "--max-sessions", str(4 * sessions))
        with running_server(data, *most, *flags) as server, drivers(server.url, clips, sessions, 3) as peers:
            opened = peers.open(range(-sessions, 0), 10.0)
            time.sleep(2.0)
            peers.close(opened["open"])
            time.sleep(3.0)
            account = Account(seed, start=Processes([server.process.pid]).standing())
            chance = random.Random(seed)
            yield Soak(
                server.url, server.process.pid, peers, clips, sessions, life, chance, account,
                worker_kills=worker_kills, viewers=viewers,
            )  # fmt: skip


def soak(run: Soak, seconds: float, after: float, say: Any) -> Account:
    """Run, let everybody go, and count what is left after so many seconds. Raises ``DriverGone`` where a process of
    senders ends that nobody killed."""
    run.run(seconds, say)
    if run.viewers:
        run.peers.all[0].ask("watch", room=ROOM, number=0)
    run.peers.close(sorted(number for driver in run.peers.all for number in driver.numbers))
    time.sleep(after)
    run.account.end = Processes([run.server]).standing()
    run.account.left = len(ask(f"{run.url}/api/v1/sessions")["sessions"])
    return run.account


def summary(account: Account) -> str:
    """What is said at the end."""
    assert account.start is not None
    assert account.end is not None
    happened = ", ".join(f"{count} {what}" for what, count in sorted(account.counts.items()) if count)
    lines = [f"happened: {happened}"]
    if account.ends:
        lines.append("ended early: " + ", ".join(f"{count} × {why}" for why, count in account.ends.most_common()))
    for what in ("threads", "files", "processes"):
        lines.append(f"{what}: {getattr(account.start, what)} at the start, {getattr(account.end, what)} at the end")
    lines.append(
        f"memory: {account.start.memory:.0f} MB at the start, {account.end.memory:.0f} at the end, "
        f"{account.slope:+.1f} MB an hour"
    )
    lines += [f"missed: {words}" for words in account.missed()]
    return "\n".join(lines)


def main() -> None:
    """Soak and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--sessions", type=int, default=12)
    parser.add_argument("--life", type=float, default=60.0, help="seconds a session lasts on average")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--no-worker-kills", action="store_true")
    parser.add_argument("--viewers", type=int, default=2, help="who watch the room")
    add_video_options(parser)
    asked = parser.parse_args()
    check_rate(asked, parser)
    if asked.minutes <= 0 or asked.life <= 0 or not 1 <= asked.sessions <= 250 or asked.viewers < 0:
        parser.error("--minutes and --life must be more than 0, --sessions from 1 to 250, --viewers not below 0")
    try:
        clips = make_clips(asked.video, asked.rate)
    except Unreadable as error:
        parser.error(str(error))

    def say(line: dict[str, Any]) -> None:
        if not asked.json:
            print("  ".join(f"{name} {'–' if value is None else value}" for name, value in line.items()), flush=True)

    kills = not asked.no_worker_kills
    with soaking(
        clips, asked.sessions, asked.life, asked.seed, asked.flag, worker_kills=kills, viewers=asked.viewers
    ) as run:
        try:
            account = soak(run, asked.minutes * 60, AFTER, say)
        except DriverGone as error:
            sys.exit(f"{error}")
    if asked.json:
        print(json.dumps({**asdict(account), "missed": account.missed()}))
    else:
        print(f"seed {account.seed}\n{summary(account)}")
    sys.exit(bool(account.missed()))


if __name__ == "__main__":
    main()
