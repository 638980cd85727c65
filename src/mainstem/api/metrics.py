"""/metrics in Prometheus' text form; the first four names are those of the documented API."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from mainstem import __version__
from mainstem.api.services import Plane, Services
from mainstem.contract.hub import HubFill, HubTraffic
from mainstem.contract.store import StreamRecord
from mainstem.control.clock import now_us
from mainstem.control.fleet import Fleet
from mainstem.control.members import Role
from mainstem.control.rates import OPERATIONS, events
from mainstem.control.states import ACTIVE
from mainstem.model.alert import AlertKind
from mainstem.model.run import ChangeProgress, Mode, Progress, RunState

router = APIRouter(tags=["system"])
NEWEST = 100
_TEXT = "text/plain; version=0.0.4; charset=utf-8"


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(plane: Plane) -> Response:
    """Rows, bytes, changes, lag and running time of the newest streams; how many there are in each state.

    Of several servers over one store, each tells of the streams that it runs and of its hub; the one that is there the
    longest also of the others: whoever asks all of them hears of each stream once.
    """
    return _answer(plane, whole=False)


def _answer(plane: Services, *, whole: bool) -> Response:
    registry = CollectorRegistry()
    registry.register(_Streams(plane, whole=whole))
    return Response(generate_latest(registry), media_type=_TEXT)


@router.get("/streams/source/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def source_metrics(plane: Plane) -> Response:
    """The same (an older path), of all streams, from whichever server."""
    return _answer(plane, whole=True)


@router.get("/streams/target/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def target_metrics(plane: Plane) -> Response:
    """The same (an older path), of all streams, from whichever server."""
    return _answer(plane, whole=True)


class _Streams(Collector):
    """Reads the streams when it is asked.

    Args:
        whole: all of the store, also what another process tells.
    """

    def __init__(self, plane: Services, *, whole: bool) -> None:
        self._plane = plane
        self._tells_rest = whole or plane.fleet.members.is_eldest
        self._whole = whole

    def _told_here(self, records: Sequence[StreamRecord]) -> list[StreamRecord]:
        if self._whole:
            return list(records)
        me, led = self._plane.fleet.members.me.id, self._plane.fleet.led()
        elsewhere = {stream for member, streams in led.items() if member != me for stream in streams}
        mine = set(led.get(me, ()))
        return [one for one in records if one.id in mine or (self._tells_rest and one.id not in elsewhere)]

    def collect(self) -> Iterable[Metric]:
        records = self._plane.streams.all()
        told = self._told_here(records)[:NEWEST]
        newest = [(record, self._plane.supervisor.progress(record)) for record in told]
        yield from _sides(newest)
        yield from _counters(newest)
        yield from _table_states(newest)
        yield from _changes(newest)
        yield from self._alerts(newest)
        state = Metric("mainstem_stream_state", "1 for the state that a stream is in", "gauge")
        for record, _ in newest:
            labels = {"stream": record.id, "name": record.config_name, "mode": record.mode, "state": record.state}
            state.add_sample("mainstem_stream_state", labels, 1)
        yield state
        states = Metric("mainstem_streams", "Streams by state", "gauge")
        for one in RunState if self._tells_rest else ():
            states.add_sample("mainstem_streams", {"state": one}, sum(record.state is one for record in records))
        yield states
        yield from _hub(self._plane.hub_traffic())
        yield from _fleet(self._plane.fleet)
        build = Metric("mainstem_build_info", "The version that runs", "gauge")
        build.add_sample("mainstem_build_info", {"version": __version__}, 1)
        yield build

    def _alerts(self, newest: list[tuple[StreamRecord, Progress]]) -> Iterable[Metric]:
        metric = Metric("mainstem_alerts", "Alerts that are not over", "gauge")
        for record, progress in newest:
            counts = Counter(alert.kind for alert in progress.alerts)
            for kind in AlertKind if record.mode == Mode.CDC and record.state in ACTIVE else ():
                metric.add_sample("mainstem_alerts", {"stream": record.id, "alert": kind}, counts[kind])
        yield metric


_HUB = (
    ("messages", "Messages sent", "counter"),
    ("bytes", "Bytes sent, as they travel", "counter"),
    ("plain_bytes", "Bytes sent, before they were compressed", "counter"),
    ("redelivered", "Messages that came once more and were passed over", "counter"),
    ("deduplicated", "Messages that were offered once more and stored once", "counter"),
    ("full", "Times that a message found no room and waited", "counter"),
    ("waiting_messages", "Messages that wait in the hub", "gauge"),
    ("waiting_bytes", "Bytes that wait in the hub", "gauge"),
)


def _hub(traffic: HubTraffic | None) -> Iterable[Metric]:
    """A hub that is memory has none of these."""
    if traffic is None:
        return
    for member, text, kind in _HUB:
        metric = Metric(f"mainstem_hub_{member}", text, kind)
        metric.add_sample(metric.name + "_total" * (kind == "counter"), {}, getattr(traffic, member))
        yield metric
    for name, text, value in _FILLS:
        metric = Metric(f"mainstem_hub_{name}", text, "gauge")
        for stream, fills in _by_stream(traffic.fills).items():
            metric.add_sample(metric.name, {"stream": stream}, value(fills))
        yield metric


_FILLS: tuple[tuple[str, str, Callable[[Sequence[HubFill]], float]], ...] = (
    ("stream_messages", "Messages that wait in the hub of a stream", lambda fills: sum(one.messages for one in fills)),
    ("stream_bytes", "Bytes that wait in the hub of a stream", lambda fills: sum(one.bytes for one in fills)),
    ("stream_max_bytes", "Bytes that may wait there, until its readers wait for room",
     lambda fills: sum(one.max_bytes for one in fills)),
    ("stream_oldest_seconds", "For how long the oldest message in the hub of a stream has waited",
     lambda fills: max(one.oldest_s for one in fills)),
    ("stream_max_age_seconds", "For how long it may before it is dropped; 0 is for ever",
     lambda fills: max(one.max_age_s for one in fills)),
)  # fmt: skip


def _by_stream(fills: Iterable[HubFill]) -> dict[str, list[HubFill]]:
    """A stream that copies tables while it follows others has several."""
    found: dict[str, list[HubFill]] = {}
    for fill in fills:
        found.setdefault(fill.stream_id, []).append(fill)
    return found


def _fleet(fleet: Fleet) -> Iterable[Metric]:
    """The processes that live, and what each of them leads: the same from whichever is asked."""
    known, led = fleet.members.live(), fleet.led()
    metric = Metric("mainstem_members", "Processes that live, by role", "gauge")
    for role in Role:
        metric.add_sample(metric.name, {"role": role}, sum(role in member.roles for member in known))
    yield metric
    metric = Metric("mainstem_led_streams", "Streams that a process leads", "gauge")
    for member in known:
        metric.add_sample(metric.name, {"member": member.id, "host": member.host}, len(led.get(member.id, ())))
    yield metric


def _sides(newest: list[tuple[StreamRecord, Progress]]) -> Iterable[Metric]:
    """The documented names. Their counters lack the suffix that the library gives to counters, hence no type."""
    for name, text, member in (
        ("source_events_in", "Rows and changes read at the source", "rows_read"),
        ("target_events_out", "Rows and changes durable in the target", "rows_written"),
    ):
        metric = Metric(name, text, "unknown")
        for record, progress in newest:
            metric.add_sample(name, {"streamID": record.id}, getattr(progress, member) + events(progress))
        yield metric
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


def _table_states(newest: list[tuple[StreamRecord, Progress]]) -> Iterable[Metric]:
    """The state of each table of streams that are under way: 1 for the one that it is in."""
    metric = Metric("mainstem_table_state", "1 for the state that a table is in", "gauge")
    for record, progress in newest:
        for table in progress.tables if record.state in ACTIVE else ():
            labels = {"stream": record.id, "table": str(table.source), "state": table.state}
            metric.add_sample("mainstem_table_state", labels, 1)
    yield metric


def _changes(newest: list[tuple[StreamRecord, Progress]]) -> Iterable[Metric]:
    """What replications have: changes per table and operation, how far the target is behind, what the source keeps."""
    replications = [(record, progress) for record, progress in newest if record.mode == Mode.CDC]
    changes = Metric("mainstem_changes", "Changes applied", "counter")
    for record, progress in replications:
        for table in progress.tables:
            for operation, member in OPERATIONS.items():
                labels = {"stream": record.id, "table": str(table.source), "operation": operation}
                changes.add_sample("mainstem_changes_total", labels, getattr(table, member))
    yield changes
    for name, text, member in (
        ("mainstem_changes_missing_rows", "Changes whose row the target did not have", "missing"),
        ("mainstem_dead_letters", "Changes that were put aside and are still there", "letters"),
    ):
        metric = Metric(name, text, "gauge")
        for record, progress in replications:
            for table in progress.tables:
                metric.add_sample(name, {"stream": record.id, "table": str(table.source)}, getattr(table, member))
        yield metric
    standing = [(record, progress.changes) for record, progress in replications if progress.changes is not None]
    for name, text, value in _STANDING:
        metric = Metric(name, text, "gauge")
        for record, stands in standing:
            found = value(stands)
            if found is not None and (record.state in ACTIVE or name in _LASTING):
                metric.add_sample(name, {"stream": record.id}, found)
        yield metric


def _age_s(at_us: int) -> float | None:
    return max(now_us() - at_us, 0) / 1e6 if at_us else None


_STANDING: tuple[tuple[str, str, Callable[[ChangeProgress], float | None]], ...] = (
    ("mainstem_lag_seconds", "How far the target is behind the source", lambda stands: stands.lag_s),
    ("mainstem_lag_bytes", "The source's log that is not applied yet", lambda stands: stands.lag_bytes),
    ("mainstem_lag_transactions", "Transactions read and not yet applied", lambda stands: stands.lag_transactions),
    ("mainstem_transactions", "Transactions applied since the stream began", lambda stands: stands.transactions),
    ("mainstem_source_held_bytes", "Log that the source keeps for the stream", lambda stands: stands.held_bytes),
    ("mainstem_applied_age_seconds", "Time since the target's last commit", lambda stands: _age_s(stands.applied_us)),
    (
        "mainstem_committed_age_seconds", "Age of the newest source transaction that is applied",
        lambda stands: _age_s(stands.committed_us),
    ),
)  # fmt: skip
_LASTING = frozenset({"mainstem_transactions"})
