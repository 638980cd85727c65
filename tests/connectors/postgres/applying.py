"""A stream of one's own into a database of one's own, fed by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
import pytest

from mainstem.connectors.postgres import segment
from mainstem.connectors.postgres.apply import PostgresApplier, PostgresChangeTarget
from mainstem.connectors.postgres.book import PostgresBook
from mainstem.contract.apply import Applied
from mainstem.model.change import RowChanges
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from mainstem.model.plan import TablePlan
from mainstem.model.run import ChangeOptions, RunOptions, TableState
from mainstem.model.stream import Checkpoint, StoredStream, StreamTable
from tests.native.net_oracle import Event, changes_of

STREAM = "s1"
WAYS = [pytest.param(("postgres_db", 0), id="by sets"), pytest.param(("postgres15_db", 1000), id="one by one")]
"""A database, and how many events are few: each way on one of the versions."""


def database_of(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ConnectionSettings:
    """That of a parameter out of `WAYS`, whose other half is set."""
    name, few = request.param
    monkeypatch.setattr(segment, "FEW", few)
    settings: ConnectionSettings = request.getfixturevalue(name)
    return settings


@dataclass
class Stream:
    """An applier with its tables."""

    applier: PostgresApplier
    book: PostgresBook
    tables: dict[TableId, StreamTable] = field(default_factory=dict)
    position: int = 0

    def apply(self, *parts: RowChanges) -> Applied:
        """Apply parts in a transaction of their own."""
        self.applier.begin()
        try:
            applied = self.applier.apply(parts, self.tables)
        except BaseException:
            self.applier.rollback()
            raise
        self.commit()
        return applied

    def commit(self) -> None:
        """At the next position."""
        self.position += 1
        self.applier.commit(Checkpoint(str(self.position), self.position))

    def events(self, *events: tuple[str, Event], at_once: bool = False) -> Applied:
        """Apply events of tables by their names, in one segment, in this order."""
        return self.apply(*self.parts(*events))

    def parts(self, *events: tuple[str, Event]) -> list[RowChanges]:
        """Events of tables by their names."""
        made = []
        for source, table in self.tables.items():
            own = [(seq, event) for seq, (name, event) in enumerate(events) if name == source.name]
            if own:
                width, identity = len(table.plan.columns), table.plan.identity
                part = changes_of([event for _, event in own], width, identity, source)
                made.append(replace(part, seqs=numbers([seq for seq, _ in own])))
        return made


def numbers(values: Sequence[int]) -> Any:
    """As ``seqs``."""
    import pyarrow as pa

    return pa.array(values, pa.int64())


@contextmanager
def streaming(
    settings: ConnectionSettings,
    plans: Sequence[TablePlan],
    changes: ChangeOptions | None = None,
    states: Mapping[str, TableState] | None = None,
    **options: Any,
) -> Iterator[Stream]:
    """Begin a stream of these tables."""
    target = PostgresChangeTarget(settings, RunOptions(changes=changes or ChangeOptions(), **options))
    tables = {
        plan.source: StreamTable(plan, (), (states or {}).get(plan.source.name, TableState.STREAMING)) for plan in plans
    }
    with target.book(STREAM) as book:
        book.create(StoredStream("{}", Checkpoint("0"), tuple(tables.values())))
        with target.applier(STREAM) as applier:
            yield Stream(applier, book, tables)


def rows(sql: psycopg.Connection[Any], query: str) -> list[tuple[Any, ...]]:
    """What a query says."""
    return sql.execute(query.encode()).fetchall()
