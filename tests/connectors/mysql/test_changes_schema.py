"""What statements do to tables, as the stream tells it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from mainstem.connectors.mysql import replica
from mainstem.connectors.mysql.client import connect, query
from mainstem.connectors.mysql.log_position import file_number
from mainstem.contract.changes import GroupLimits
from mainstem.errors import InvalidError, LostConnectionError, WireError
from mainstem.model.change import SchemaChange, SchemaChangeKind, Truncate
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from mainstem.model.run import TableState
from mainstem.model.stream import StreamTable
from tests.connectors.mysql.following import Following, Source, run, table_plans, with_columns
from tests.connectors.mysql.wire.live import settings_of
from tests.types.matrix import Database


@pytest.fixture
def source(mysql_db: ConnectionSettings) -> Source:
    """Tables ``t`` and ``u`` that are followed; a change of columns is taken over."""
    run(
        mysql_db,
        "CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(20), e ENUM('x', 'y'))",
        "CREATE TABLE u (id INT PRIMARY KEY)",
    )
    source = Source(mysql_db, "t", "u")

    def settle(change: SchemaChange) -> StreamTable | None:
        table = source.tables.get(change.table.name)
        if table is None or change.kind not in (SchemaChangeKind.COLUMNS, SchemaChangeKind.RENAMED):
            return None
        name = (change.renamed_to or change.table).name
        source.tables[name] = source.seen.know(with_columns(table, change))
        return source.tables[name]

    source.seen.settle = settle
    return source


def changes(seen: Following) -> list[tuple[str, str]]:
    return [(str(part.kind), part.table.name) for part in seen.parts if isinstance(part, SchemaChange)]


def last(seen: Following, name: str = "t") -> tuple[bytes | None, ...] | None:
    return seen.events[name][-1][1]


@pytest.mark.parametrize(
    ("statement", "insert", "row"),
    [
        ("ADD COLUMN b INT", "(1, 'a', 'y', 7)", (b"1", b"a", b"y", b"7")),
        ("ADD COLUMN b INT FIRST", "(7, 1, 'a', 'y')", (b"7", b"1", b"a", b"y")),
        ("DROP COLUMN a", "(1, 'y')", (b"1", b"y")),
        ("MODIFY a VARCHAR(20) AFTER e", "(1, 'y', 'a')", (b"1", b"y", b"a")),
        ("MODIFY id BIGINT UNSIGNED", "(18446744073709551615, 'a', 'y')", (b"18446744073709551615", b"a", b"y")),
        ("MODIFY e ENUM('n', 'y', 'x')", "(1, 'a', 'y')", (b"1", b"a", b"y")),
        ("CHANGE a name VARCHAR(300)", "(1, 'a', 'y')", (b"1", b"a", b"y")),
        ("MODIFY a VARCHAR(20) CHARACTER SET latin1", "(1, 'é', 'y')", (b"1", "é".encode(), b"y")),
        ("CONVERT TO CHARACTER SET latin1", "(1, 'é', 'y')", (b"1", "é".encode(), b"y")),
    ],
)
def test_a_table_with_other_columns_is_told_before_its_rows(
    source: Source, statement: str, insert: str, row: tuple[bytes, ...]
) -> None:
    source.run("INSERT INTO t VALUES (5, 'before', 'x')", f"ALTER TABLE t {statement}")
    source.follow()
    source.run(f"INSERT INTO t VALUES {insert}")
    seen = source.follow()
    assert seen.events["t"][0][1] == (b"5", b"before", b"x")
    assert changes(seen) == [("columns", "t")]
    assert last(seen) == row
    (told,) = [part for part in seen.parts if isinstance(part, SchemaChange)]
    assert told.statement == f"ALTER TABLE t {statement}"
    assert told.columns == source.tables["t"].layout


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE t ADD INDEX (a)", "ALTER TABLE t COMMENT 'x'", "ALTER TABLE t ENGINE = InnoDB", "ANALYZE TABLE t",
        "CREATE INDEX i ON t (a)", "OPTIMIZE TABLE t", "CREATE VIEW v AS SELECT * FROM t",
        "GRANT SELECT ON t TO root@localhost",
        "CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 'b'", "/* ALTER TABLE t */ FLUSH TABLES",
        "CREATE OR REPLACE PROCEDURE p() BEGIN TRUNCATE TABLE t; END",
    ],
)  # fmt: skip
def test_what_changes_no_columns_is_not_told(source: Source, statement: str) -> None:
    source.run(statement, "INSERT INTO t VALUES (1, 'b', 'x')")
    seen = source.follow()
    assert changes(seen) == []
    assert len(seen.parts) == 1
    assert last(seen) == (b"1", b"b", b"x")


def test_settled_as_before_the_same_columns_are_read(source: Source) -> None:
    source.seen.settle = lambda change: None
    source.run("ALTER TABLE t ADD COLUMN b INT FIRST, DROP COLUMN e", "INSERT INTO t VALUES (7, 1, 'a')")
    seen = source.follow()
    assert changes(seen) == [("columns", "t")]
    assert last(seen) == (b"1", b"a", b"(absent)")


def test_a_paused_table_is_not_read_and_others_are(source: Source) -> None:
    def pause(change: SchemaChange) -> StreamTable:
        return replace(source.tables["t"], state=TableState.PAUSED)

    source.seen.settle = pause
    source.run("ALTER TABLE t ADD COLUMN b INT", "INSERT INTO t VALUES (1, 'a', 'x', 7)", "INSERT INTO u VALUES (1)")
    seen = source.follow()
    assert "t" not in seen.events
    assert seen.events["u"] == [("insert", (b"1",), None)]


def test_tables_that_come_and_go_are_told(source: Source) -> None:
    source.run("CREATE TABLE w (id INT PRIMARY KEY, b TEXT)", "DROP TABLE IF EXISTS u, missing")
    seen = source.follow()
    assert changes(seen) == [("created", "w"), ("dropped", "u")]
    created = next(part for part in seen.parts if isinstance(part, SchemaChange))
    assert [column.name for column in created.columns] == ["id", "b"]


def test_a_renamed_table_goes_on_under_its_new_name(source: Source) -> None:
    source.run("RENAME TABLE t TO t2")
    seen = source.follow()
    assert changes(seen) == [("renamed", "t")]
    (told,) = [part for part in seen.parts if isinstance(part, SchemaChange)]
    assert told.renamed_to == TableId(source.settings.database, "t2")
    del source.tables["t"]
    source.run("INSERT INTO t2 VALUES (1, 'a', 'x')", "ALTER TABLE t2 RENAME TO t3")
    assert last(source.follow(), "t2") == (b"1", b"a", b"x")
    assert changes(seen)[-1] == ("renamed", "t2")


def test_a_ghost_table_that_takes_the_name_is_a_change_of_columns(source: Source) -> None:
    source.run(
        "CREATE TABLE _t_gho LIKE t",
        "ALTER TABLE _t_gho ADD COLUMN b INT DEFAULT 3",
        "INSERT INTO t VALUES (1, 'a', 'x')",
        "INSERT INTO _t_gho (id, a, e) SELECT * FROM t",
        "RENAME TABLE t TO _t_del, _t_gho TO t",
        "INSERT INTO t VALUES (2, 'a', 'x', 4)",
        "DROP TABLE _t_del",
    )
    seen = source.follow()
    assert [change for change in changes(seen) if change[1] == "t"] == [("columns", "t")]
    assert [row for _, row, _ in seen.events["t"]] == [(b"1", b"a", b"x"), (b"2", b"a", b"x", b"4")]


def test_a_ghost_table_with_a_column_of_another_name_is_copied_anew(source: Source) -> None:
    source.run("CREATE TABLE _t_gho LIKE t", "ALTER TABLE _t_gho CHANGE a b TEXT", "INSERT INTO _t_gho SELECT * FROM t",
               "RENAME TABLE t TO _t_del, _t_gho TO t")  # fmt: skip
    (told,) = [part for part in source.follow().parts if isinstance(part, SchemaChange) and part.table.name == "t"]
    assert "a went and b came" in told.reason


@pytest.mark.parametrize(
    "statements",
    [
        ("CREATE TABLE other LIKE t", "RENAME TABLE t TO old, other TO t"),
        ("CREATE TABLE other LIKE t", "ALTER TABLE t RENAME old", "ALTER TABLE other RENAME t"),
    ],
)
def test_another_table_under_the_name_is_lost(source: Source, statements: tuple[str, ...]) -> None:
    source.run(*statements)
    kinds = [kind for kind, name in changes(source.follow()) if name == "t"]
    assert kinds in (["lost"], ["renamed", "created"])


def test_partitions_that_go_take_rows_with_them(mysql_db: ConnectionSettings) -> None:
    run(
        mysql_db,
        "CREATE TABLE p (id INT PRIMARY KEY) PARTITION BY RANGE (id)"
        " (PARTITION a VALUES LESS THAN (10), PARTITION b VALUES LESS THAN (20))",
    )
    source = Source(mysql_db, "p")
    source.run("INSERT INTO p VALUES (1), (11)", "ALTER TABLE p DROP PARTITION a")
    seen = source.follow()
    assert changes(seen) == [("lost", "p")]
    (told,) = [part for part in seen.parts if isinstance(part, SchemaChange)]
    assert "partition" in told.reason


def test_a_table_that_is_made_anew_has_no_rows(source: Source) -> None:
    source.run(
        "INSERT INTO u VALUES (1)",
        "CREATE OR REPLACE TABLE u (id INT PRIMARY KEY, b INT)",
        "INSERT INTO u VALUES (1, 2)",
    )
    seen = source.follow()
    assert [type(part) for part in seen.parts if not hasattr(part, "ops")] == [Truncate, SchemaChange]
    assert seen.tables["u"] == {(b"1",): (b"1", b"2")}


def test_names_are_read_in_the_character_set_of_the_session(mysql_db: ConnectionSettings) -> None:
    run(mysql_db, "CREATE TABLE größe (id INT PRIMARY KEY)")
    source = Source(mysql_db, "größe")
    source.run("INSERT INTO größe VALUES (1)")
    with connect(mysql_db) as connection:
        connection.set_character_set("latin1")
        query(connection, "SET STATEMENT max_statement_time = 9 FOR TRUNCATE TABLE größe")
    assert [type(part) for part in source.follow().parts if not hasattr(part, "ops")] == [Truncate]


_LOOSE, _STRICT = "SET sql_mode = ''", "SET sql_mode = 'STRICT_TRANS_TABLES,NO_AUTO_VALUE_ON_ZERO'"


@pytest.mark.parametrize(
    ("mode", "change", "why"),
    [
        (_LOOSE, "MODIFY n INT NOT NULL", "n takes no NULL any more"),
        (_STRICT, "MODIFY n INT NOT NULL", ""),
        (_STRICT, "MODIFY at TIMESTAMP NOT NULL", "at takes no NULL any more"),
        (_LOOSE, "CONVERT TO CHARACTER SET ascii", "put ? for"),
        (_LOOSE, "CONVERT TO CHARACTER SET utf8mb3", "put ? for"),
        (_STRICT, "CONVERT TO CHARACTER SET ascii", ""),
        (_LOOSE, "MODIFY z INT NOT NULL AUTO_INCREMENT", "z counts by itself now"),
        (_STRICT, "MODIFY z INT NOT NULL AUTO_INCREMENT", ""),
        (_LOOSE, "MODIFY g INT AS (n * 3) STORED", ""),
    ],
)
def test_what_a_statement_made_of_values_without_a_word_in_the_log_is_told(
    mysql_db: ConnectionSettings, mode: str, change: str, why: str
) -> None:
    run(
        mysql_db,
        "CREATE TABLE v (id INT PRIMARY KEY, n INT, at TIMESTAMP NULL, a VARCHAR(9), z INT NOT NULL UNIQUE,"
        " g INT AS (n * 2) STORED) CHARSET utf8mb4",
    )
    source = Source(mysql_db, "v")
    source.run(mode, "INSERT INTO v (id, n, at, a, z) VALUES (1, 1, NOW(), '漢', 0)" if why else "DO 0")
    source.run(mode, f"ALTER TABLE v {change}")
    (told,) = [part for part in source.follow().parts if isinstance(part, SchemaChange)]
    assert told.kind is SchemaChangeKind.COLUMNS
    assert (why in told.reason) if why else not told.reason


_GAPS = {  # columns behind the key, statements that come at once, why the table has to be copied anew
    "renamed_wider": ("v INT", ["CHANGE v w BIGINT"], "column v is called w now"),
    "renamed_elsewhere": ("v INT, z INT", ["CHANGE v w INT AFTER z"], "column v is called w now"),
    "renamed_and_made": ("v INT", ["RENAME COLUMN v TO w, ADD v INT AFTER id"], "column v is called w now"),
    "renamed_onto_another": ("v INT, w INT", ["DROP w, CHANGE v w INT"], "column v is called w now"),
    "names_changed": ("v INT, w INT", ["CHANGE v w INT AFTER id, CHANGE w v INT AFTER id"], "column v is called w now"),
    "dropped_and_made": ("v INT", ["DROP v, ADD v INT"], "v was dropped and made again"),
    "dropped_then_made": ("v INT", ["DROP v", "ADD v INT"], "v was dropped and made again"),
    "rounded_and_back": ("v DECIMAL(9, 4)", ["MODIFY v DECIMAL(9, 2)", "MODIFY v DECIMAL(9, 4)"], "once more"),
    "read_as_others": (
        "v VARCHAR(9) CHARSET latin1", ["MODIFY v VARBINARY(9)", "MODIFY v VARCHAR(9) CHARSET utf8mb4"], "once more",
    ),
    "new_date": ("v INT", ["ADD d DATE NOT NULL"], "column d is new and takes no NULL"),
    "other_key": ("v INT", ["DROP PRIMARY KEY, ADD PRIMARY KEY (id, v)"], "its key (id) tells rows apart no more"),
    "cascading": ("v INT", ["ADD FOREIGN KEY (v) REFERENCES parent (id) ON DELETE CASCADE"], "a foreign key came"),
    "went": ("v INT", ["CHANGE v w INT", "RENAME went_b"], "its name before that could be looked at"),
    "made_and_renamed": ("v INT", ["ADD w INT DEFAULT 3", "CHANGE w x INT"], "column x had another name"),
    "wider": ("v INT, w INT", ["MODIFY v BIGINT", "MODIFY w BIGINT", "ADD x INT NOT NULL"], ""),
}  # fmt: skip


def test_what_became_of_values_without_a_word_in_the_log_is_told_while_the_catalog_is_ahead(
    mysql_db: ConnectionSettings,
) -> None:
    run(mysql_db, "CREATE TABLE parent (id INT PRIMARY KEY)")
    for name, (columns, _, _) in _GAPS.items():
        run(mysql_db, f"CREATE TABLE {name} (id INT PRIMARY KEY, {columns})")
    source = Source(mysql_db, *_GAPS)
    source.seen.settle = lambda change: (
        source.tables[change.table.name]
        if change.kind is SchemaChangeKind.LOST
        else with_columns(source.tables[change.table.name], change)
    )
    source.run(*(f"ALTER TABLE {name} {clause}" for name, (_, clauses, _) in _GAPS.items() for clause in clauses))
    told: dict[str, str] = {}
    for part in source.follow().parts:
        if isinstance(part, SchemaChange):
            told.setdefault(part.table.name, part.reason)
    wrong = {
        name: told.get(name) for name, (_, _, why) in _GAPS.items() if why not in told[name] or (told[name] and not why)
    }
    assert wrong == {}


def test_what_comes_with_a_new_name_of_the_table_is_told_before_it(source: Source) -> None:
    source.run("ALTER TABLE t RENAME t2, ADD b INT", "ALTER TABLE u ADD b INT", "RENAME TABLE u TO u2")
    assert changes(source.follow()) == [("columns", "t"), ("renamed", "t"), ("columns", "u"), ("renamed", "u")]


def test_what_a_later_statement_makes_or_renames_is_told_when_that_comes(source: Source) -> None:
    """The catalog shows it when the first statement is read."""
    source.run("ALTER TABLE t ADD b INT", "CREATE TABLE w (id INT)", "RENAME TABLE u TO u2", "ALTER TABLE t ADD c INT")
    told = [("columns", "t"), ("created", "w"), ("renamed", "u"), ("columns", "t")]
    assert changes(source.follow()) == told


def test_a_name_that_the_stream_took_for_a_new_table_ends_the_one_that_has_it_now(source: Source) -> None:
    """As a start does that finds the table under its new name, before it reads the statement that gave it."""
    source.run("RENAME TABLE u TO u2")
    source.tables["u2"] = replace(table_plans(source.settings, "u2")[0], since=source.changes.end_position())
    source.run("INSERT INTO u2 VALUES (1)")
    seen = source.follow()
    assert changes(seen) == [("dropped", "u")]
    assert seen.events == {"u2": [("insert", (b"1",), None)]}


def test_rows_that_are_written_through_a_merge_table_lose_the_tables_below_it(mysql_db: ConnectionSettings) -> None:
    made = "(id INT, KEY (id)) ENGINE ="
    run(
        mysql_db,
        *(f"CREATE TABLE {name} {made} MyISAM" for name in ("m1", "m2", "m3", "m4")),
        f"CREATE TABLE m {made} MERGE UNION = (m1, m2) INSERT_METHOD = LAST",
        "CREATE TABLE other (id INT)",
    )
    with pytest.raises(InvalidError, match="tables of the engine MERGE cannot be replicated"):
        Source(mysql_db, "m")
    source = Source(mysql_db, "m1", "m2", "m3", "m4")
    source.seen.settle = lambda change: (
        replace(source.tables[change.table.name], state=TableState.PAUSED)
        if change.kind is SchemaChangeKind.LOST
        else None
    )
    source.run("INSERT INTO other VALUES (1)", "INSERT INTO m VALUES (1)", "INSERT INTO m1 VALUES (2)",
               "INSERT INTO m4 VALUES (1)")  # fmt: skip
    with source.stream() as stream:
        source.read(stream, source.changes.end_position())
        source.run("ALTER TABLE m UNION = (m3)", "TRUNCATE TABLE m", "INSERT INTO m4 VALUES (2)")
        seen = source.read(stream, source.changes.end_position())
    assert changes(seen) == [("lost", "m1"), ("lost", "m2"), ("lost", "m3")]
    assert {name: len(events) for name, events in seen.events.items()} == {"m4": 2}


def test_a_table_that_is_made_anew_has_the_names_of_its_columns(source: Source) -> None:
    """Though none of them has another type, which is all that rows tell."""
    source.run("CREATE OR REPLACE TABLE u (number INT PRIMARY KEY)", "INSERT INTO u VALUES (1)")
    assert changes(source.follow()) == [("columns", "u")]
    source.run("SET binlog_format = 'STATEMENT'", "CREATE OR REPLACE TABLE t (PRIMARY KEY (id)) SELECT 5 AS id")
    assert changes(source.follow())[1:] == [("lost", "t")]


def test_what_a_new_row_lacks_is_the_default_of_its_moment(source: Source) -> None:
    image = "SET binlog_row_image = 'MINIMAL'"
    source.run("ALTER TABLE t ADD COLUMN n INT DEFAULT 5")
    source.follow()
    source.run(image, "INSERT INTO t (id) VALUES (1)", "ALTER TABLE t ALTER n SET DEFAULT 6")
    source.follow()
    source.run(image, "INSERT INTO t (id) VALUES (2)")
    seen = source.follow()
    assert [row and row[-1] for _, row, _ in seen.events["t"]] == [b"5", b"6"]
    source.run(image, "ALTER TABLE t ALTER n SET DEFAULT 7", "INSERT INTO t (id) VALUES (3)",
               "ALTER TABLE t ALTER n SET DEFAULT 8")  # fmt: skip
    with pytest.raises(WireError, match="default"):  # 7 is in no catalog any more
        source.follow()


def test_a_dropped_table_that_came_back_is_told_as_dropped(source: Source) -> None:
    """The catalog shows it, and its rows went all the same."""
    source.run("DROP TABLE u", "CREATE TABLE u (id INT PRIMARY KEY)")
    assert ("dropped", "u") in changes(source.follow())


def test_a_truncate_tells_nothing_of_what_a_later_statement_did(source: Source) -> None:
    source.run(
        "TRUNCATE TABLE t",
        "INSERT INTO t (id, a) VALUES (1, 'a')",
        "ALTER TABLE t ADD COLUMN b INT",
        "INSERT INTO t (id, a, b) VALUES (2, 'a', 7)",
    )
    seen = source.follow()
    assert changes(seen) == [("columns", "t")]
    assert [row for _, row, _ in seen.events["t"]] == [(b"1", b"a", None), (b"2", b"a", None, b"7")]


@pytest.mark.parametrize("metadata", ["FULL", "MINIMAL"])
def test_columns_are_those_behind_the_statement_while_the_catalog_is_ahead(
    source: Source, mariadb_server: ConnectionSettings, metadata: str
) -> None:
    """When the first of two statements is read, the catalog knows what both have done."""
    admin = Database(mariadb_server)
    with settings_of(admin.run, binlog_row_metadata=metadata):
        source.run(
            "ALTER TABLE t ADD COLUMN b INT FIRST",
            "INSERT INTO t (id, a, b) VALUES (1, 'a', 7)",
            "ALTER TABLE t ADD COLUMN c INT FIRST",
            "INSERT INTO t (id, a, b, c) VALUES (2, 'a', 7, 8)",
        )
    admin.close()
    seen = source.follow()
    assert changes(seen) == [("columns", "t"), ("columns", "t")]
    assert [row for _, row, _ in seen.events["t"]] == [(b"7", b"1", b"a", None), (b"8", b"7", b"2", b"a", None)]


@pytest.mark.parametrize("metadata", ["FULL", "MINIMAL"])
def test_what_a_later_statement_may_have_hidden_is_read_by_names_or_not_at_all(
    source: Source, mariadb_server: ConnectionSettings, metadata: str
) -> None:
    """The catalog shows b behind id; where it was before that, only the log can tell."""

    def settle(change: SchemaChange) -> StreamTable | None:
        table = source.tables[change.table.name]
        if change.kind is SchemaChangeKind.LOST:
            return replace(table, state=TableState.PAUSED)
        source.tables[change.table.name] = source.seen.know(with_columns(table, change))
        return source.tables[change.table.name]

    source.seen.settle = settle
    admin = Database(mariadb_server)
    with settings_of(admin.run, binlog_row_metadata=metadata):
        source.run(
            "ALTER TABLE t ADD COLUMN b INT FIRST",
            "INSERT INTO u VALUES (1)",
            "INSERT INTO t (id, a, b) VALUES (1, 'a', 7)",
            "ALTER TABLE t MODIFY b INT AFTER id",
            "INSERT INTO t (id, a, b) VALUES (2, 'a', 8)",
        )
    admin.close()
    seen = source.follow()
    assert seen.events["u"] == [("insert", (b"1",), None)]
    if metadata == "FULL":
        assert [row for _, row, _ in seen.events["t"]] == [(b"1", b"7", b"a", None), (b"2", b"8", b"a", None)]
    else:
        assert "t" not in seen.events
        assert changes(seen)[-1] == ("lost", "t")


@pytest.mark.parametrize("restart", [False, True])
def test_the_doubt_outlives_a_restart_and_ends_with_the_last_statement(source: Source, restart: bool) -> None:
    source.run(
        "ALTER TABLE t ADD COLUMN b INT FIRST",
        "INSERT INTO u VALUES (1)",
        "ALTER TABLE t MODIFY b INT AFTER id",
        "INSERT INTO t (id, a, b) VALUES (2, 'a', 8)",
    )
    if restart:
        with source.stream(GroupLimits(max_rows=1)) as stream:
            source.read_until(stream, lambda: "u" in source.seen.events)
        assert "unsure" in source.seen.position
    seen = source.follow()
    assert last(seen) == (b"2", b"8", b"a", None)
    assert "lost" not in [kind for kind, _ in changes(seen)]
    assert "unsure" not in seen.position


def test_the_log_is_looked_through_once_however_many_statements_it_has(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[replica.Start] = []

    class Counted(replica.Replica):
        def __init__(self, settings: ConnectionSettings, server_id: int, uuid: str, start: replica.Start) -> None:
            begun.extend([start] if not uuid else [])
            super().__init__(settings, server_id, uuid, start)

    monkeypatch.setattr(replica, "Replica", Counted)
    for number in range(4):
        source.run(f"ALTER TABLE t ADD COLUMN c{number} INT", f"INSERT INTO t (id, c{number}) VALUES ({number}, 1)")
    seen = source.follow()
    assert len(begun) == 1
    assert [row for _, row, _ in seen.events["t"]][-1][-4:] == (None, None, None, b"1")
    source.run("ALTER TABLE t ADD COLUMN late INT", "INSERT INTO t (id, late) VALUES (9, 1)")
    with source.stream() as stream:
        source.read_until(stream, lambda: len(source.seen.events["t"]) == 5)
        source.run("ALTER TABLE t ADD COLUMN later INT", "INSERT INTO t (id, later) VALUES (10, 1)")
        source.read_until(stream, lambda: len(source.seen.events["t"]) == 6)
    places = [(file_number(start.file), start.position) for start in begun[1:]]
    assert places == sorted(set(places))  # each reads on where the one before it ended


def test_a_stream_from_the_past_reads_rows_of_tables_that_have_grown_since(source: Source) -> None:
    source.run("INSERT INTO t VALUES (1, 'a', 'x')", "ALTER TABLE t ADD COLUMN b INT")
    source.run("INSERT INTO t VALUES (2, 'b', 'y', 7)")
    past = Source(source.settings, "t")
    file, offset = (json.loads(source.position)[part] for part in ("file", "offset"))
    past.origin, past.seen.position = past.changes.open("test", [], "", f"{file}:{offset}")
    seen = past.follow()
    assert [row for _, row, _ in seen.events["t"]] == [(b"1", b"a", b"x", b"(absent)"), (b"2", b"b", b"y", b"7")]


@pytest.mark.parametrize("restart", [False, True])
def test_a_stream_from_the_past_does_not_guess_defaults(source: Source, restart: bool) -> None:
    image = "SET binlog_row_image = 'MINIMAL'"
    source.run("ALTER TABLE t ADD n INT DEFAULT 5")
    start = Source(source.settings, "t").position
    source.run("INSERT INTO t VALUES (1, 'a', 'x', 7)")
    source.run(image, "INSERT INTO t (id) VALUES (2)", "ALTER TABLE t ALTER n SET DEFAULT 6",
               "INSERT INTO t (id) VALUES (3)")  # fmt: skip
    past = Source(source.settings, "t")
    file, offset = (json.loads(start)[part] for part in ("file", "offset"))
    past.origin, past.seen.position = past.changes.open("test", [], "", f"{file}:{offset}")
    if restart:
        with past.stream(GroupLimits(max_rows=1)) as stream:
            past.read_until(stream, lambda: "t" in past.seen.events)
    with pytest.raises(WireError, match="default"):  # 5 is in no catalog any more
        past.follow()
    assert [row and row[-1] for _, row, _ in past.seen.events.get("t", [])] == [b"7"] * restart


def test_a_stream_from_the_past_does_not_guess_columns(source: Source) -> None:
    source.run("INSERT INTO t VALUES (1, 'a', 'x')", "ALTER TABLE t MODIFY e ENUM('y', 'x')")
    past = Source(source.settings, "t")
    past.seen.settle = lambda change: replace(past.tables["t"], state=TableState.PAUSED)
    file, offset = (json.loads(source.position)[part] for part in ("file", "offset"))
    past.origin, past.seen.position = past.changes.open("test", [], "", f"{file}:{offset}")
    seen = past.follow()
    assert changes(seen) == [("lost", "t")]
    assert "t" not in seen.events


def test_rows_that_no_layout_explains_lose_their_table_alone(source: Source) -> None:
    source.run(
        "ALTER TABLE t ADD COLUMN b INT FIRST",
        "INSERT INTO t (id, a, b) VALUES (1, 'a', 7)",
        "ALTER TABLE t DROP COLUMN b, ADD COLUMN c TEXT FIRST",
        "INSERT INTO u VALUES (1)",
    )

    def pause(change: SchemaChange) -> StreamTable | None:
        if change.kind is SchemaChangeKind.LOST:
            return replace(source.tables["t"], state=TableState.PAUSED)
        return None

    source.seen.settle = pause
    seen = source.follow()
    assert ("lost", "t") in changes(seen)
    assert "t" not in seen.events
    assert seen.events["u"] == [("insert", (b"1",), None)]


@pytest.mark.parametrize("prepared", [False, True])
def test_what_comes_to_light_in_a_transaction_is_settled_before_it(source: Source, prepared: bool) -> None:
    """Much was handed on, or it is put aside: the log is read again, and tables are settled where it begins."""

    def settle(change: SchemaChange) -> StreamTable | None:
        table = source.tables[change.table.name]
        if change.kind is SchemaChangeKind.LOST:
            table = replace(table, state=TableState.PAUSED)
        elif change.kind is SchemaChangeKind.COLUMNS:
            table = with_columns(table, change)
        source.tables[table.source.name] = source.seen.know(table)
        return table

    source.seen.settle = settle
    begin, *end = ("XA START 'x'", "XA END 'x'", "XA PREPARE 'x'", "XA COMMIT 'x'") if prepared else ("BEGIN", "COMMIT")
    source.run(
        "ALTER TABLE t ADD COLUMN b INT",
        begin, "INSERT INTO u VALUES (1), (2)", "INSERT INTO t VALUES (1, 'a', 'x', 7)", *end,
        "ALTER TABLE t DROP COLUMN b", "INSERT INTO u VALUES (3)",
    )  # fmt: skip
    with pytest.raises(LostConnectionError, match="in the middle of a transaction"):
        source.follow(GroupLimits(max_rows=1))
    source.seen.events.clear()
    seen = source.follow(GroupLimits(max_rows=1))
    assert changes(seen)[-1] == ("lost", "t")
    assert "t" not in seen.events
    assert [row for _, row, _ in seen.events["u"]] == [(b"1",), (b"2",), (b"3",)]


def test_statements_of_other_databases_are_nothing_to_us(source: Source, mariadb_server: ConnectionSettings) -> None:
    with connect(mariadb_server) as connection:
        name = f"other_{source.settings.database}"
        for sql in (
            f"CREATE DATABASE {name}", f"CREATE TABLE {name}.t (id INT)", f"INSERT INTO {name}.t VALUES (1)",
            f"ALTER TABLE {name}.t ADD COLUMN b INT", f"TRUNCATE TABLE {name}.t", f"DROP DATABASE {name}",
        ):  # fmt: skip
            query(connection, sql)
    source.run("INSERT INTO u VALUES (1)")
    seen = source.follow()
    assert len(seen.parts) == 1


def test_a_dropped_database_drops_its_tables(source: Source) -> None:
    source.run(f"DROP DATABASE {source.settings.database}")
    assert sorted(changes(source.follow())) == [("dropped", "t"), ("dropped", "u")]
