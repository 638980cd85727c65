"""A MariaDB whose binary log is read from its files: what was written, decoded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mainstem.connectors.mysql.snapshot import MysqlSource
from mainstem.connectors.mysql.types import logical_type
from mainstem.connectors.mysql.wire.changes import take_changes
from mainstem.connectors.mysql.wire.events import Rows, TableMapped
from mainstem.connectors.mysql.wire.forms import row_forms
from mainstem.connectors.mysql.wire.reader import EventReader, events_of_file
from mainstem.contract.source import BatchLimits
from mainstem.errors import WireError
from mainstem.model.change import RowChanges
from mainstem.model.connection import ConnectionSettings
from mainstem.model.frame import Chunk
from mainstem.model.names import TableId
from mainstem.model.plan import ColumnPlan, TablePlan
from mainstem.model.types import Kind, LogicalType
from mainstem.native.binlogrows import BinlogRows

UTF8 = {"utf8", "utf8mb3", "utf8mb4", "ascii", ""}
Cell = bytes | None


@contextmanager
def settings_of(run: Any, **wanted: str) -> Iterator[None]:
    """Global settings for a while; only sessions that are opened meanwhile have them."""
    before = {name: run(f"SELECT @@global.{name}")[0][0] for name in wanted}
    for name, value in wanted.items():
        run(f"SET GLOBAL {name} = '{value}'" if not value.isdigit() else f"SET GLOBAL {name} = {value}")
    try:
        yield
    finally:
        for name, value in before.items():
            run(f"SET GLOBAL {name} = {value if isinstance(value, int) else repr(value)}")


def binlog(run: Any) -> bytes:
    """What the server's current log holds; the log goes on in the next file."""
    folder, name = Path(run("SELECT @@datadir")[0][0]), run("SHOW MASTER STATUS")[0][0]
    run("FLUSH BINARY LOGS")
    return (folder / name).read_bytes()


def plans(run: Any, schema: str) -> dict[str, TablePlan]:
    """Every table with all its columns; text in other character sets as the bytes that it is."""
    found: dict[str, list[ColumnPlan]] = {}
    for table, name, native, charset in run(
        "SELECT table_name, column_name, column_type, coalesce(character_set_name, '')"
        f" FROM information_schema.columns WHERE table_schema = '{schema}' ORDER BY table_name, ordinal_position"
    ):
        type_ = logical_type(native)
        if type_.kind is Kind.TEXT and charset not in UTF8:
            type_ = LogicalType(Kind.BINARY)
        found.setdefault(table, []).append(ColumnPlan(name, name, type_, native, native=native))
    return {
        table: TablePlan(TableId(schema, table), TableId(schema, table), tuple(columns), ("id",))
        for table, columns in found.items()
    }


def snapshot(settings: ConnectionSettings, tables: Mapping[str, TablePlan]) -> dict[str, list[tuple[Cell, ...]]]:
    """The rows of every table as the snapshot path has them, sorted."""
    rows: dict[str, list[tuple[Cell, ...]]] = {}
    with MysqlSource(settings).snapshot(1) as opened:
        for name, plan in tables.items():
            rows[name] = []
            for batch in opened.readers[0].read(plan, Chunk(plan.source, 0), BatchLimits()):
                rows[name] += as_rows(batch.rows)  # type: ignore[union-attr]
            rows[name].sort(key=repr)
    return rows


def as_rows(record: Any) -> list[tuple[Cell, ...]]:
    return list(zip(*(column.to_pylist() for column in record.columns), strict=True))


def changes(
    log: bytes,
    tables: Mapping[str, TablePlan],
    key: Sequence[int] = (0,),
    defaults: Mapping[int, bytes | None] | None = None,
) -> dict[str, list[RowChanges]]:
    """Every row event of these tables, a batch for each table and event."""
    found: dict[str, list[RowChanges]] = {}
    numbers: dict[int, BinlogRows | None] = {}
    names: dict[int, str] = {}
    for event in events_of_file(log, EventReader()):
        if isinstance(event, TableMapped):
            mapped = event.table
            plan = tables.get(mapped.name)
            numbers[mapped.table_id] = None
            if plan is not None and plan.source.schema == mapped.schema:
                decoder = BinlogRows(row_forms(mapped, plan.columns), range(len(plan.columns)), key, defaults)
                numbers[mapped.table_id], names[mapped.table_id] = decoder, mapped.name
        elif isinstance(event, Rows) and (known := numbers.get(event.table_id)) is not None:
            name = names[event.table_id]
            body = (event.body, event.start, event.end)
            try:
                at = known.feed(*body, event.op, event.present, event.present_after, 0, 1 << 30)
            except WireError as exc:
                exc.add_note(name)
                raise
            assert at == event.end
            found.setdefault(name, []).append(take_changes(known, tables[name].source))
    return found
