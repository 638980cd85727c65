"""Measures applying alone: changes made beforehand into a PostgreSQL of its own, beside what the server does by itself.

    python -m bench.apply --rows 1000000

Prints rows per second of inserts, and of updates and deletes of rows that are there, each beside the same rows by COPY
and a merge in SQL; and milliseconds of small transactions, by single statements and by sets.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import psycopg
import pyarrow as pa

from mainstem.connectors.postgres import segment as module
from mainstem.connectors.postgres.apply import PostgresApplier, PostgresChangeTarget
from mainstem.connectors.postgres.client import connect
from mainstem.model.change import Op, RowChanges
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from mainstem.model.plan import ColumnPlan, TablePlan
from mainstem.model.run import RunOptions, TableState
from mainstem.model.stream import Checkpoint, StoredStream, StreamTable
from mainstem.model.types import Kind, LogicalType
from mainstem.testing import servers

SEGMENT = 100_000
_CREATE = "CREATE TABLE item (id bigint PRIMARY KEY, customer int, amount numeric(12,2), note text, at timestamp)"
_COLUMNS = (
    ("id", LogicalType(Kind.INTEGER, bits=64), "bigint"),
    ("customer", LogicalType(Kind.INTEGER, bits=32), "integer"),
    ("amount", LogicalType(Kind.DECIMAL, precision=12, scale=2), "numeric(12,2)"),
    ("note", LogicalType(Kind.TEXT), "text"),
    ("at", LogicalType(Kind.TIMESTAMP, fraction=6), "timestamp"),
)
_ITEM = TableId("public", "item")
_PLAN = TablePlan(
    _ITEM, _ITEM, tuple(ColumnPlan(name, name, type_, native, native=native) for name, type_, native in _COLUMNS),
    ("id",),
)  # fmt: skip


def cells(numbers: Sequence[int], version: int) -> pa.RecordBatch:
    """Rows of these keys."""
    columns = [
        [b"%d" % number for number in numbers],
        [b"%d" % (number % 1000) for number in numbers],
        [b"%d.%02d" % (number % 100_000, version % 100) for number in numbers],
        [b"note %d of the item %d, as long as a note is" % (version, number) for number in numbers],
        [b"2026-01-%02d 12:%02d:00" % (number % 28 + 1, version % 60) for number in numbers],
    ]
    arrays = [pa.array(column, pa.binary()) for column in columns]
    return pa.RecordBatch.from_arrays(arrays, names=[name for name, *_ in _COLUMNS])


def changes(ops: Sequence[Op], numbers: Sequence[int], version: int) -> RowChanges:
    """Events on these keys."""
    after = cells(numbers, version)
    return RowChanges(
        _ITEM, pa.array(ops, pa.uint8()), pa.array(range(len(ops)), pa.int64()), after,
        pa.RecordBatch.from_arrays([after.column(0)], names=["id"]), {}, after.nbytes,
    )  # fmt: skip


def in_segments(ops: Sequence[Op], numbers: Sequence[int]) -> list[RowChanges]:
    """Events cut as a stream hands them on."""
    return [
        changes(ops[begin : begin + SEGMENT], numbers[begin : begin + SEGMENT], begin)
        for begin in range(0, len(ops), SEGMENT)
    ]


class Bench:
    """A stream of one table."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self._settings = settings
        self._position = 0
        self._tables = {_ITEM: StreamTable(_PLAN, (), TableState.STREAMING)}
        self._target = PostgresChangeTarget(settings, RunOptions())
        with self._target.book("bench") as book:
            book.create(StoredStream("{}", Checkpoint("0"), tuple(self._tables.values())))
        self.sql = connect(settings)

    def applier(self) -> PostgresApplier:
        """A connection that applies."""
        return self._target.applier("bench")

    def apply(self, applier: PostgresApplier, parts: Sequence[RowChanges]) -> None:
        """Parts in one transaction."""
        applier.begin()
        for part in parts:
            applier.apply([part], self._tables)
        self._position += 1
        applier.commit(Checkpoint(str(self._position)))

    def fill(self, rows: int) -> None:
        """The table with this many rows, and nothing else."""
        self.sql.execute("DROP TABLE IF EXISTS item")
        self.sql.execute(_CREATE)
        self.sql.execute(
            "INSERT INTO item SELECT n, mod(n, 1000), mod(n, 100000),"
            " 'note of the item ' || n || ', as long as a note is', '2026-01-01' FROM generate_series(0, %s - 1) n",
            (rows,),
        )
        self.sql.execute("VACUUM ANALYZE item")
        self.sql.execute("CHECKPOINT")


def seconds(action: Callable[[], object]) -> float:
    """How long it takes."""
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def lines(parts: Sequence[RowChanges], op: Op | None = None) -> Iterator[bytes]:
    """The rows of events as COPY's text."""
    for part in parts:
        ops = part.ops.to_pylist()
        rows = zip(*(column.to_pylist() for column in part.after.columns), strict=True)
        yield b"".join(b"\t".join(row) + b"\n" for row, own in zip(rows, ops, strict=True) if op is None or own == op)


def copied(sql: psycopg.Connection[Any], into: str, payloads: Sequence[bytes]) -> None:
    """A plain COPY."""
    with sql.cursor() as cursor, cursor.copy(f"COPY {into} FROM STDIN".encode()) as copy:
        for payload in payloads:
            copy.write(payload)


def merged(sql: psycopg.Connection[Any], updates: Sequence[bytes], deletes: Sequence[bytes]) -> None:
    """What one would write by hand."""
    with sql.transaction():
        sql.execute("CREATE TEMP TABLE changed (LIKE item) ON COMMIT DROP")
        sql.execute("CREATE TEMP TABLE gone (LIKE item) ON COMMIT DROP")
        copied(sql, "changed", updates)
        copied(sql, "gone", deletes)
        sql.execute("DELETE FROM item USING gone WHERE item.id = gone.id")
        sql.execute(
            "INSERT INTO item SELECT * FROM changed ON CONFLICT (id) DO UPDATE SET customer = excluded.customer,"
            " amount = excluded.amount, note = excluded.note, at = excluded.at"
        )


def large(bench: Bench, rows: int) -> None:
    """Inserts, then updates and deletes."""
    numbers = list(range(rows))
    inserts = in_segments([Op.INSERT] * rows, numbers)
    payloads = list(lines(inserts))
    bench.fill(0)
    anchor = seconds(lambda: copied(bench.sql, "item", payloads))
    bench.fill(0)
    with bench.applier() as applier:
        taken = seconds(lambda: bench.apply(applier, inserts))
    tell("inserts", rows, taken, "COPY of the same", anchor)
    chance = random.Random(1)
    touched = chance.sample(numbers, rows * 6 // 10)
    ops = [Op.DELETE if chance.random() < 1 / 6 else Op.UPDATE for _ in touched]
    mixed = in_segments(ops, touched)
    updates, deletes = list(lines(mixed, Op.UPDATE)), list(lines(mixed, Op.DELETE))
    bench.fill(rows)
    anchor = seconds(lambda: merged(bench.sql, updates, deletes))
    bench.fill(rows)
    with bench.applier() as applier:
        taken = seconds(lambda: bench.apply(applier, mixed))
    tell("updates and deletes", len(ops), taken, "one merge in SQL", anchor)


def tell(what: str, rows: int, taken: float, anchor: str, other: float) -> None:
    """One line."""
    own, others = rows / taken / 1000, rows / other / 1000
    print(f"{what:20} {own:8.0f} k/s   {anchor:18} {others:8.0f} k/s   {other / taken:5.2f} x")


def small(bench: Bench, times: int) -> None:
    """Transactions of few events, each way."""
    bench.fill(100_000)
    for size in (1, 5, 10, 20, 40, 80, 160, 320):
        row = []
        for few in (10**9, 0):
            module.FEW = few
            chance, taken = random.Random(size), []
            with bench.applier() as applier:
                for number in range(times):
                    ids = chance.sample(range(100_000), size)
                    part = changes([Op.UPDATE] * size, ids, number)
                    taken.append(seconds(lambda part=part: bench.apply(applier, [part])))  # type: ignore[misc]
            row.append(statistics.median(taken) * 1000)
        print(f"{size:5} updates in a transaction   one by one {row[0]:6.2f} ms   by sets {row[1]:6.2f} ms")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=100)
    given = parser.parse_args()
    with servers.postgres() as server:
        bench = Bench(server.settings)
        large(bench, given.rows)
        small(bench, given.times)
        bench.sql.close()


if __name__ == "__main__":
    main()
