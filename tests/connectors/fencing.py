"""Two processes that both take a run or stream for theirs, in a target of either kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from mainstem.connectors.mysql import client as mysql
from mainstem.connectors.mysql.apply import MysqlChangeTarget
from mainstem.connectors.mysql.target import MysqlTarget
from mainstem.connectors.mysql.types import logical_type as mysql_type
from mainstem.connectors.postgres import client as postgres
from mainstem.connectors.postgres.apply import PostgresChangeTarget
from mainstem.connectors.postgres.load import PostgresTarget
from mainstem.connectors.postgres.native import logical_type as postgres_type
from mainstem.contract.apply import Applier, ChangeTarget
from mainstem.contract.target import Target
from mainstem.model.batch import ChangeBatch
from mainstem.model.change import Op
from mainstem.model.connection import ConnectionSettings
from mainstem.model.frame import Chunk
from mainstem.model.names import TableId
from mainstem.model.plan import ColumnPlan, TablePlan
from mainstem.model.run import Mode, RunOptions, TableState
from mainstem.model.stream import Checkpoint, StoredStream, StreamTable
from tests.native.net_oracle import Event, changes_of

ID = "stream_3MclN1RtL1n9SH740rgjNuGuS67"
FAR_APART = 10**15
"""Tokens are far apart, and as large as those of leases, which are about the time in microseconds."""
SOURCE = TableId("there", "t")
CHUNK = Chunk(SOURCE, 0)


@dataclass(frozen=True)
class Place:
    """A target with a table ``t`` of one column ``v`` and no key, so that a row that is put in twice is there twice.

    Attributes:
        books: what the tables of ours are called before their own name.
    """

    settings: ConnectionSettings
    books: str
    plan: TablePlan
    run: Callable[[str], list[tuple[Any, ...]]]
    make: tuple[Callable[..., Any], Callable[..., Any]]

    def target(self, token: int) -> Target:
        target: Target = self.make[0](self.settings, RunOptions(token=token * FAR_APART))
        return target

    def changes(self, token: int) -> ChangeTarget:
        target: ChangeTarget = self.make[1](self.settings, RunOptions(token=token * FAR_APART, mode=Mode.CDC))
        return target

    @property
    def table(self) -> StreamTable:
        return StreamTable(self.plan, (), TableState.STREAMING)

    def rows(self) -> list[int]:
        return [int(v) for (v,) in self.run("SELECT v FROM t ORDER BY v")]

    def raise_fence(self, what: str, token: int) -> None:
        """As the next holder does, who has not ended anything yet."""
        self.run(f"UPDATE {self.books}{what} SET fence = {token * FAR_APART}")

    def begin_stream(self, token: int) -> None:
        with self.changes(token).book(ID) as book:
            book.create(StoredStream("{}", Checkpoint("0"), (self.table,)))


def postgres_place(settings: ConnectionSettings) -> Place:
    def run(sql: str) -> list[tuple[Any, ...]]:
        with postgres.connect(settings) as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    run("CREATE TABLE t (v integer)")
    column = ColumnPlan("v", "v", postgres_type("integer"), "integer")
    plan = TablePlan(SOURCE, TableId("public", "t"), (column,))
    return Place(settings, "mainstem.", plan, run, (PostgresTarget, PostgresChangeTarget))


def mysql_place(settings: ConnectionSettings) -> Place:
    def run(sql: str) -> list[tuple[Any, ...]]:
        with mysql.connect(settings) as connection:
            return mysql.query(connection, sql)

    run("CREATE TABLE t (v int)")
    column = ColumnPlan("v", "v", mysql_type("int"), "int")
    plan = TablePlan(SOURCE, TableId(settings.database, "t"), (column,))
    return Place(settings, "mainstem_", plan, run, (MysqlTarget, MysqlChangeTarget))


@dataclass(eq=False)
class Holder:
    """A process that has been told that the stream is its own, and applies changes 1, 2, … each as a row."""

    place: Place
    token: int
    done: int = 0
    _applier: Applier | None = None
    _book: Any = field(default=None)

    def open(self) -> Holder:
        """As the engine does: first the book, then the applier."""
        target = self.place.changes(self.token)
        self._book = target.book(ID)
        stored = self._book.load()
        assert stored is not None
        self.done = stored.checkpoint.transactions
        self._applier = target.applier(ID)
        return self

    @property
    def applier(self) -> Applier:
        assert self._applier is not None
        return self._applier

    def begin(self) -> None:
        self.applier.begin()

    def apply(self, *numbers: int) -> None:
        """A piece of a transaction."""
        events = [Event(Op.INSERT, None, (b"%d" % number,)) for number in numbers]
        tables = {SOURCE: self.place.table}
        self.applier.apply([changes_of(events, 1, (0,), SOURCE)], tables)

    def commit(self) -> None:
        self.applier.commit(Checkpoint(str(self.done + 1), self.done + 1))
        self.done += 1

    def next(self) -> None:
        """The next change in a transaction of its own."""
        self.begin()
        self.apply(self.done + 1)
        self.commit()

    def close(self) -> None:
        for one in (self._applier, self._book):
            if one is not None:
                one.__exit__(None, None, None)
        self._applier = self._book = None


def batch_of(numbers: Sequence[int]) -> ChangeBatch:
    cells = pa.array([b"%d" % number for number in numbers], pa.binary())
    return ChangeBatch(SOURCE, pa.RecordBatch.from_arrays([cells], names=["c0"]), 0)
