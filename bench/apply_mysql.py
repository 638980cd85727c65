"""Measures applying alone: changes made beforehand into a MariaDB of its own, beside what the server does by itself.

    python -m bench.apply_mysql --rows 1000000

Prints rows per second of inserts, beside LOAD DATA of the same rows, and of updates and deletes of rows that are there,
beside LOAD DATA into a temporary table and the two statements that join it; and milliseconds of small transactions, by
single statements and by sets.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pyarrow as pa

from mainstem.connectors.mysql import merge
from mainstem.connectors.mysql.apply import MysqlApplier, MysqlChangeTarget
from mainstem.connectors.mysql.client import connect, query
from mainstem.connectors.mysql.infile import LoadStream
from mainstem.connectors.mysql.session import connect_writer
from mainstem.connectors.mysql.types import logical_type
from mainstem.model.change import Op, RowChanges
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from mainstem.model.plan import ColumnPlan, TablePlan
from mainstem.model.run import RunOptions, TableState
from mainstem.model.stream import Checkpoint, StoredStream, StreamTable
from mainstem.testing import servers

SEGMENT = 100_000
SMALL = (1, 2, 4, 8, 16, 32, 100)
REPEATS = 40
_COLUMNS = {
    "id": "bigint", "customer": "int", "amount": "decimal(12,2)", "note": "varchar(200)", "at": "datetime(6)",
}  # fmt: skip
_DEFINED = ", ".join(f"{name} {type_}" for name, type_ in _COLUMNS.items())
_FORMAT = " CHARACTER SET utf8mb4 FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' LINES TERMINATED BY '\\n'"
_SETS = ", ".join(f"t.{name} = s.{name}" for name in list(_COLUMNS)[1:])


def plan_of(database: str) -> TablePlan:
    """The plan of the table that is written."""
    columns = tuple(ColumnPlan(name, name, logical_type(type_), type_) for name, type_ in _COLUMNS.items())
    return TablePlan(TableId("there", "item"), TableId(database, "item"), columns, ("id",))


def cells(numbers: Sequence[int], version: int) -> pa.RecordBatch:
    """Rows of these keys."""
    columns = [
        [b"%d" % number for number in numbers],
        [b"%d" % (number % 1000) for number in numbers],
        [b"%d.%02d" % (number % 100_000, version % 100) for number in numbers],
        [b"note %d of the item %d, as long as a note is" % (version, number) for number in numbers],
        [b"2026-01-%02d 12:%02d:00.000000" % (number % 28 + 1, version % 60) for number in numbers],
    ]
    return pa.RecordBatch.from_arrays([pa.array(column, pa.binary()) for column in columns], names=list(_COLUMNS))


def changes(ops: Sequence[Op], numbers: Sequence[int], version: int) -> RowChanges:
    """Events on these keys."""
    after = cells(numbers, version)
    return RowChanges(
        TableId("there", "item"), pa.array(ops, pa.uint8()), pa.array(range(len(ops)), pa.int64()), after,
        pa.RecordBatch.from_arrays([after.column(0)], names=["id"]), {}, after.nbytes,
    )  # fmt: skip


def lines(rows: pa.RecordBatch) -> bytes:
    """The same as a file of LOAD DATA."""
    columns: list[Any] = [column.to_pylist() for column in rows.columns]
    return b"".join(b"\t".join(row) + b"\n" for row in zip(*columns, strict=True))


class Bench:
    """A stream of one table, applied in segments as a stream hands them on."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self.settings = settings
        self._target = MysqlChangeTarget(settings, RunOptions())
        self._table = StreamTable(plan_of(settings.database), (), TableState.STREAMING)
        with self._target.book("bench") as book:
            book.create(StoredStream("{}", Checkpoint("0"), ()))

    def applier(self) -> MysqlApplier:
        """The stream's."""
        return self._target.applier("bench")

    def apply(self, segments: Sequence[RowChanges]) -> float:
        """Seconds of one transaction."""
        with self.applier() as applier:
            return self.apply_by(applier, segments)

    def apply_by(self, applier: MysqlApplier, segments: Sequence[RowChanges]) -> float:
        """Seconds of one transaction."""
        begin = time.perf_counter()
        applier.begin()
        for segment in segments:
            applier.apply([segment], {self._table.source: self._table})
        applier.commit(Checkpoint("1"))
        return time.perf_counter() - begin


def mixed(rows: int) -> tuple[list[Op], list[int]]:
    """A third of the rows changed, two in three of these by an UPDATE, in no order of theirs."""
    generator = random.Random(1)
    numbers = generator.sample(range(rows), rows // 3)
    return [Op.DELETE if number % 3 == 0 else Op.UPDATE for number in numbers], numbers


def segments_of(ops: Sequence[Op], numbers: Sequence[int], version: int) -> list[RowChanges]:
    """Events cut into pieces."""
    return [
        changes(ops[begin : begin + SEGMENT], numbers[begin : begin + SEGMENT], version)
        for begin in range(0, len(ops), SEGMENT)
    ]


def by_hand_load(settings: ConnectionSettings, table: str, data: bytes) -> float:
    """Seconds of LOAD DATA of rows that are at hand."""
    with connect_writer(settings) as connection:
        query(connection, f"CREATE OR REPLACE TABLE {table} ({_DEFINED}, PRIMARY KEY (id))")
        begin = time.perf_counter()
        load(connection, table, data)
        return time.perf_counter() - begin


def by_hand_merge(settings: ConnectionSettings, table: str, changed: bytes, gone: bytes) -> float:
    """Seconds of a merge by temporary tables."""
    with connect_writer(settings) as connection:
        begin = time.perf_counter()
        connection.begin()
        for name in ("s", "k"):
            query(connection, f"CREATE TEMPORARY TABLE {name} ({_DEFINED})")
        load(connection, "s", changed)
        load(connection, "k", gone)
        query(connection, f"UPDATE s STRAIGHT_JOIN {table} t ON t.id = s.id SET {_SETS}")
        query(connection, f"DELETE t FROM k STRAIGHT_JOIN {table} t ON t.id = k.id")
        connection.commit()
        return time.perf_counter() - begin


def load(connection: Any, table: str, data: bytes) -> None:
    """Send a file."""
    stream = LoadStream(connection, f"LOAD DATA LOCAL INFILE 'rows' INTO TABLE {table}{_FORMAT}")
    stream.send(data)
    stream.finish()


def bulk(bench: Bench, rows: int) -> None:
    """Inserts, then updates and deletes."""
    numbers = list(range(rows))
    inserts = segments_of([Op.INSERT] * rows, numbers, 0)
    hand = by_hand_load(bench.settings, "by_hand", lines(cells(numbers, 0)))
    query_all(bench.settings, f"CREATE OR REPLACE TABLE item ({_DEFINED}, PRIMARY KEY (id))")
    show("inserts", rows, bench.apply(inserts), hand)
    ops, chosen = mixed(rows)
    events = segments_of(ops, chosen, 1)
    changed = [number for op, number in zip(ops, chosen, strict=True) if op is Op.UPDATE]
    gone = [number for op, number in zip(ops, chosen, strict=True) if op is Op.DELETE]
    hand = by_hand_merge(bench.settings, "by_hand", lines(cells(changed, 1)), lines(cells(gone, 1)))
    show("updates and deletes", len(ops), bench.apply(events), hand)


def small(bench: Bench) -> None:
    """Milliseconds of transactions of a few updates, by single statements and by sets."""
    numbers = list(range(1, 3000, 3))
    with bench.applier() as applier:
        for size in SMALL:
            medians = []
            for few in (1_000_000, 0):
                merge.FEW = few
                applier._mergers.clear()
                times = []
                for repeat in range(REPEATS):
                    chosen = random.Random(repeat).sample(numbers, size)
                    segment = changes([Op.UPDATE] * size, chosen, repeat)
                    times.append(bench.apply_by(applier, [segment]) * 1000)
                medians.append(statistics.median(times))
            print(f"{size:4} updates: {medians[0]:7.2f} ms one by one, {medians[1]:7.2f} ms by sets")


def query_all(settings: ConnectionSettings, *statements: str) -> None:
    """Run statements."""
    with connect(settings) as connection:
        for statement in statements:
            query(connection, statement)


def show(what: str, rows: int, ours_s: float, hand_s: float) -> None:
    """A line."""
    print(
        f"{what:22} {rows:9,} rows: {rows / ours_s:10,.0f} rows/s; by hand {rows / hand_s:10,.0f} rows/s;"
        f" ratio of time {ours_s / hand_s:.2f}"
    )


def main() -> None:
    """Run all of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--only", choices=["bulk", "small"])
    options = parser.parse_args()
    measures: dict[str, Callable[[Bench], None]] = {"bulk": lambda bench: bulk(bench, options.rows), "small": small}
    with servers.mariadb() as server:
        query_all(server.settings, "CREATE DATABASE bench")
        settings = replace(server.settings, database="bench")
        query_all(settings, f"CREATE TABLE item ({_DEFINED}, PRIMARY KEY (id))")
        query_all(settings, "INSERT INTO item (id) SELECT seq FROM seq_1_to_3000")
        bench = Bench(settings)
        with suppress(KeyboardInterrupt):
            for name, measure in measures.items():
                if options.only in (None, name):
                    measure(bench)


if __name__ == "__main__":
    main()
