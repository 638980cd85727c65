"""A collector of traces for tests: takes OTLP over HTTP on the loopback and keeps what came."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True, slots=True)
class Received:
    """A span as it came; its ids in hex, its times in nanoseconds since 1970."""

    name: str
    trace: str
    id: str
    parent: str
    links: tuple[str, ...]
    values: dict[str, Any]
    failed: bool
    begun_ns: int
    ended_ns: int
    resource: dict[str, Any]


@dataclass(slots=True)
class Collector:
    """What has come so far.

    Attributes:
        raw: all bytes that came.
    """

    url: str = ""
    raw: bytearray = field(default_factory=bytearray)
    spans: list[Received] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, body: bytes) -> None:
        """One request's spans."""
        request = ExportTraceServiceRequest.FromString(body)
        with self._lock:
            self.raw += body
            for resource in request.resource_spans:
                of = _values(resource.resource.attributes)
                self.spans += [_span(span, of) for scope in resource.scope_spans for span in scope.spans]

    def named(self, name: str) -> list[Received]:
        """Those of that name, in the order of their beginning."""
        with self._lock:
            return sorted((span for span in self.spans if span.name == name), key=lambda span: span.begun_ns)


def _span(span: Any, resource: dict[str, Any]) -> Received:
    return Received(
        span.name, span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex(),
        tuple(link.span_id.hex() for link in span.links), _values(span.attributes), span.status.code == 2,
        span.start_time_unix_nano, span.end_time_unix_nano, resource,
    )  # fmt: skip


def _values(attributes: Any) -> dict[str, Any]:
    return {item.key: getattr(item.value, item.value.WhichOneof("value")) for item in attributes}


@contextmanager
def collector() -> Iterator[Collector]:
    """Run one on a free port."""
    found = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.take(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
