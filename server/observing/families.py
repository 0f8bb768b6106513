"""What ``/metrics`` says: docs/operations-metrics.md has the same in a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from server import __version__
from server.observing.facts import Facts, Jobs, Subject
from server.observing.frames import Frames
from server.observing.histogram import Histogram
from server.observing.processes import Usage

PREFIX = "visavis_"
WAYS = ("webrtc", "websocket", "source")


def written(subject: Subject, facts: Facts) -> bytes:
    """The text of one answer."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Once([*families(subject, facts)]))
    return generate_latest(registry)


def families(subject: Subject, facts: Facts) -> Iterator[Metric]:
    """Everything there is to say."""
    info = {"version": __version__, "pack": facts.pack.name, "digest": facts.pack.digest[:12]}
    yield InfoMetricFamily(f"{PREFIX}build", "Version, and the model pack in use.", info)
    yield _gauge("start_time_seconds", "When the server began, in seconds since 1970.", subject.began)
    yield from _sessions(subject, facts)
    yield from _frames(subject.frames)
    yield from _waiting(subject, facts)
    yield from _processes(facts.usage)
    yield _gauge("disk_free_bytes", "Free where the data folder is.", facts.disk_free)
    yield _gauge("disk_size_bytes", "Size of the disk where the data folder is.", facts.disk_total)
    ready = {name: float(words is None) for name, words in facts.unready.items()}
    yield _by("ready", "Whether each part can be used (1) or not (0).", "part", ready)
    yield _gauge("draining", "Whether the server is about to end (1).", subject.drain.on)
    yield _by("load", "How the processors are shared among sessions.", "figure", facts.load)
    yield from _inference(facts)


def _sessions(subject: Subject, facts: Facts) -> Iterator[Metric]:
    ways = {way: float(facts.sessions.get(way, 0)) for way in {*WAYS, *facts.sessions}}
    yield _by("sessions", "Cameras that are live, by the way their pictures come.", "way", ways)
    yield _gauge("sessions_limit", "Cameras that may be live at once.", subject.max_sessions())
    yield _gauge("sessions_waiting", "Sessions that wait for their page to come back.", facts.waiting)
    yield _counter("sessions_refused", "Sessions turned away: the server was full or about to end.",
                   subject.drain.refused)  # fmt: skip
    yield _gauge("viewers", "Pictures of cameras that are sent to viewers.", facts.viewers)
    yield _gauge("viewers_limit", "Pictures that may be sent at once.", subject.max_viewers)
    yield _gauge("people", "People who can be recognised everywhere.", facts.people)


def _frames(frames: Frames) -> Iterator[Metric]:
    yield _counter("frames_received", "Frames that came.", frames.received)
    yield _counter("frames_answered", "Frames that were answered.", frames.answered)
    yield _counter("frames_looked_at", "Answered frames that the detector looked at.", frames.keyframes)
    dropped = CounterMetricFamily(
        f"{PREFIX}frames_dropped", "Frames, and answers, that were dropped, by where.", labels=["where"]
    )
    for where, count in (
        ("overtaken", frames.overtaken),
        ("unreadable", frames.unreadable),
        ("channel", frames.unsent),
    ):
        dropped.add_metric([where], count)
    yield dropped
    stages = HistogramMetricFamily(
        f"{PREFIX}stage_seconds", "How long each stage of a frame took, where it took place.", labels=["stage"]
    )
    for stage, histogram in frames.stages.items():
        histogram.show(stages, [stage])
    yield stages
    yield _histogram("frame_wait_seconds", "From a frame's last packet to its answer.", frames.waits)
    yield _histogram("frame_age_seconds", "From the camera to the answer, by the sender's clock.", frames.ages)


def _waiting(subject: Subject, facts: Facts) -> Iterator[Metric]:
    waits, store = subject.waits, subject.store
    yield _histogram("loop_lag_seconds", "How late the event loop was.", waits.lag)
    yield _histogram("threads_wait_seconds", "How long something waited for a thread that recognises.", waits.queue)
    yield _gauge("threads_queue_age_seconds", "How long the oldest has been waiting for such a thread.", waits.age)
    yield _histogram("store_seconds", "How long the store took, waiting for its thread included.", store.asked)
    yield _histogram("store_change_seconds", "The same for changes of people.", store.changed)
    yield _counter("store_faults", "How often the store or its disk failed.", store.faults)
    yield _gauge("sightings_pending", "Sightings that are not written yet.", facts.sightings)
    if facts.webhooks is not None:
        yield _gauge("webhooks_waiting", "Deliveries to webhooks that have not arrived.", facts.webhooks.waiting)
        yield _gauge("webhooks_age_seconds", "How long ago the oldest of them happened.", facts.webhook_age)
    yield _by("jobs_waiting", "Jobs that wait for their turn.", "kind", _jobs(facts.jobs, "waiting"))
    yield _by("jobs_running", "Jobs that are being done.", "kind", _jobs(facts.jobs, "running"))
    yield _by("jobs_age_seconds", "How long the oldest that waits has been waiting.", "kind", _jobs(facts.jobs, "age"))


def _jobs(jobs: Mapping[str, Jobs], what: str) -> Mapping[str, float]:
    return {kind: float(getattr(found, what)) for kind, found in jobs.items()}


def _processes(usage: Usage) -> Iterator[Metric]:
    cpu = CounterMetricFamily(f"{PREFIX}cpu_seconds", "Processor time taken.", labels=["process"])
    memory = GaugeMetricFamily(f"{PREFIX}memory_bytes", "Memory held.", labels=["process"])
    for process, spent, held in (
        ("server", usage.cpu, usage.memory),
        ("children", usage.children_cpu, usage.children_memory),
    ):
        cpu.add_metric([process], spent)
        memory.add_metric([process], held)
    yield cpu
    yield memory
    yield _gauge("child_processes", "Processes that the server has started.", usage.children)
    yield _gauge("open_files", "Files and sockets the server has open.", usage.files)
    yield _gauge("threads", "Threads of the server.", usage.threads)
    yield _gauge("processors", "Processors of this computer.", usage.processors)
    yield _gauge("processors_busy_ratio", "Share of all processors that is busy, with whatever.", usage.busy)
    yield _gauge("computer_memory_free_bytes", "Memory of this computer that can be had.", usage.memory_free)
    yield _gauge("computer_memory_bytes", "Memory of this computer.", usage.memory_total)


def _inference(facts: Facts) -> Iterator[Metric]:
    state = facts.inference
    if state is None:
        return
    yield _gauge("inference_workers", "Processes that run the networks.", state.workers)
    yield _gauge("inference_busy", "Of them, those that compute.", state.busy)
    yield _gauge("inference_waiting", "Questions that wait for one of them.", state.waiting)
    yield _counter("inference_restarts", "Workers that were started anew.", state.restarts)
    yield _counter("inference_calls", "Questions that were answered.", state.calls)
    yield _counter("inference_batched", "Of them, answered together with others.", state.batched)


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(PREFIX + name, words, float(value))


def _counter(name: str, words: str, value: float) -> Metric:
    return CounterMetricFamily(PREFIX + name, words, float(value))


def _by(name: str, words: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(PREFIX + name, words, labels=[label])
    for key in sorted(values):
        family.add_metric([key], values[key])
    return family


def _histogram(name: str, words: str, histogram: Histogram) -> Metric:
    family = HistogramMetricFamily(PREFIX + name, words)
    histogram.show(family)
    return family


class _Once(Collector):
    def __init__(self, found: list[Metric]) -> None:
        self._found = found

    def collect(self) -> Iterator[Metric]:
        yield from self._found
