"""Spans by OpenTelemetry's SDK, sent by OTLP over HTTP. The one module that imports it."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from urllib.parse import urlsplit

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from mainstem import __version__
from mainstem.tracing import MAX_LINKS, Kind, Span, Value

FLUSH_MS = 2_000
EXPORT_S = 5
_PREFIX = "mainstem."
_HEADER = "traceparent"
_KINDS = {kind: trace.SpanKind[kind.value] for kind in Kind}
_STANDARD = {
    "http_request_method": "http.request.method",
    "http_response_status_code": "http.response.status_code",
    "http_route": "http.route",
}
_log = logging.getLogger(__name__)
_words = TraceContextTextMapPropagator()


class OtelSpan:
    """A span of OpenTelemetry."""

    def __init__(self, inner: trace.Span) -> None:
        self.inner = inner

    @property
    def carrier(self) -> str:
        """As W3C's traceparent."""
        return _carrier(trace.set_span_in_context(self.inner, Context()))

    def name(self, name: str) -> None:
        """Call it otherwise."""
        self.inner.update_name(name)

    def note(self, **values: Value) -> None:
        """Attributes; those that OpenTelemetry has names for have these."""
        self.inner.set_attributes({_spelled(name): value for name, value in values.items()})

    def fail(self, code: str) -> None:
        """An error's code; its message stays here."""
        self.inner.set_attribute("error.type", code)
        self.inner.set_status(trace.StatusCode.ERROR)

    def end(self) -> None:
        """It is over."""
        self.inner.end()


class _Told(SpanExporter):
    """An exporter whose failures are told once, and not with each batch as it would itself."""

    def __init__(self, inner: SpanExporter) -> None:
        self._inner, self._failing = inner, False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send; what cannot be sent is lost."""
        result = self._inner.export(spans)
        failing = result is not SpanExportResult.SUCCESS
        if failing and not self._failing:
            _log.warning("traces cannot be sent to their collector, and are lost until it answers")
        elif self._failing and not failing:
            _log.info("traces are sent again")
        self._failing = failing
        return result

    def shutdown(self) -> None:
        """End."""
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = FLUSH_MS) -> bool:
        """Nothing waits here."""
        return self._inner.force_flush(timeout_millis)


class OtelTracer:
    """A provider of its own, so that another user of OpenTelemetry in the process is left alone."""

    def __init__(self, endpoint: str, resource: Mapping[str, str]) -> None:
        named = {} if os.environ.get("OTEL_SERVICE_NAME") else {SERVICE_NAME: "mainstem"}
        words = {f"{_PREFIX if name == 'roles' else 'service.'}{name}": value for name, value in resource.items()}
        self._provider = TracerProvider(
            resource=Resource.create({**named, "service.version": __version__, **words}), shutdown_on_exit=False
        )
        exporter = OTLPSpanExporter(endpoint=_traces_of(endpoint), timeout=EXPORT_S)
        self._provider.add_span_processor(BatchSpanProcessor(_Told(exporter)))
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        self._tracer = self._provider.get_tracer("mainstem", __version__)

    def begin(self, name: str, kind: Kind, parent: str | None, links: Sequence[str], values: dict[str, Value]) -> Span:
        """As `tracing.span` says."""
        context = None if parent is None else _context_of(parent)
        linked = [trace.Link(found) for found in map(_of, links[:MAX_LINKS]) if found.is_valid]
        attributes = {_spelled(key): value for key, value in values.items()}
        return OtelSpan(self._tracer.start_span(name, context, kind=_KINDS[kind], attributes=attributes, links=linked))

    def attached(self, span: Span) -> AbstractContextManager[trace.Span]:
        """The span is the one that this thread is in; its end and its errors are its maker's to tell."""
        inner = span.inner if isinstance(span, OtelSpan) else trace.INVALID_SPAN
        return trace.use_span(inner, end_on_exit=False, record_exception=False, set_status_on_exception=False)

    def resumed(self, carrier: str) -> AbstractContextManager[trace.Span]:
        """The span of elsewhere is the one that this thread is in."""
        return trace.use_span(trace.NonRecordingSpan(_of(carrier)))

    def carrier(self) -> str:
        """Of the span that this thread is in."""
        return _carrier(None)

    def close(self) -> None:
        """Send what waits; a collector that is not there holds nothing up for long."""
        closing = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        closing.start()
        closing.join(FLUSH_MS / 1000)  # the SDK's own deadline is one for each batch


def _spelled(name: str) -> str:
    return _STANDARD.get(name, _PREFIX + name)


def _traces_of(endpoint: str) -> str | None:
    """Where spans go: an address without a path is that of all signals."""
    if not endpoint:
        return None
    return endpoint if urlsplit(endpoint).path.strip("/") else endpoint.rstrip("/") + "/v1/traces"


def _carrier(context: Context | None) -> str:
    words: dict[str, str] = {}
    _words.inject(words, context)
    return words.get(_HEADER, "")


def _context_of(carrier: str) -> Context:
    return _words.extract({_HEADER: carrier}, Context()) if carrier else Context()


def _of(carrier: str) -> trace.SpanContext:
    return trace.get_current_span(_context_of(carrier)).get_span_context()
