"""A frame as spans of OpenTelemetry, made of its measured times after the fact: a frame that is not chosen pays one
random number, and one that is chosen a moment after its answer.

What is in a span is numbers and flags alone.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from server import __version__
from server.received_frame import ReceivedFrame
from server.settings import StartError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

logger = logging.getLogger(__name__)

LOOK = ("convert", "detect", "embed", "attributes")  # in the order they are done
TIMEOUT = 5.0  # seconds for one batch
LAST = 2.0  # seconds for what is left at the end


@dataclass(frozen=True, slots=True)
class Trace:
    """A frame that was chosen: ``timing`` is what its answer says of it, in milliseconds by stage and seconds of the
    clock."""

    received: ReceivedFrame
    timing: Mapping[str, float | None]
    faces: int
    keyframe: bool
    sent: bool


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a frame's way, in seconds since 1970."""

    name: str
    began: float
    ended: float
    parts: tuple[Span, ...] = ()


def spans(trace: Trace, look: Mapping[str, float] | None, *, ahead: bool, now: float) -> Span:
    """A frame's way: ``look`` is the stages of its look, if there was one, ``ahead`` of the answer or after it.

    Durations are measured; where a part lies follows from their order. What is between the parts is waiting.
    """
    timing = trace.timing
    sent = timing["sent"] or now
    taken = sent - (timing["total"] or 0.0) / 1e3
    decoded = taken - trace.received.queue_ms / 1e3
    complete = decoded - trace.received.decode_ms / 1e3
    began = complete if trace.received.received is None else min(complete, trace.received.received)
    flow = (timing["flow"] or 0.0) / 1e3
    parts = [
        Span("receive", began, complete),
        Span("decode", complete, decoded),
        Span("queue", decoded, taken),
        Span("advance", taken, min(sent, taken + flow)),
    ]
    ended = sent
    if look is not None:
        stages, at = [], 0.0
        for stage in LOOK:
            took = look.get(stage, 0.0) / 1e3
            if took > 0:
                stages.append((stage, at, at + took))
                at += took
        ended = sent if ahead else max(now, sent + at)
        start = max(taken, ended - at)
        inside = tuple(Span(stage, start + first, min(ended, start + last)) for stage, first, last in stages)
        parts.append(Span("look", start, ended, inside))
    # What is made and sent of it: from the last that was computed for the answer.
    computed = max(part.ended for part in parts if part.name != "look" or ahead)
    parts.append(Span("answer", min(computed, sent), sent))
    return Span("frame", began, max(ended, sent), tuple(parts))


class Sampler:
    """Chooses frames, and sends what became of them to a collector (OTLP over HTTP). A collector that does not answer
    costs no frame anything; it is said once in the log."""

    def __init__(self, endpoint: str, share: float, node: str = "") -> None:
        """Raises :class:`server.settings.StartError` where OpenTelemetry is not installed."""
        self._share = share
        self._random = random.Random()
        self._provider = _provider(endpoint, node)
        self._tracer = self._provider.get_tracer("visavis", __version__)

    def choose(self) -> bool:
        """Whether this frame is traced."""
        return self._random.random() < self._share

    def keep(self, trace: Trace, look: Mapping[str, float] | None, *, ahead: bool) -> None:
        """Hand a frame on; it is sent later, by another thread."""
        way = spans(trace, look, ahead=ahead, now=time.time())
        attributes = {
            "visavis.width": trace.received.frame.width,
            "visavis.height": trace.received.frame.height,
            "visavis.faces": trace.faces,
            "visavis.keyframe": trace.keyframe,
            "visavis.skipped": trace.received.skipped,
            "visavis.sent": trace.sent,
        }
        self._write(way, None, attributes)

    def close(self) -> None:
        """Send what is left, within two seconds. Blocks."""
        # OpenTelemetry itself waits for as long as a collector takes to say no, and for every batch anew.
        ending = threading.Thread(target=self._end, name="traces: end", daemon=True)
        ending.start()
        ending.join(LAST)

    def _end(self) -> None:
        self._provider.force_flush()
        self._provider.shutdown()

    def _write(self, span: Span, within: Any, attributes: Mapping[str, int | bool] | None = None) -> None:
        from opentelemetry.context import Context
        from opentelemetry.trace import set_span_in_context

        context = Context() if within is None else within  # never what happens to be current
        made = self._tracer.start_span(span.name, context, attributes=attributes, start_time=_nanoseconds(span.began))
        inside = set_span_in_context(made, Context())
        for part in span.parts:
            self._write(part, inside)
        made.end(_nanoseconds(span.ended))


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)


def _provider(endpoint: str, node: str) -> TracerProvider:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ALWAYS_ON
    except ImportError:
        raise StartError(
            "traces: OpenTelemetry is not installed; pip install 'visavis[traces]', or leave the setting empty"
        ) from None
    # Its own words at every failure would fill the log, with the address in them.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    named = {"service.name": "visavis", "service.version": __version__}
    resource = Resource({**named, **({"service.instance.id": node} if node else {})})
    provider = TracerProvider(sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False)  # chosen already
    exporter = _said_once(OTLPSpanExporter(endpoint=endpoint, timeout=TIMEOUT))
    provider.add_span_processor(BatchSpanProcessor(exporter, export_timeout_millis=TIMEOUT * 1e3))
    return provider


def _said_once(exporter: SpanExporter) -> SpanExporter:
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    class SaidOnce(SpanExporter):
        """Says once that a collector takes nothing, and once that it takes something again."""

        failing = False

        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            try:
                result = exporter.export(spans)
            except Exception:  # whatever it is: no frame suffers from it
                result = SpanExportResult.FAILURE
            failed = result is not SpanExportResult.SUCCESS
            if failed and not self.failing:
                logger.warning("traces cannot be sent: the collector in the setting traces does not take them")
            elif self.failing and not failed:
                logger.warning("traces can be sent again")
            self.failing = failed
            return result

        def shutdown(self) -> None:
            exporter.shutdown()

        def force_flush(self, timeout_millis: int = 30_000) -> bool:
            return exporter.force_flush(timeout_millis)

    return SaidOnce()
