"""Which alerts there are, from how a stream stands. Pure: it only decides; whoever listens sends them."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass

from mainstem.contract.changes import Retention
from mainstem.contract.hub import HubAge
from mainstem.model.alert import Alert, AlertKind
from mainstem.model.run import ChangeOptions, ChangeProgress, TableProgress, TableState

AT_RISK = 0.5
"""The share of what the source keeps, or of the time in the hub, that may be used up before an alert tells of it."""

FULL_S, FULL_SHARE = 60.0, 0.9
"""A hub is full for long when so much of so many seconds was spent on waiting for room in it."""

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Vitals:
    """How a stream stands at one moment.

    Attributes:
        heard_s, durable_s: seconds since the source said anything, and since anything became durable.
        waiting: something is read and not durable.
        streaming: the copy is over, and the stream is not paused.
        full: the hub had no room for what was read, for `FULL_S` and nearly all of that time.
        age: of what waits in a hub that drops what has waited for too long; None while the stream is paused.
        trouble: why there is no connection; empty while there is one.
    """

    progress: ChangeProgress
    heard_s: float
    durable_s: float
    waiting: bool
    streaming: bool
    retention: Retention | None
    tables: tuple[TableProgress, ...] = ()
    full: bool = False
    age: HubAge | None = None
    trouble: str = ""


class FullHub:
    """Whether a hub is full for long: not once, but for a whole window nearly without a break."""

    def __init__(self) -> None:
        self._looks: deque[tuple[float, float]] = deque()

    def look(self, now_s: float, waited_s: float) -> bool:
        """Take what a reader has waited for room since it began; whether that is nearly all of the window."""
        self._looks.append((now_s, waited_s))
        while len(self._looks) > 1 and self._looks[1][0] <= now_s - FULL_S:
            self._looks.popleft()
        begun_s, before_s = self._looks[0]
        return now_s - begun_s >= FULL_S and waited_s - before_s >= FULL_SHARE * (now_s - begun_s)


def due(vitals: Vitals, options: ChangeOptions) -> list[Alert]:
    """The alerts that hold now."""
    return [
        *_lag(vitals, options), *_silence(vitals, options), *_hub(vitals), *_retention(vitals.retention),
        *_tables(vitals.tables),
    ]  # fmt: skip


def _lag(vitals: Vitals, options: ChangeOptions) -> Iterator[Alert]:
    if vitals.streaming and not vitals.trouble and 0 < options.max_lag_s < vitals.progress.lag_s:
        yield Alert(
            AlertKind.LAG,
            f"the target is {vitals.progress.lag_s:,.0f} s behind the source, more than {options.max_lag_s:,} s",
            "look at what the target waits for (locks, disk), or whether a very large transaction is on its way",
        )


def _silence(vitals: Vitals, options: ChangeOptions) -> Iterator[Alert]:
    limit = options.max_silence_s
    if not vitals.streaming or not limit:
        return
    if vitals.trouble and vitals.progress.lag_s > limit:
        yield Alert(
            AlertKind.SILENCE, f"there is no connection, for {vitals.progress.lag_s:,.0f} s: {vitals.trouble}",
            "see that both servers can be reached; the connection is made anew by itself",
        )  # fmt: skip
    elif vitals.heard_s > limit:
        yield Alert(
            AlertKind.SILENCE, f"the source has said nothing for {vitals.heard_s:,.0f} s",
            "check the network between here and the source; the connection is given up and made anew by itself",
        )  # fmt: skip
    elif vitals.waiting and vitals.durable_s > limit:
        yield Alert(
            AlertKind.SILENCE, f"changes wait, and none became durable for {vitals.durable_s:,.0f} s",
            "look at what the target waits for: a lock, a full disk, a very large transaction",
        )  # fmt: skip


def _hub(vitals: Vitals) -> Iterator[Alert]:
    if vitals.streaming and vitals.full:
        yield Alert(
            AlertKind.HUB, f"the hub has been full for {FULL_S:.0f} s: the target is slower than the source",
            "the writer is the bottleneck: look at what the target waits for (locks, disk, indexes). Nothing is lost"
            " while the source keeps its log, so look at what it may keep, too",
        )  # fmt: skip
    elif vitals.age is not None and vitals.age.oldest_s > AT_RISK * vitals.age.max_age_s:
        yield Alert(
            AlertKind.HUB,
            f"what waits in the hub has waited for {vitals.age.oldest_s:,.0f} of the {vitals.age.max_age_s:,.0f} s that"
            " it may",
            "look at what the target waits for (locks, disk); what is dropped is read from the source again, which must"
            " still have it. More time: nats://…?max_age=TIME",
        )


def _retention(retention: Retention | None) -> Iterator[Alert]:
    if retention is None:
        return
    remedy = "let the stream catch up, or have the source keep its log for longer; behind that only a new copy helps"
    if retention.lost:
        yield Alert(AlertKind.RETENTION, "the source no longer has the log that the stream still needs", remedy)
        return
    for used, limit, unit in (
        (retention.held_bytes, retention.limit_bytes, _MIB),
        (retention.oldest_s, retention.limit_s, 60),
    ):
        if used is not None and limit and used > AT_RISK * limit:
            name = "MiB" if unit == _MIB else "min"
            told = f"{used / unit:,.0f} of {limit / unit:,.0f} {name} of the log that the source keeps are used up"
            yield Alert(AlertKind.RETENTION, told, remedy)
            return


def _tables(tables: Iterable[TableProgress]) -> Iterator[Alert]:
    for table in tables:
        if table.state in (TableState.PAUSED, TableState.FAILED):
            yield Alert(
                AlertKind.TABLE, f"{table.source} is {table.state}: {table.error}", table.remedy, str(table.source)
            )


class AlertBook:
    """Which alerts are known, so that each is told once when it begins and once when it is over."""

    def __init__(self) -> None:
        self._known: dict[tuple[AlertKind, str], Alert] = {}
        self._former: set[tuple[AlertKind, str]] = set()

    @property
    def current(self) -> tuple[Alert, ...]:
        """Those that are not over."""
        return tuple(self._known.values())

    def remember(self, alerts: Iterable[Alert]) -> None:
        """These began before, in a run that is over, and were told then."""
        self._known.update({(alert.kind, alert.subject): alert for alert in alerts})
        self._former = set(self._known)

    def update(self, alerts: Iterable[Alert], unsure: Container[AlertKind] = ()) -> list[Alert]:
        """What is to be told now.

        Args:
            unsure: kinds of which it is not known yet what of a former run still holds.
        """
        now = {(alert.kind, alert.subject): alert for alert in alerts}
        self._former = {key for key in self._former if key in now or key[0] in unsure}
        now |= {key: self._known[key] for key in self._former if key not in now}
        told = [alert for key, alert in now.items() if key not in self._known]
        for key, alert in self._known.items():
            if key not in now:
                told.append(Alert(alert.kind, f"over: {alert.message}", "", alert.subject, over=True))
        self._known = now
        return told
