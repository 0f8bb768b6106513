"""Frames as traces: a collector of our own hears what a real session did."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pipeline.frame_pipeline import PipelineConfig
from server.live.session import LiveSession
from server.observing.frames import Frames
from server.observing.observing import sampler_of
from server.observing.traces import Sampler, Trace, spans
from server.peers import PeerRegistry, at_most
from server.people import People
from server.settings import Settings
from server.transport import install, uninstall
from tests.packs import open_models
from tests.server.loopback import LOOPBACK
from tests.server.test_live_session import House
from tests.server.test_observing_frames import LOOKED, RECEIVED, TIMING, result
from tests.serving import in_thread, on_free_port
from tracking import DEFAULT_POLICY

STAGES = {"receive", "decode", "queue", "advance", "answer", "look", "convert", "detect", "embed", "attributes"}
ATTRIBUTES = {"visavis.width", "visavis.height", "visavis.faces", "visavis.keyframe", "visavis.skipped", "visavis.sent"}


class Collector:
    """Takes traces over HTTP, or refuses them."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.resources: list[dict[str, str]] = []
        self.asked = 0
        self.status = 200
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        self.asked += 1
        body = await request.read()
        if request.headers.get("Content-Encoding") == "gzip":
            import gzip

            body = gzip.decompress(body)
        if self.status == 200:
            for one in ExportTraceServiceRequest.FromString(body).resource_spans:
                self.resources.append({pair.key: pair.value.string_value for pair in one.resource.attributes})
                self.spans += [span for scope in one.scope_spans for span in scope.spans]
        return web.Response(status=self.status)


@contextlib.contextmanager
def collecting() -> Iterator[Collector]:
    """A collector in a thread of its own."""
    collector, app = Collector(), web.Application()
    app.router.add_post("/v1/traces", collector.take)
    with in_thread(on_free_port(app), "collector") as port:
        collector.url = f"http://127.0.0.1:{port}/v1/traces"
        yield collector


@pytest.fixture
async def traced(tmp_path: Path) -> AsyncIterator[tuple[House, Sampler, Collector]]:
    """A server without its HTTP, all of whose frames are traced."""
    install(LOOPBACK)
    models = open_models()
    people = await People.open(tmp_path / "p.sqlite3", models.manifest.digest, models.manifest.embedder.dimension)
    with collecting() as collector, ThreadPoolExecutor(2) as executor:
        sampler = Sampler(collector.url, 1.0, "north")
        frames = Frames(sampler)
        house = House(
            people,
            PeerRegistry(
                LOOPBACK,
                lambda peer: LiveSession(
                    peer, models, people, executor, PipelineConfig(), DEFAULT_POLICY, frames=frames
                ),
                at_most(2),
            ),
        )
        yield house, sampler, collector
        for page in house.pages:
            await page.close()
        await house.peers.close_all("shutdown")
        await asyncio.to_thread(sampler.close)
    await people.close()
    uninstall()


async def test_what_a_session_does_is_heard_by_a_collector(traced: tuple[House, Sampler, Collector]) -> None:
    house, sampler, collector = traced
    page = await house.visit()
    await page.until(lambda: len(page.results) > 20, 8, "results")
    await page.close()
    await asyncio.to_thread(sampler.close)
    assert collector.resources[0]["service.name"] == "visavis"
    assert collector.resources[0]["service.instance.id"] == "north"
    by_id = {span.span_id: span for span in collector.spans}
    whole = [span for span in collector.spans if not span.parent_span_id]
    assert {span.name for span in whole} == {"frame"}
    assert len(whole) > 15
    assert {span.name for span in collector.spans} - {"frame"} >= STAGES - {"attributes"}
    for span in collector.spans:
        assert span.start_time_unix_nano <= span.end_time_unix_nano
        assert abs(span.end_time_unix_nano / 1e9 - time.time()) < 60
        if span.parent_span_id:
            above = by_id[span.parent_span_id]
            assert above.trace_id == span.trace_id
            assert above.start_time_unix_nano <= span.start_time_unix_nano
            assert span.end_time_unix_nano <= above.end_time_unix_nano
            assert not span.attributes
        else:
            assert {pair.key for pair in span.attributes} == ATTRIBUTES
            assert {pair.value.WhichOneof("value") for pair in span.attributes} == {"int_value", "bool_value"}


def test_parts_lie_in_the_order_they_happen() -> None:
    trace = Trace(RECEIVED, TIMING, 1, True, True)
    look = {stage: LOOKED[stage] or 0.0 for stage in ("convert", "detect", "embed", "attributes")}
    after = spans(trace, look, ahead=False, now=100.08)
    assert [part.name for part in after.parts] == ["receive", "decode", "queue", "advance", "look", "answer"]
    assert after.began == 100.0
    assert after.ended == pytest.approx(100.08)
    parts = {part.name: part for part in after.parts}
    assert parts["answer"].ended == 100.01 <= parts["look"].began
    assert [part.name for part in parts["look"].parts] == ["convert", "detect", "embed"]
    assert parts["look"].parts[1].ended - parts["look"].parts[1].began == pytest.approx(0.040)
    ahead = spans(
        Trace(RECEIVED, {**LOOKED, "total": 60.0, "sent": 100.07}, 1, True, True), look, ahead=True, now=100.07
    )
    parts = {part.name: part for part in ahead.parts}
    assert ahead.ended == parts["answer"].ended == 100.07
    assert parts["look"].ended <= parts["answer"].ended
    assert "look" not in [part.name for part in spans(trace, None, ahead=True, now=100.0).parts]


def test_only_a_share_is_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    with collecting() as collector:
        sampler = Sampler(collector.url, 0.1)
        sampler._random.seed(7)
        watch = Frames(sampler).watch()
        for _ in range(1000):
            watch.answered(RECEIVED, result(), TIMING, True)
        sampler.close()
        assert 60 < len([span for span in collector.spans if span.name == "frame"]) < 140


def test_a_look_of_a_frame_that_was_not_chosen_is_no_other_frames() -> None:
    with collecting() as collector:
        sampler = Sampler(collector.url, 1.0)
        watch = Frames(sampler).watch()
        follows = result()  # a keyframe whose look comes after its answer
        object.__setattr__(follows, "keyframe", True)
        watch.answered(RECEIVED, follows, TIMING, True)
        sampler._share = 0.0
        watch.answered(RECEIVED, follows, TIMING, True)
        watch.looked({"detect": 40.0})
        sampler.close()
        assert collector.spans == []


def test_a_collector_that_fails_is_said_once_and_once_that_it_is_back(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    with collecting() as collector:
        collector.status = 400
        sampler = Sampler(collector.url, 1.0)
        watch = Frames(sampler).watch()

        def send() -> None:
            watch.answered(RECEIVED, result(), TIMING, True)
            sampler._provider.force_flush(3000)

        for _ in range(3):
            send()
        collector.status = 200
        send()
        sampler.close()
        assert collector.asked == 4
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        "traces cannot be sent: the collector in the setting traces does not take them",
        "traces can be sent again",
    ]


@pytest.mark.alone
def test_a_collector_that_is_not_there_holds_up_neither_frames_nor_the_end() -> None:
    sampler = Sampler("http://127.0.0.1:9/v1/traces", 1.0)
    watch = Frames(sampler).watch()
    began = time.perf_counter()
    for _ in range(500):
        watch.answered(RECEIVED, result(), TIMING, True)
    assert time.perf_counter() - began < 1.5  # 3 ms each at most, where every frame is traced
    began = time.perf_counter()
    sampler.close()
    assert time.perf_counter() - began < 4


def test_nothing_is_set_up_where_nothing_is_traced() -> None:
    assert sampler_of(Settings()) is None
    assert sampler_of(Settings(traces="http://collector:4318/v1/traces", traces_share=0.0)) is None


def test_a_missing_package_is_said_with_the_cure() -> None:
    code = """
import sys
sys.modules["opentelemetry"] = None
from server.observing.traces import Sampler
try:
    Sampler("http://127.0.0.1:9/v1/traces", 1.0)
except Exception as error:
    print(type(error).__name__, error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("StartError traces: OpenTelemetry is not installed; pip install 'visavis[traces]'")
