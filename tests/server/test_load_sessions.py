"""Real peers against real servers for a few seconds: the short versions of tests.load.sessions, soak and designs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.load.designs.__main__ import DESIGNS, compare
from tests.load.peers.drivers import Drivers
from tests.load.peers.video import Clip, sample_clip
from tests.load.sessions import enrol, measure, table
from tests.load.soak import Account, Soak, soak, soaking, summary

pytestmark = pytest.mark.alone

RATE = 8


@pytest.fixture(scope="module")
def clips() -> list[Clip]:
    return [sample_clip(number, RATE, coded=True) for number in range(2)]


@pytest.fixture(scope="module")
def data(clips: list[Clip], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("load") / "data"
    enrol(folder, clips)
    return folder


@pytest.mark.timeout(120)
def test_sessions_are_driven_named_and_measured(clips: list[Clip], data: Path) -> None:
    run = measure(3, 4.0, clips, data, then=1)
    assert (run.served, run.full, run.failed, run.silent, run.nameless, run.counted) == (3, 0, {}, 0, 0, 3)
    assert run.sent == pytest.approx(RATE, abs=0.7)
    assert 0.6 * RATE < run.slowest <= run.middle < 1.1 * RATE
    assert 0.6 < run.fairness <= 1
    assert 0 < run.p50 <= run.p95 < 500
    assert run.oldest >= 1000 / RATE * 0.8
    assert run.named > 80
    assert 2 < run.looks < 50
    assert run.cpu > 0
    assert run.drivers_cpu > 0
    assert run.memory > 100
    assert 100 < run.up < 2000
    assert run.recovery is not None
    assert run.recovery < 5
    assert "sessions" in table([run])


@pytest.mark.timeout(120)
def test_who_finds_the_server_full_is_counted(clips: list[Clip], data: Path) -> None:
    run = measure(4, 1.0, clips, data, flags=("--max-sessions", "2"))
    assert (run.asked, run.served, run.full, run.counted) == (4, 2, 2, 2)
    assert "2 were turned away as full" in table([run])


@pytest.mark.timeout(120)
@pytest.mark.long
@pytest.mark.parametrize("design", DESIGNS[1:], ids=lambda design: design.name)
def test_other_designs_answer_the_same_load(design: Any, clips: list[Clip], data: Path) -> None:
    run = compare(design, 2, 3.0, clips, data, [])
    assert run.served == 2
    assert run.slowest > 0.6 * RATE
    assert 0 < run.p50 < 500
    if design.kind != "drawn":
        assert run.named > 80
        assert (run.looks > 95) == (design.module == "every_frame")


@pytest.mark.timeout(180)
def test_a_soak_in_which_everything_happens_leaves_nothing_behind(
    clips: list[Clip], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.load.soak.DRIVER_KILLS", 6.0)
    monkeypatch.setattr("tests.load.soak.WORKER_KILLS", 6.0)
    monkeypatch.setattr("tests.load.soak.LOOK", 1.5)
    lines: list[dict[str, Any]] = []
    with soaking(clips, 4, 5.0, seed=5, flags=(), viewers=1) as run:
        account = soak(run, 20.0, 36.0, lines.append)  # who fell silent is given half a minute
    assert account.missed() == [], summary(account)
    for what in ("came", "came lossy", "goodbye", "fell silent", "driver killed", "worker killed"):
        assert account.counts[what], f"{what} did not happen: {account.counts}"
    assert lines[-1]["median"] > 0.5 * RATE
    assert lines[-1]["pictures to them/s"] > 0


def test_a_session_that_nobody_drives_is_noticed(clips: list[Clip], monkeypatch: pytest.MonkeyPatch) -> None:
    """What the server says is the boundary here: it is made to keep a session that is gone."""

    class Nobody(Drivers):
        def __init__(self) -> None:
            self.all = []

        def report(self) -> dict[int, dict[str, Any]]:
            return {}

    monkeypatch.setattr("tests.load.soak.ask", lambda url: {"sessions": [{"id": "left"}]})
    run = Soak("", 0, Nobody(), clips, 0, 1.0, chance=None, account=Account(0))  # type: ignore[arg-type]
    for now in (0.0, 30.0, 59.0):
        run._look(now)
    assert run.account.stuck == []
    run._look(61.0)
    run._look(66.0)
    assert run.account.stuck == ["left"]
