"""Values that an ALTER TABLE computed anew in PostgreSQL: told, also of what was done while nobody read the log."""

from __future__ import annotations

import time
from contextlib import nullcontext, suppress
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from mainstem.connectors.postgres import roster
from mainstem.connectors.postgres.changestream import PostgresChangeStream
from mainstem.model.change import SchemaChange, SchemaChangeKind
from mainstem.model.run import TableState
from tests.connectors.postgres.changefeed import DEADLINE_S, Feed, parts_of
from tests.connectors.postgres.conftest import MakeFeed

Sql = psycopg.Connection[Any]

_MORE = "INSERT INTO {0} VALUES (9, 1)"
_CHANGES = {
    "ALTER TABLE {0} ALTER v TYPE int USING v * 2": {"LOST"},
    f"ALTER TABLE {{0}} ALTER w TYPE varchar(9) USING 'x', ALTER v SET STATISTICS 9; {_MORE}": {"LOST"},
    "ALTER TABLE {0} ALTER v TYPE int USING v * 2; VACUUM FULL {0}": {"LOST"},
    "ALTER TABLE {0} ALTER v TYPE int USING v * 2; ALTER TABLE {0} ALTER v SET STATISTICS 9": {"LOST", "NOTED COLUMNS"},
    f"ALTER TABLE {{0}} ALTER v SET STATISTICS 9; VACUUM FULL {{0}}; {_MORE}": {"COLUMNS"},
    "ALTER TABLE {0} ALTER v SET NOT NULL, ALTER w SET STORAGE plain; CLUSTER {0} USING {0}_pkey": {"COLUMNS"},
    f"TRUNCATE {{0}}; {_MORE}": {"", "COLUMNS"},
    "ALTER TABLE {0} ALTER v TYPE int; GRANT SELECT (v) ON {0} TO PUBLIC; REINDEX TABLE {0}": {"", "COLUMNS"},
    f"ALTER TABLE {{0}} ALTER v TYPE bigint USING v * 2; {_MORE}": {"COLUMNS NOTED"},
    "ALTER TABLE {0} ALTER v TYPE bigint": {"COLUMNS NOTED"},
    "ALTER TABLE {0} ADD x text DEFAULT random()::text": {"COLUMNS"},
    "ALTER TABLE {0} ALTER f TYPE int USING f * 2": {"LOST"},
    f"{_MORE}; VACUUM FULL {{0}}; ALTER TABLE {{0}} ALTER v SET DEFAULT 7": {"", "COLUMNS"},
}  # fmt: skip
"""What is done to a table, and what is told: COLUMNS where nothing is to be done, and that is written down."""


def _take(one: Feed, stream: PostgresChangeStream, told: dict[str, list[str]]) -> None:
    """The next change that is told, as an engine would take it: columns are taken over, what is lost pauses."""
    groups = one.until(stream, lambda group: "SchemaChange" in repr(group), settle=False)
    (change,) = (part for part in parts_of(groups) if isinstance(part, SchemaChange))
    place = next(n for n, table in enumerate(one.tables) if table.source == change.table)
    table = one.tables[place]
    if change.kind is SchemaChangeKind.LOST:
        table = replace(table, state=TableState.PAUSED)
    if change.kind is SchemaChangeKind.COLUMNS:
        table = replace(table, layout=change.columns)
    if change.memo is not None:
        table = replace(table, memo=change.memo)
    one.tables[place] = table
    kinds = told[table.source.name]
    if change.kind is not SchemaChangeKind.KEPT and kinds[-1:] != [change.kind.name]:
        kinds.append(change.kind.name)
    stream.settle(table)


def _wait_for_older(sql: Sql) -> None:
    """Until no transaction is under way that began before what was done last."""
    (mine,) = sql.execute("SELECT txid_current()").fetchone() or (0,)
    deadline = time.monotonic() + DEADLINE_S
    while sql.execute("SELECT txid_snapshot_xmin(txid_current_snapshot()) <= %s", (mine,)).fetchone() == (True,):
        assert time.monotonic() < deadline, "a transaction does not end"


@pytest.mark.parametrize("running", [True, False])
@pytest.mark.usefixtures("roots")
def test_values_that_were_computed_anew_are_told_and_nothing_else(
    sql: Sql, feed: MakeFeed, monkeypatch: pytest.MonkeyPatch, running: bool
) -> None:
    monkeypatch.setattr(roster, "LOOK_S", 0.1)
    changes = {}
    for number, (change, kinds) in enumerate(_CHANGES.items()):
        for name, more in ((f"t{number}", ""), (f"p{number}", " PARTITION BY LIST (id)")):
            sql.execute(f"CREATE TABLE {name} (id int PRIMARY KEY, v int, w varchar(9)){more}")
            if more:
                sql.execute(f"CREATE TABLE {name}_1 PARTITION OF {name} FOR VALUES IN (1, 9)")
            sql.execute(f"INSERT INTO {name} VALUES (1, 1, 'a'); ALTER TABLE {name} ADD f int DEFAULT 5")
            changes[name] = (change.format(name), kinds)
    _wait_for_older(sql)
    one = feed(*changes)
    if not running:
        _change(sql, changes)
    told: dict[str, list[str]] = {name: [] for name in changes}
    with one.stream() as stream:
        if running:
            _change(sql, changes)
        while any(" ".join(told[name]) not in kinds for name, (_, kinds) in changes.items()):
            _take(one, stream, told)
        assert not [kind for kind in ("LOST", "NOTED") if kind in repr(one.follow(stream))]


def _change(sql: Sql, changes: dict[str, tuple[str, set[str]]]) -> None:
    older = suppress(psycopg.errors.FeatureNotSupported)  # than 15: it orders no partitioned table
    for change, _ in changes.values():
        for statement in change.split("; "):
            with older if statement.startswith("CLUSTER p") else nullcontext():
                sql.execute(statement)
