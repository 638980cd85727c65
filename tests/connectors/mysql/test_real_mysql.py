"""A stream from a server of MySQL itself: positions by GTID sets, BEGIN as a statement, its own row events.

Run by ``python -m tools.real_mysql``; its MySQL is too old for its catalog to be read, so the tables are told here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tools.real_mysql import FOLDER, server

from mainstem.connectors.mysql.client import connect, query
from mainstem.connectors.mysql.log_ahead import Ahead
from mainstem.connectors.mysql.log_side import Side, identify
from mainstem.connectors.mysql.types import logical_type
from mainstem.contract.changes import GroupLimits
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from mainstem.model.plan import ColumnPlan, TablePlan
from mainstem.model.run import TableState
from mainstem.model.schema import Column
from mainstem.model.stream import StreamTable
from tests.connectors.mysql.following import Source

pytestmark = pytest.mark.skipif(FOLDER not in os.environ, reason="no MySQL is there: python -m tools.real_mysql")

COLUMNS = {
    "id": "int(11)", "a": "varchar(20)", "d": "datetime(3)", "n": "decimal(10,2)", "u": "bigint(20) unsigned",
    "f": "double", "b": "blob", "y": "year(4)", "m": "time(6)",
}  # fmt: skip
OTHER_SERVER = "00000000-0000-0000-0000-000000000001"


@pytest.fixture(scope="module")
def mysql() -> Iterator[ConnectionSettings]:
    with server(Path(os.environ[FOLDER])) as settings:
        yield settings


@pytest.fixture
def source(mysql: ConnectionSettings) -> Iterator[Source]:
    """A table ``t`` that is followed."""
    with connect(mysql) as connection:
        query(connection, "CREATE DATABASE d")
        declared = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
        query(connection, f"CREATE TABLE d.t ({declared}, PRIMARY KEY (id))")
        yield followed(replace(mysql, database="d"))
        query(connection, "DROP DATABASE d")


def followed(settings: ConnectionSettings) -> Source:
    id_ = TableId("d", "t")
    plans = tuple(ColumnPlan(name, name, logical_type(kind), "", native=kind) for name, kind in COLUMNS.items())
    layout = tuple(Column(name, logical_type(kind), kind) for name, kind in COLUMNS.items())
    source = Source(settings)
    source.tables["t"] = source.seen.know(
        StreamTable(TablePlan(id_, id_, plans, key=("id",)), layout, TableState.STREAMING)
    )
    return source


def change(source: Source) -> None:
    source.run(
        "INSERT INTO t VALUES"
        " (1, 'é', '2024-02-29 01:02:03.5', 1.5, 18446744073709551615, 0.1, X'00ff', 2024, '-1:02:03.4')",
        "INSERT INTO t (id, a, n) VALUES (2, 'b', -2.25), (3, '', 0)",
        "UPDATE t SET a = 'c', id = 11 WHERE id = 1",
        "DELETE FROM t WHERE id = 2",
        "FLUSH BINARY LOGS",
        "INSERT INTO t (id, a) SELECT 1000 + help_topic_id, LEFT(name, 20) FROM mysql.help_topic",
    )
    with connect(source.settings) as connection:
        for statement in ("BEGIN", "INSERT INTO t (id) VALUES (50)", "SAVEPOINT x", "INSERT INTO t (id) VALUES (51)"):
            query(connection, statement)
        query(connection, "ROLLBACK TO x")
        query(connection, "COMMIT")


def test_every_change_arrives(source: Source) -> None:
    source.seen.strict = True
    change(source)
    seen = source.follow(GroupLimits(max_rows=100))
    assert len(seen.tables["t"]) > 400
    assert seen.tables["t"] == source.rows("t")


def test_a_stream_goes_on_by_gtids_alone_at_another_server(source: Source) -> None:
    change(source)
    rows = len(source.follow().events["t"])
    source.run("INSERT INTO t (id, a) VALUES (60, 'later')")
    there = json.loads(source.seen.position)
    source.seen.position = json.dumps({"server": OTHER_SERVER, "file": "elsewhere.000009", "gtid": there["gtid"]})
    seen = source.follow()
    assert [row[:2] for _, row, _ in seen.events["t"][rows:] if row] == [(b"60", b"later")]
    assert json.loads(seen.position)["server"] == there["server"]
    source.seen.position = json.dumps({"server": OTHER_SERVER, "gtid": f"{OTHER_SERVER}:1-5"})
    with pytest.raises(Exception, match="lacks transactions that the stream has applied"):
        source.follow()


def test_a_look_ahead_passes_over_transactions_and_finds_statements(source: Source) -> None:
    change(source)
    source.run("ALTER TABLE t ADD more INT", "INSERT INTO t (id, more) VALUES (70, 7)", "ALTER TABLE t DROP more")
    there = json.loads(source.position)
    side = Side(source.settings)
    ahead = Ahead(source.settings, side, identify(side), lambda: False)
    found = ahead.later(there["file"], there["offset"], [TableId("d", "t"), TableId("d", "u")])
    side.close()
    assert set(found) == {TableId("d", "t")}
    assert {"add", "drop", "more"} <= set(found[TableId("d", "t")].words or ())
