"""A column of another type: what the finding says is to be run on the target goes through, whatever is in the rows."""

from __future__ import annotations

from mainstem.ddl.evolution import RUN
from mainstem.engine.control import RunControl
from mainstem.engine.evolution import Evolution
from mainstem.engine.handover import stream_tables, to_copy
from mainstem.engine.planner import look
from mainstem.engine.present import present_columns
from mainstem.engine.progress import Tracker
from mainstem.model.run import RunOptions, RunState, SchemaPolicy, WriteMode
from tests.e2e.routes import MYSQL, POSTGRES, Route
from tests.e2e.streams import cdc

# Each with a value that is a default of the column as well.
_TYPES = {
    MYSQL: {
        "ENUM('a','b')": "'b'", "DOUBLE": "1.5", "SET('x','y')": "'x'", "VARCHAR(20)": "'it''s'", "BOOLEAN": "1",
        "INTEGER": "-3", "DATE": "'2024-02-29'", "ENUM('x','a')": "'a'", "VARBINARY(9)": "x'00ff'", "UUID": "uuid()",
        "DATETIME(6)": "'2024-02-29 12:13:14.5'", "TIME": "'12:13:14'", "BIT(5)": "b'101'", "TEXT": "'text'",
    },
    POSTGRES: {
        "varchar(20)": "'it''s'", "interval": "'1 hour'", "double precision": "1.5", "boolean": "true", "integer": "-3",
        "date": "'2024-02-29'", "numeric(10,2)": "7.25", "uuid": "gen_random_uuid()", "bytea": "'\\x00ff'",
        "timestamp": "'2024-02-29 12:13:14.5'", "inet": "'10.0.0.1'", "bit(5)": "B'10100'", "jsonb": "'{}'",
        "smallint": "9", "time": "'12:13:14'", "text": "'text'",
    },
}  # fmt: skip


def _columns(kind: str, which: int) -> str:
    """A column for each pair of types, once with a default and never null, once without and nullable."""
    made = ["id BIGINT", "PRIMARY KEY (id, k)", f"k {('VARCHAR(9)', 'INTEGER')[which]} DEFAULT {('9', 8)[which]}"]
    for number, pair in enumerate(_pairs(kind)):
        made += [f"a{number} {pair[which]} DEFAULT {_TYPES[kind][pair[which]]} NOT NULL", f"b{number} {pair[which]}"]
    return ", ".join(made)


def _pairs(kind: str) -> list[tuple[str, str]]:
    types = list(_TYPES[kind])
    return [(one, types[place - apart]) for place, one in enumerate(types) for apart in (1, 4)]


def test_what_the_finding_of_a_retyped_column_says_can_be_run(route: Route) -> None:
    kind = route.source.settings.type
    filled = ", ".join(f"b{number}" for number, _ in enumerate(_pairs(kind)))
    values = ", ".join(_TYPES[kind][pair[0]] for pair in _pairs(kind))
    insert = f"INSERT INTO t (id, {filled}) VALUES (1, {values}), (2, {values})"
    route.source.run(f"CREATE TABLE t ({_columns(kind, 0)})", insert)
    options = cdc()
    planned = look(route.source.endpoint, route.target.endpoint, options)
    (table,) = stream_tables(planned, to_copy(planned, options), route.source.endpoint)
    assert route.conversion().run().state is RunState.FINISHED
    route.source.run("DROP TABLE t", f"CREATE TABLE t ({_columns(kind, 1)})", "INSERT INTO t (id) VALUES (1), (3)")
    columns = present_columns(route.source.endpoint, [table.source])[table.source]
    tracker = Tracker(RunControl(0, 0, 0), lambda event: None)
    evolution = Evolution(route.source.endpoint, route.target.endpoint, options, tracker)
    statements, to_do = evolution.to_columns(table, columns)
    assert len(to_do) > len(_pairs(kind))
    route.target.run(*statements, *(sql for told in to_do for sql in told.partition(RUN)[2].split("; ") if sql))
    anew = RunOptions(write_mode=WriteMode.TRUNCATE, schema_policy=SchemaPolicy.CREATE_MISSING)
    done = route.conversion(anew).run()
    assert (done.state, [table.error for table in done.tables]) == (RunState.FINISHED, [""]), done.error
