"""/metrics in Prometheus' text form; the first four names are those of the documented API."""

from __future__ import annotations

from collections.abc import Iterable

from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from mainstem import __version__
from mainstem.api.services import Plane, Services
from mainstem.contract.store import StreamRecord
from mainstem.model.run import Progress, RunState

router = APIRouter(tags=["system"])
NEWEST = 100
_TEXT = "text/plain; version=0.0.4; charset=utf-8"


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(plane: Plane) -> Response:
    """Rows, bytes and running time of the newest streams; how many there are in each state."""
    registry = CollectorRegistry()
    registry.register(_Streams(plane))
    return Response(generate_latest(registry), media_type=_TEXT)


@router.get("/streams/source/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def source_metrics(plane: Plane) -> Response:
    """The same (an older path)."""
    return metrics(plane)


@router.get("/streams/target/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def target_metrics(plane: Plane) -> Response:
    """The same (an older path)."""
    return metrics(plane)


class _Streams(Collector):
    """Reads the streams when it is asked."""

    def __init__(self, plane: Services) -> None:
        self._plane = plane

    def collect(self) -> Iterable[Metric]:
        records = self._plane.streams.all()
        newest = [(record, self._plane.supervisor.progress(record)) for record in records[:NEWEST]]
        yield from _sides(newest)
        yield from _counters(newest)
        states = Metric("mainstem_streams", "Streams by state", "gauge")
        for state in RunState:
            states.add_sample("mainstem_streams", {"state": state}, sum(record.state is state for record in records))
        yield states
        build = Metric("mainstem_build_info", "The version that runs", "gauge")
        build.add_sample("mainstem_build_info", {"version": __version__}, 1)
        yield build


def _sides(newest: list[tuple[StreamRecord, Progress]]) -> Iterable[Metric]:
    """The documented names. Their counters lack the suffix that the library gives to counters, hence no type."""
    for name, text, member in (
        ("source_events_in", "Rows read at the source", "rows_read"),
        ("target_events_out", "Rows durable in the target", "rows_written"),
    ):
        events = Metric(name, text, "unknown")
        for record, progress in newest:
            events.add_sample(name, {"streamID": record.id}, getattr(progress, member))
        yield events
    for name in ("source_duration_seconds", "target_duration_seconds"):
        duration = Metric(name, "Running time without pauses, in seconds", "gauge")
        for record, progress in newest:
            duration.add_sample(name, {"status": record.state, "streamID": record.id}, progress.elapsed_s)
        yield duration


def _counters(newest: list[tuple[StreamRecord, Progress]]) -> Iterable[Metric]:
    """Ours: per table."""
    for name, text, member in (
        ("mainstem_rows_read", "Rows read", "rows_read"),
        ("mainstem_rows_written", "Rows durable in the target", "rows_written"),
        ("mainstem_rows_rejected", "Rows put aside", "rows_rejected"),
        ("mainstem_bytes_read", "Bytes of cells read", "bytes_read"),
    ):
        counter = Metric(name, text, "counter")
        for record, progress in newest:
            for table in progress.tables:
                labels = {"stream": record.id, "table": str(table.source)}
                counter.add_sample(f"{name}_total", labels, getattr(table, member))
        yield counter
