"""Readiness, the decoder's health, waits, the store's times, networks, and what the status makes of figures."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from server.access.networks import within
from server.media.decoder import Decoder, DecoderDown
from server.observing.drain import Drain
from server.observing.facts import Facts, Jobs, Pack, Subject
from server.observing.frames import Frames
from server.observing.observing import checks
from server.observing.processes import Processes
from server.observing.readiness import NotReady, Readiness
from server.observing.status import status
from server.observing.store_times import StoreTimes
from server.observing.waits import Waits
from server.settings import SettingsError, configure
from server.storage.events import Backlog
from tests.pictures import group_photo

SECRET = "Zaphodine"


# -- readiness --------------------------------------------------------------------------------------------------------


async def test_each_check_is_told_in_words_without_what_it_was_about() -> None:
    async def well() -> None:
        pass

    async def said() -> None:
        raise NotReady("It rests.")

    async def disk() -> None:
        raise OSError(30, "Read-only file system", SECRET)

    async def odd() -> None:
        raise ValueError(SECRET)

    found = await Readiness({"well": well, "said": said, "disk": disk, "odd": odd}).look()
    assert found["well"] is None
    assert found["said"] == "It rests."
    assert str(found["disk"]).startswith("The data folder cannot be written")
    assert found["odd"] == "It fails; the log says of what kind the error is."
    assert SECRET not in str(found)


async def test_a_check_that_hangs_is_waited_for_once_and_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.observing.readiness.PATIENCE", 0.05)
    monkeypatch.setattr("server.observing.readiness.FRESH", 0.0)
    go_on, asked = asyncio.Event(), 0

    async def hangs() -> None:
        nonlocal asked
        asked += 1
        await go_on.wait()

    readiness = Readiness({"store": hangs})
    for _ in range(3):
        assert "not answered" in str((await readiness.look())["store"])
    assert asked == 1
    go_on.set()
    assert (await readiness.look())["store"] is None
    await readiness.close()


async def test_whoever_asks_within_a_second_is_told_the_same_until_something_changes() -> None:
    drain = Drain()
    asked = 0

    async def accepting() -> None:
        nonlocal asked
        asked += 1
        if drain.on:
            raise NotReady("It ends.")

    readiness = Readiness({"accepting": accepting})
    drain.began = readiness.forget
    await asyncio.gather(*(readiness.look() for _ in range(10)))
    assert asked == 1
    await drain.run(0.0, asyncio.Event(), lambda: 0, lambda _seconds: None, lambda _reason: asyncio.sleep(0))
    assert (await readiness.look())["accepting"] == "It ends."


@pytest.mark.parametrize(
    ("pool", "wrong"),
    [
        (None, None),
        (SimpleNamespace(workers=2), None),
        (SimpleNamespace(workers=0), "None of the processes that run the networks is alive."),
    ],
)
async def test_networks_in_processes_of_their_own_have_to_be_alive(pool: Any, wrong: str | None) -> None:
    every = checks(None, None, Drain(), lambda: pool)  # type: ignore[arg-type]
    assert (await Readiness({"inference": every["inference"]}).look())["inference"] == wrong


async def test_a_decoder_that_was_killed_is_started_anew_by_looking(tmp_path: Path) -> None:
    decoder = Decoder(1)
    try:
        first = decoder._free.queue[0].pid
        os.kill(first, signal.SIGKILL)
        await asyncio.sleep(0.1)
        await asyncio.to_thread(decoder.look_after)
        assert decoder._free.queue[0].pid != first
        import cv2

        _, data = cv2.imencode(".jpg", group_photo())
        assert decoder.decode(data.tobytes()).shape == group_photo().shape
    finally:
        decoder.close()
    with pytest.raises(DecoderDown):
        decoder.look_after()


async def test_looking_after_a_decoder_that_is_at_work_waits_for_nothing() -> None:
    decoder = Decoder(1)
    process = decoder._free.get()
    try:
        decoder.look_after()
    finally:
        decoder._free.put(process)
        decoder.close()


# -- waits, times, processes ------------------------------------------------------------------------------------------


async def test_a_loop_that_is_held_up_and_threads_that_are_busy_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.observing.waits.EVERY", 0.02)
    with ThreadPoolExecutor(1) as executor:
        waits = Waits(executor)
        waits.start()
        await asyncio.sleep(0.1)
        assert waits.lag.count
        assert waits.queue.count
        busy = executor.submit(time.sleep, 0.4)
        await asyncio.sleep(0.3)
        assert 0.1 < waits.age <= waits.worst_wait
        await asyncio.wrap_future(busy)
        await asyncio.sleep(0.05)
        assert waits.worst_wait > 0.1
        time.sleep(0.3)  # noqa: ASYNC251 – the loop itself is held up
        await asyncio.sleep(0.05)
        assert waits.worst_lag > 0.2
        await waits.close()
    assert waits.age < 1


async def test_what_the_store_takes_and_refuses_is_counted() -> None:
    times = StoreTimes()

    async def full() -> None:
        raise sa.exc.OperationalError("", {}, Exception())

    async def wrong() -> None:
        raise ValueError

    assert await times.of_change(times.of(asyncio.sleep(0.01, "done"))) == "done"
    for work, error in ((full, sa.exc.OperationalError), (wrong, ValueError)):
        with pytest.raises(error):
            await times.of(work())
    assert (times.asked.count, times.changed.count, times.faults) == (3, 1, 1)
    assert times.changed.sum >= 0.01


def test_what_a_process_and_its_children_take_is_measured() -> None:
    processes = Processes()
    before = processes.usage()
    assert processes.usage() is before  # within a second
    decoder = Decoder(1)
    try:
        time.sleep(1.1)
        usage = processes.usage()
        assert usage.children == before.children + 1
        assert usage.children_memory > before.children_memory + 10e6
    finally:
        decoder.close()
    time.sleep(1.1)
    after = processes.usage()
    assert after.children == before.children
    assert after.children_cpu >= usage.children_cpu - 0.02  # of one that is over as well: it never falls
    assert after.cpu >= usage.cpu >= before.cpu > 0


# -- networks and settings --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("10.1.2.3", True), ("::ffff:10.1.2.3", True), ("fd00::7", True), ("fe80::1%eth0", False), ("11.0.0.1", False),
        ("::1", False), (None, False),
    ],
)  # fmt: skip
def test_an_address_is_in_a_network_or_is_not(address: str | None, inside: bool) -> None:
    assert within(address, ("10.0.0.0/8", "fd00::/8")) is inside
    assert not within(address, ())


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("metrics_from", "10.0.0.1/8", "has bits set behind its prefix"),
        ("metrics_from", "everybody", "is neither an IP address nor a network"),
        ("traces", "collector:4318", "give an address such as"),
        ("traces", "http://", "give an address such as"),
        ("traces", "http://user:secret@collector:4318", "leave user and password out"),
        ("traces", "http://collector:99999", "give an address such as"),
        ("traces_share", "1.5", "give a number from 0 to 1"),
        ("drain_seconds", "-1", "give a number from 0 to 3600"),
        ("log_format", "xml", "say one of text, json"),
        ("log_requests", "true", "say one of off, on, with_address"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(name: str, value: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        configure({name: value}, {})


def test_a_collector_without_a_path_gets_the_usual_one() -> None:
    settings = configure({"traces": "http://collector:4318/", "metrics_from": "10.0.0.7,fd00::/8"}, {}).settings
    assert settings.traces == "http://collector:4318/v1/traces"
    assert settings.metrics_from == ("10.0.0.7/32", "fd00::/8")


# -- the status -------------------------------------------------------------------------------------------------------


def told(changed: dict[str, Any] | None = None, **usage: float) -> dict[str, Any]:
    """The status of a server of four cameras, with these figures."""
    used = replace(Processes().usage(), **{"busy": 0.2, "ours": 0.1, "memory_free": 8e9, "memory_total": 16e9, **usage})
    readiness = Readiness({})
    subject = Subject(
        folder=Path(), max_sessions=lambda: 4, max_viewers=4, frames=Frames(), waits=Waits(ThreadPoolExecutor(1)),
        store=StoreTimes(), readiness=readiness, drain=Drain(), peers=None,  # type: ignore[arg-type]
        viewers=lambda: 0, people=lambda: 0, pack=lambda: Pack("open", "MIT", "0" * 64), sightings=lambda: 0,
        jobs=dict, webhooks=lambda: asyncio.sleep(0),  # type: ignore[arg-type,return-value]
    )  # fmt: skip
    facts = Facts(
        at=time.time(), sessions={"webrtc": 1}, waiting=0, viewers=0, people=0, pack=subject.pack(), sightings=0,
        jobs={"video": Jobs(2, 1, 30.0)}, webhooks=Backlog(0, None), usage=used, disk_free=50 * 2**30,
        disk_total=100 * 2**30, unready={"store": None}, inference=None, load={},
    )  # fmt: skip
    return status(subject, replace(facts, **(changed or {})))


@pytest.mark.parametrize(
    ("changed", "usage", "state", "codes"),
    [
        ({}, {}, "well", []),
        ({"sessions": {"webrtc": 3, "source": 1}}, {}, "strained", ["full"]),
        ({}, {"busy": 0.97}, "strained", ["processors"]),
        ({}, {"memory_free": 1e9}, "strained", ["memory"]),
        ({"disk_free": 2**30}, {}, "strained", ["disk"]),
        ({"webhooks": Backlog(3, datetime.now(UTC) - timedelta(hours=1))}, {}, "strained", ["webhooks"]),
        ({"webhooks": None, "unready": {"store": "It does not answer."}}, {}, "unwell", ["not_ready"]),
    ],
)
def test_what_is_worth_a_look_is_said(
    changed: dict[str, Any], usage: dict[str, float], state: str, codes: list[str]
) -> None:
    said = told(changed, **usage)
    assert (said["state"], [remark["code"] for remark in said["remarks"]]) == (state, codes)
    assert "It does not answer." not in str(said)  # hosts read it too


def test_slow_answers_are_said_with_the_stage_that_takes_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.server.test_observing_frames import LOOKED, RECEIVED

    slow = Frames()
    for _ in range(50):
        slow.count(RECEIVED, {**LOOKED, "total": 450.0, "queue": 380.0, "sent": 100.5}, True, True)
    monkeypatch.setattr("tests.server.test_observing_parts.Frames", lambda: slow)
    said = told()
    assert said["remarks"] == [{"code": "slow", "value": 500, "part": "queue"}]
    assert said["answers"]["p95_ms"] == 500.0
