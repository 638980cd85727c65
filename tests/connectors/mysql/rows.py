"""Tables, plans and batches made by hand, for a target that is tested without a source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa

from mainstem.connectors.mysql.client import connect, query
from mainstem.connectors.mysql.load import MysqlLoader
from mainstem.connectors.mysql.target import MysqlTarget
from mainstem.connectors.mysql.types import logical_type
from mainstem.model.batch import ChangeBatch
from mainstem.model.connection import ConnectionSettings
from mainstem.model.frame import Chunk
from mainstem.model.names import TableId
from mainstem.model.plan import ColumnPlan, TablePlan
from mainstem.model.run import RunOptions

RUN = "a-run"
SOURCE = TableId("there", "t")
Cell = bytes | None


def plan_of(database: str, key: Sequence[str] = ("id",), **columns: str) -> TablePlan:
    """A plan for table ``t``: each column's type on both sides."""
    made = [ColumnPlan(name, name, logical_type(type_), type_) for name, type_ in columns.items()]
    return TablePlan(SOURCE, TableId(database, "t"), tuple(made), tuple(key))


def batch_of(*rows: Sequence[Cell]) -> ChangeBatch:
    columns = [pa.array(column, pa.binary()) for column in zip(*rows, strict=True)]
    record = pa.RecordBatch.from_arrays(columns, names=[f"c{number}" for number in range(len(columns))])
    return ChangeBatch(SOURCE, record, 0)


@contextmanager
def loader_of(settings: ConnectionSettings, chunks: int = 1, **options: object) -> Iterator[MysqlLoader]:
    """A loader of a run whose ledger has chunks of table ``t``."""
    target = MysqlTarget(settings, RunOptions(**options))  # type: ignore[arg-type]
    with target.ledger(RUN) as ledger:
        ledger.open("{}")
        ledger.plan(SOURCE, [Chunk(SOURCE, number) for number in range(chunks)])
    with target.loader(RUN) as loader:
        yield loader


def run_sql(settings: ConnectionSettings, *statements: str) -> list[tuple[object, ...]]:
    """The rows of the last one; dates come as text, as they may be no dates."""
    with connect(settings, conv={}) as connection:
        rows: list[tuple[object, ...]] = []
        for statement in statements:
            rows = query(connection, statement)
    return rows
