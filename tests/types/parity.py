"""The same value through the snapshot and through the log: every type, in every direction, by the target's own texts.

A stream copies the tables of the matrix. Then the source itself writes each value once more, by INSERT into a new row
and by UPDATE of one that held NULL, and deletes the rows of the keyed tables, whose keys are the values. On the target
the three texts of a value must be one, the same rows must have been put aside, and the keyed tables must be empty.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from mainstem import bootstrap
from mainstem.contract.registry import Registry
from mainstem.engine.conversion import Endpoint
from mainstem.model.event import Event
from mainstem.model.ids import STREAM, new_id
from mainstem.model.run import ChangeErrorPolicy, Mode, Progress, RunOptions
from tests.types.cases import Case, Kind
from tests.types.matrix import (
    ASIDE,
    POLICIES,
    Database,
    Server,
    ask,
    cases_between,
    database,
    fill,
)
from tests.types.render import texts

DIRECTIONS = ("mariadb-pg18", "pg15-mariadb", "pg15-pg18", "mariadb-mariadb")
INSERTED, UPDATED = 1000, 2000
_DEADLINE_S = 120.0
_MARK = "mark"
_AGAIN = {
    Kind.MYSQL: "UPDATE v_{0} a JOIN v_{0} b ON b.id = a.id - 2000 SET a.v = b.v WHERE a.id >= 2000",
    Kind.POSTGRES: "UPDATE v_{0} a SET v = b.v FROM v_{0} b WHERE b.id = a.id - 2000",
}


@dataclass(frozen=True, slots=True)
class Parity:
    """What the target holds of one type: texts by row, of each way that the values came.

    Attributes:
        left: rows of the keyed table that a DELETE did not find.
    """

    snapshot: dict[int, str | None]
    inserted: dict[int, str | None]
    updated: dict[int, str | None]
    left: int

    @property
    def problems(self) -> list[str]:
        """What is not the same."""
        wanted = {row: self.snapshot.get(row) for row in self.updated}
        told = []
        if self.inserted != self.snapshot:
            told.append(f"INSERT: {_unlike(self.snapshot, self.inserted)}")
        if self.updated != wanted:
            told.append(f"UPDATE: {_unlike(wanted, self.updated)}")
        if not set(self.snapshot) <= set(self.updated):
            told.append("UPDATE: rows are missing")
        if self.left:
            told.append(f"{self.left} rows of the keyed table were not found by DELETE")
        return told


def _unlike(one: dict[int, str | None], other: dict[int, str | None]) -> str:
    rows = [row for row in sorted({*one, *other}) if one.get(row, "gone") != other.get(row, "gone")]
    return ", ".join(f"row {row}: {one.get(row, 'gone')!r} {other.get(row, 'gone')!r}" for row in rows)


class _Stream:
    """A replication in a thread."""

    def __init__(self, source: Database, target: Database, options: RunOptions) -> None:
        find = Registry.installed().find
        ends = [Endpoint(find(end.settings.type), end.settings) for end in (source, target)]
        self.events: list[Event] = []
        self.outcome: list[Progress] = []
        self._run = bootstrap.replication(new_id(STREAM), ends[0], ends[1], options, self.events.append)
        self._thread = threading.Thread(target=lambda: self.outcome.append(self._run.run()), daemon=True)
        self._thread.start()

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _DEADLINE_S
        while not condition():
            told = "\n".join(event.message for event in self.events[-20:])
            assert self._thread.is_alive(), f"the stream ended before {what}: {self.outcome}\n{told}"
            assert time.monotonic() < deadline, f"not within {_DEADLINE_S:.0f} s: {what}\n{told}"
            time.sleep(0.02)

    def stop(self) -> None:
        self._run.stop()
        self._thread.join(_DEADLINE_S)


@contextmanager
def _streaming(source: Database, target: Database, options: RunOptions) -> Iterator[_Stream]:
    stream = _Stream(source, target, options)
    try:
        yield stream
    finally:
        stream.stop()


def _arrived(target: Database, number: int) -> Callable[[], bool]:
    def look() -> bool:
        there = _MARK in dict(target.run(_TABLES[target.kind]))
        return there and bool(target.run(f"SELECT 1 FROM {_MARK} WHERE id = {number}"))

    return look


_TABLES = {
    Kind.MYSQL: "SELECT table_name, 1 FROM information_schema.tables WHERE table_schema = DATABASE()",
    Kind.POSTGRES: "SELECT relname, 1 FROM pg_class WHERE relnamespace = 'public'::regnamespace",
}


def through_both(servers: dict[str, Server], name: str, *, policies: bool = False) -> dict[str, Parity]:
    """Every type of a direction (``mariadb-pg18``), by the case's name.

    Args:
        policies: values that the target cannot hold are changed by policy rather than put aside.
    """
    from_, to = (servers[end] for end in name.split("-"))
    cases = cases_between(*name.split("-"))
    base = POLICIES if policies else ASIDE
    options = replace(
        base, mode=Mode.CDC, changes=replace(base.changes, row_errors=ChangeErrorPolicy.QUARANTINE), retry_seconds=5.0
    )
    with ExitStack() as stack:
        source, target = (stack.enter_context(database(end)) for end in (from_, to))
        fill(source, cases)
        source.run(f"CREATE TABLE {_MARK} (id INT PRIMARY KEY)")
        stream = stack.enter_context(_streaming(source, target, options))
        source.run(f"INSERT INTO {_MARK} VALUES (1)")
        stream.wait(_arrived(target, 1), "the copy was done")
        _write_again(source, cases)
        source.run(f"INSERT INTO {_MARK} VALUES (2)")
        stream.wait(_arrived(target, 2), "the changes arrived")
        return {case.name: _look(source, target, case) for case in cases}


def _write_again(source: Database, cases: Sequence[Case]) -> None:
    for case in cases:
        table = f"v_{case.name}"
        source.run(f"INSERT INTO {table} SELECT id + {INSERTED}, v FROM {table}")
        source.run(f"INSERT INTO {table} SELECT id + {UPDATED}, NULL FROM {table} WHERE id < {INSERTED}")
        source.run(_AGAIN[source.kind].format(case.name))
        source.run(f"DELETE FROM k_{case.name}")


def _look(source: Database, target: Database, case: Case) -> Parity:
    family = case.family if source.kind is target.kind else case.other.family or case.family
    text = texts(family, source.kind, target.kind).target
    found = ask(target, f"v_{case.name}", text, case.native)
    ways: list[dict[int, str | None]] = [{}, {}, {}]
    for row, value in found.items():
        ways[row // INSERTED][row % INSERTED] = value
    left = target.run(f"SELECT COUNT(*) FROM k_{case.name}")[0][0]
    return Parity(ways[0], ways[1], ways[2], int(left))
