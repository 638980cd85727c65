"""Tables that change, come, go and get other names while a PostgreSQL's log is read."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from mainstem.connectors.postgres import publication, roster
from mainstem.errors import StatementError
from mainstem.model.change import ChangeGroup, SchemaChange, SchemaChangeKind
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from mainstem.model.run import ChangeOptions, TableState
from tests.connectors.postgres.changefeed import parts_of, stream_table
from tests.connectors.postgres.conftest import MakeFeed, Needs

Sql = psycopg.Connection[Any]


def columns_of(group: ChangeGroup) -> dict[str, str]:
    (change,) = (part for part in group.parts if isinstance(part, SchemaChange))
    return {column.name: column.native for column in change.columns}


def test_a_change_of_columns_is_told_before_the_rows_behind_it(
    sql: Sql, database: ConnectionSettings, feed: MakeFeed
) -> None:
    sql.execute("CREATE TABLE t (id int PRIMARY KEY, a text); CREATE TABLE u (id int PRIMARY KEY)")
    one = feed("t", "u")
    sql.execute("INSERT INTO t VALUES (1, 'x')")
    sql.execute("ALTER TABLE t ADD b numeric(10,2) NOT NULL DEFAULT 7, ALTER a TYPE varchar(30)")
    with sql.transaction():
        sql.execute("INSERT INTO u VALUES (1); INSERT INTO t VALUES (2, 'y', 1.5)")
    with one.stream() as stream:
        (before, *rest) = one.until(stream, lambda group: "SchemaChange" in repr(group), settle=False)
        told = [before, *rest][-1]
        assert told.whole
        assert told.position
        change = told.parts[-1]
        assert isinstance(change, SchemaChange)
        assert (change.kind, change.table.name) == (SchemaChangeKind.COLUMNS, "t")
        assert columns_of(told) == {"id": "integer", "a": "character varying(30)", "b": "numeric(10,2)"}
        assert change.columns[2].default is not None
        assert one.twin.rows == {"t": [(b"1", b"x")], "u": []}
        one.tables[0] = stream_table(database, "t")
        one.twin.rows["t"] = [(b"1", b"x", b"7.00")]
        stream.settle(one.tables[0])
        one.follow(stream)
    one.check()
    assert one.run() == []
    sql.execute("INSERT INTO t VALUES (3, 'z', 0)")
    (group,) = one.run()  # the columns are known now
    assert group.rows == 1


def test_columns_may_change_within_a_transaction(sql: Sql, database: ConnectionSettings, feed: MakeFeed) -> None:
    sql.execute("CREATE TABLE t (id int PRIMARY KEY, a text)")
    one = feed("t")
    with sql.transaction():
        sql.execute("INSERT INTO t VALUES (1, 'x'); ALTER TABLE t DROP a, ADD c int DEFAULT 5")
        sql.execute("INSERT INTO t VALUES (2, 6)")
    with one.stream() as stream:
        groups = one.until(stream, lambda group: "SchemaChange" in repr(group), settle=False)
        assert [group.whole for group in groups] == [False]
        one.tables = [stream_table(database, "t")]
        one.twin.rows["t"] = [(b"1", b"5")]
        stream.settle(one.tables[0])
        one.follow(stream)
    one.check()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("DROP a, ADD a text", "column a was dropped and made again"),
        ("ALTER g DROP EXPRESSION", "column g is not generated any more"),
        ("ADD CHECK (id > 0), DROP g", ""),
    ],
)
def test_a_column_that_became_another_one_of_its_name_is_told(
    sql: Sql, feed: MakeFeed, needs: Needs, change: str, told: str
) -> None:
    needs(13, "keeps a column generated")
    sql.execute("CREATE TABLE t (id int PRIMARY KEY, g int GENERATED ALWAYS AS (id * 2) STORED, a text)")
    one = feed("t")
    with one.stream() as stream:
        sql.execute(f"ALTER TABLE t {change}; INSERT INTO t (id) VALUES (1)")
        if not told:
            one.follow(stream)
            assert one.twin.rows == {"t": [(b"1", None)]}
            return
        (group,) = one.until(stream, lambda group: "SchemaChange" in repr(group), settle=False)
        (lost,) = group.parts
        assert isinstance(lost, SchemaChange)
        assert told in repr(lost)


def test_tables_that_became_others_while_nobody_read_the_log_are_told_at_the_start(sql: Sql, feed: MakeFeed) -> None:
    changes = {
        "a": "ALTER TABLE a RENAME TO x; ALTER TABLE b RENAME TO a; ALTER TABLE x RENAME TO b",
        "b": "VACUUM FULL kept",
        "again": "DROP TABLE again; CREATE TABLE again (id int PRIMARY KEY, v text)",
        "col": "ALTER TABLE col DROP v, ADD v text",
        "typed": "ALTER TABLE typed DROP v, ADD v int",
        "kept": "ALTER TABLE kept RENAME TO y; ALTER TABLE y RENAME TO kept; ALTER TABLE kept SET (fillfactor = 90)",
        "more": "ALTER TABLE more RENAME v TO w; ALTER TABLE more ADD v text",
        "old": "",
    }
    for name in changes:
        sql.execute(f"CREATE TABLE {name} (id int PRIMARY KEY, v text)")
    sql.execute("CREATE PUBLICATION every FOR ALL TABLES")  # nothing is written down with one that is not ours
    one = feed(*changes, options=ChangeOptions(publication="every"))
    old = one.tables[-1]
    one.tables[-1] = replace(old, layout=tuple(replace(column, mark="") for column in old.layout))
    for change in changes.values():
        for statement in change.split("; "):
            sql.execute(statement or "SELECT 1")
    sql.execute("INSERT INTO a VALUES (1); INSERT INTO b VALUES (2); INSERT INTO kept VALUES (3)")
    told: dict[str, SchemaChange] = {}
    with one.stream() as stream:
        while len(told) < 7:
            (change,) = parts_of(one.until(stream, lambda group: "SchemaChange" in repr(group), settle=False))
            place = next(place for place, table in enumerate(one.tables) if table.source == change.table)
            if change.kind is SchemaChangeKind.COLUMNS:
                one.tables[place] = replace(one.tables[place], layout=change.columns)
            else:
                one.tables[place] = replace(one.tables[place], state=TableState.PAUSED)
            stream.settle(one.tables[place])
            if change.table.name != "kept":  # of which only its new file is told
                told[change.table.name] = change
        one.follow(stream)
    assert {name: change.kind.name for name, change in told.items()} == dict.fromkeys(
        ("a", "b", "again", "col", "typed", "more"), "LOST"
    ) | {"old": "COLUMNS"}
    oids_and_numbers = [[column.mark.split(".")[:2] for column in of] for of in (told["old"].columns, old.layout)]
    assert oids_and_numbers[0] == oids_and_numbers[1]
    assert {name: rows for name, rows in one.twin.rows.items() if rows} == {"kept": [(b"3", None)]}


def test_columns_are_found_under_the_name_that_their_table_has_got_since(sql: Sql, feed: MakeFeed) -> None:
    sql.execute("CREATE TABLE t (id int PRIMARY KEY)")
    one = feed("t")
    with one.stream() as stream:
        sql.execute("ALTER TABLE t ADD a int; INSERT INTO t VALUES (1, 2); ALTER TABLE t RENAME TO renamed")
        (group,) = one.until(stream, lambda group: "COLUMNS" in repr(group), settle=False)
        (change,) = (part for part in group.parts if isinstance(part, SchemaChange))
        assert [column.nullable for column in change.columns] == [False, True]


def test_a_column_that_goes_while_it_is_wanted_is_an_error(sql: Sql, feed: MakeFeed) -> None:
    sql.execute("CREATE TABLE t (id int PRIMARY KEY, a text)")
    one = feed("t")
    sql.execute("ALTER TABLE t DROP a; INSERT INTO t VALUES (1)")
    with pytest.raises(StatementError, match="does not hold its column a"):
        one.run()


def test_a_table_that_gets_another_name_is_told(sql: Sql, database: ConnectionSettings, feed: MakeFeed) -> None:
    sql.execute("CREATE TABLE t (id int PRIMARY KEY)")
    one = feed("t")
    with one.stream() as stream:
        sql.execute("ALTER TABLE t RENAME TO renamed; INSERT INTO renamed VALUES (1)")
        (group,) = one.until(stream, lambda group: "SchemaChange" in repr(group), settle=False)
        (change,) = group.parts
        assert isinstance(change, SchemaChange)
        assert (change.kind, change.renamed_to) == (SchemaChangeKind.RENAMED, TableId("public", "renamed"))
        one.tables = [stream_table(database, "renamed")]
        one.twin.know(one.tables[0])
        stream.settle(one.tables[0])
        one.follow(stream)
    one.check()


def test_a_table_that_is_gone_is_told_at_the_start(sql: Sql, feed: MakeFeed) -> None:
    sql.execute("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY)")
    one = feed("t", "u")
    sql.execute("DROP TABLE t; INSERT INTO u VALUES (1)")
    told = [part for part in parts_of(one.run()) if isinstance(part, SchemaChange)]
    assert [(change.kind, change.table.name) for change in told] == [(SchemaChangeKind.DROPPED, "t")]
    assert one.twin.rows["u"] == [(b"1",)]


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("DROP TABLE t", SchemaChangeKind.DROPPED),
        ("DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY)", SchemaChangeKind.DROPPED),
        ("ALTER PUBLICATION {} DROP TABLE t", SchemaChangeKind.LOST),
        ("ALTER PUBLICATION {} SET TABLE t WHERE (id < 9)", SchemaChangeKind.LOST),
    ],
)
def test_a_table_that_goes_while_the_stream_runs_is_told(
    sql: Sql, feed: MakeFeed, statement: str, kind: SchemaChangeKind, needs: Needs, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "WHERE" in statement:
        needs(15, "publishes all rows of a table")
    monkeypatch.setattr(roster, "LOOK_S", 0.1)
    sql.execute("CREATE TABLE t (id int PRIMARY KEY)")
    one = feed("t")
    with one.stream() as stream:
        sql.execute("INSERT INTO t VALUES (1)")
        one.follow(stream)
        sql.execute("INSERT INTO t VALUES (2)")
        sql.execute(statement.format(json.loads(one.origin)["publications"][0]))
        told = parts_of(one.until(stream, lambda group: "SchemaChange" in repr(group)))[-1]
        assert (told.kind, told.table.name) == (kind, "t")
    assert one.twin.rows["t"] == [(b"1",), (b"2",)]


def test_tables_that_change_names_are_told_whether_rows_come_or_not(
    sql: Sql, feed: MakeFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roster, "LOOK_S", 0.1)
    for name in ("a", "b", "c"):
        sql.execute(f"CREATE TABLE {name} (id int PRIMARY KEY)")
    one = feed("a", "b", "c")
    with one.stream() as stream:
        sql.execute("ALTER TABLE a RENAME TO x; ALTER TABLE b RENAME TO a; ALTER TABLE x RENAME TO b")
        sql.execute("ALTER TABLE c RENAME TO c_old; CREATE TABLE c (id int PRIMARY KEY); INSERT INTO b VALUES (1)")
        told: dict[str, SchemaChangeKind] = {}
        while len(told) < 3:
            (change,) = (
                part
                for part in parts_of(one.until(stream, lambda group: "SchemaChange" in repr(group), settle=False))
                if isinstance(part, SchemaChange)
            )
            told[change.table.name] = change.kind
            place = next(place for place, table in enumerate(one.tables) if table.source == change.table)
            one.tables[place] = replace(one.tables[place], state=TableState.PAUSED)
            stream.settle(one.tables[place])
    assert told == dict.fromkeys("abc", SchemaChangeKind.LOST)


def test_a_table_that_was_made_again_without_a_key_keeps_no_stream_from_going_on(
    sql: Sql, feed: MakeFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roster, "LOOK_S", 0.1)
    sql.execute("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY)")
    one = feed("t", "u")
    sql.execute("DROP TABLE t; CREATE TABLE t (id int); INSERT INTO u VALUES (1)")
    one.source.open(one.id, [table.source for table in one.tables], one.origin, "")
    with one.stream() as stream:
        told = parts_of(one.until(stream, lambda group: "SchemaChange" in repr(group)))[-1]
    assert (told.kind, told.table.name, "made again" in told.reason) == (SchemaChangeKind.LOST, "t", True)


def test_a_table_that_comes_is_told_where_all_are_wanted(
    sql: Sql, feed: MakeFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roster, "LOOK_S", 0.1)
    sql.execute("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE left_out (id int PRIMARY KEY)")
    one = feed("t")
    sql.execute("CREATE TABLE meanwhile (id int PRIMARY KEY); CREATE TEMP TABLE mine (id int)")
    with one.stream() as stream:
        told = parts_of(one.until(stream, lambda group: "SchemaChange" in repr(group)))
        sql.execute("CREATE TABLE later (id int, part int) PARTITION BY LIST (part)")
        sql.execute("CREATE TABLE later_1 PARTITION OF later FOR VALUES IN (1)")
        told += parts_of(one.until(stream, lambda group: "SchemaChange" in repr(group)))
    assert [(change.kind, change.table.name) for change in told] == [
        (SchemaChangeKind.CREATED, "meanwhile"), (SchemaChangeKind.CREATED, "later"),
    ]  # fmt: skip
    assert [column.name for column in told[1].columns] == ["id", "part"]


def test_a_table_that_gets_another_name_while_the_stream_begins_again_hinders_no_other(
    sql: Sql, feed: MakeFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql.execute("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY)")
    one = feed("t", "u")
    sql.execute("DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY)")
    found = publication.members

    def renamed(*arguments: Any, **more: Any) -> object:
        told = found(*arguments, **more)
        sql.execute("ALTER TABLE t RENAME TO late")
        return told

    monkeypatch.setattr(publication, "members", renamed)
    one.source.open(one.id, [table.source for table in one.tables], one.origin, "")
    sql.execute("INSERT INTO u VALUES (1)")
    one.run()
    assert one.twin.rows["u"] == [(b"1",)]


def test_a_table_that_was_made_again_meanwhile_is_not_taken_for_the_old_one(
    sql: Sql, database: ConnectionSettings, feed: MakeFeed
) -> None:
    sql.execute("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY)")
    one = feed("t", "u")
    one.run()
    sql.execute("DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1); INSERT INTO u VALUES (1)")
    for _ in range(2):  # also after a start that got no further
        one.source.open(one.id, [table.source for table in one.tables], one.origin, "")
    told = [part for part in parts_of(one.run()) if isinstance(part, SchemaChange)]
    assert [(change.kind, change.table.name) for change in told] == [(SchemaChangeKind.LOST, "t")]
    one.tables = [stream_table(database, name) for name in ("t", "u")]
    one.copy()
    assert one.run() == []
    sql.execute("INSERT INTO t VALUES (2)")
    one.run()
    one.check()


@pytest.mark.parametrize(
    ("columns", "change", "told"),
    [
        ("id int PRIMARY KEY, other int NOT NULL UNIQUE", "USING INDEX t_other_key", "column id is not of"),
        ("", "FULL", "holds none of its columns"),
        ("id int PRIMARY KEY, other int", "FULL, DROP CONSTRAINT t_pkey", "key (id) tells rows apart no more"),
        ("id int PRIMARY KEY, other int", "DEFAULT, DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (id, other)", "key (id)"),
    ],
)
def test_a_table_whose_rows_cannot_be_told_apart_is_lost_alone(
    sql: Sql, feed: MakeFeed, columns: str, change: str, told: str
) -> None:
    sql.execute(f"CREATE TABLE t ({columns}); CREATE TABLE u (id int PRIMARY KEY)")
    if not columns:
        sql.execute("ALTER TABLE t REPLICA IDENTITY FULL")
    one = feed("t", "u")
    sql.execute(f"ALTER TABLE t REPLICA IDENTITY {change}")
    values = "VALUES (1, 1)" if columns else "DEFAULT VALUES"
    sql.execute(f"INSERT INTO t {values}; INSERT INTO u VALUES (1)")
    with one.stream() as stream:
        (group,) = one.until(stream, lambda group: "SchemaChange" in repr(group), settle=False)
        (lost,) = group.parts
        assert isinstance(lost, SchemaChange)
        assert told in repr(lost)
        one.tables[0] = replace(one.tables[0], state=TableState.PAUSED)
        stream.settle(one.tables[0])
        one.follow(stream)
    assert one.twin.rows == {"t": [], "u": [(b"1",)]}


def test_a_table_goes_on_whose_key_has_another_name_or_place(sql: Sql, feed: MakeFeed) -> None:
    sql.execute("CREATE TABLE t (id int, other int, PRIMARY KEY (id, other))")
    one = feed("t")
    sql.execute(
        "ALTER TABLE t REPLICA IDENTITY FULL, DROP CONSTRAINT t_pkey, ADD UNIQUE (other); INSERT INTO t VALUES (1, 1)"
    )
    one.run()
    one.check()


def test_a_stream_goes_on_without_a_table_that_is_gone(sql: Sql, feed: MakeFeed) -> None:
    sql.execute("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY)")
    one = feed("t", "u")
    sql.execute("DROP TABLE t; ALTER TABLE u DROP CONSTRAINT u_pkey")
    one.source.open(one.id, [table.source for table in one.tables], one.origin, "")


@pytest.mark.usefixtures("roots")
def test_what_rows_come_and_go_with_partitions_is_told(
    sql: Sql, feed: MakeFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roster, "LOOK_S", 0.1)
    sql.execute("CREATE TABLE t (id int, part int, PRIMARY KEY (id, part)) PARTITION BY LIST (part)")
    for number in (1, 2):
        sql.execute(f"CREATE TABLE t_{number} PARTITION OF t FOR VALUES IN ({number})")
    one = feed("t")
    told: dict[tuple[str, str], str] = {}
    with one.stream() as stream:
        sql.execute("CREATE TABLE t_3 PARTITION OF t FOR VALUES IN (3); INSERT INTO t VALUES (3, 3)")
        sql.execute("CREATE TABLE t_4 (LIKE t)")
        sql.execute("ALTER TABLE t ATTACH PARTITION t_4 FOR VALUES IN (4); INSERT INTO t VALUES (4, 4)")
        sql.execute("ALTER TABLE t DETACH PARTITION t_1; DROP TABLE t_2")
        for wanted in (2, 4):
            while len(told) < wanted:
                parts = parts_of(one.until(stream, lambda group: "SchemaChange" in repr(group)))
                changes = [part for part in parts if isinstance(part, SchemaChange) and part.statement]
                told |= {(change.kind.name, change.statement): change.reason for change in changes}
            if wanted == 2:
                sql.execute("CREATE TABLE t_5 (LIKE t); INSERT INTO t_5 VALUES (5, 5)")
                sql.execute("ALTER TABLE t ATTACH PARTITION t_5 FOR VALUES IN (5)")
                with sql.transaction():
                    sql.execute("CREATE TABLE t_6 (LIKE t); INSERT INTO t_6 VALUES (6, 6)")
                    sql.execute("ALTER TABLE t ATTACH PARTITION t_6 DEFAULT; INSERT INTO t VALUES (7, 7)")
    assert list(told) == [
        ("NOTED", "DETACH PARTITION public.t_1"),
        ("NOTED", "DROP PARTITION public.t_2"),
        ("LOST", "ATTACH PARTITION public.t_5"),
        ("LOST", "ATTACH PARTITION public.t_6"),
    ]
    assert "FOR VALUES IN (2)" in told["NOTED", "DROP PARTITION public.t_2"]
    assert one.twin.rows["t"][:2] == [(b"3", b"3"), (b"4", b"4")]  # and what came behind them, if it came by now
    assert not {(b"5", b"5"), (b"6", b"6")} & {*one.twin.rows["t"]}


@pytest.mark.usefixtures("roots")
def test_a_partition_that_tells_less_than_its_root_is_told_before_its_rows(
    sql: Sql, database: ConnectionSettings, feed: MakeFeed
) -> None:
    sql.execute("CREATE TABLE t (id int, v int) PARTITION BY LIST (v); ALTER TABLE t REPLICA IDENTITY FULL")
    sql.execute("CREATE TABLE t_1 PARTITION OF t FOR VALUES IN (1); ALTER TABLE t_1 REPLICA IDENTITY FULL")
    one = feed("t")
    with one.stream() as stream:
        sql.execute("INSERT INTO t VALUES (1, 1); CREATE TABLE t_2 PARTITION OF t FOR VALUES IN (2)")
        sql.execute(
            "INSERT INTO t VALUES (2, 2); ALTER TABLE t_2 ADD PRIMARY KEY (id); UPDATE t SET id = 3 WHERE v = 2"
        )
        (*_, group) = one.until(stream, lambda group: "SchemaChange" in repr(group), settle=False)
        (lost,) = (part for part in group.parts if isinstance(part, SchemaChange))
        assert (lost.kind, "partition public.t_2" in lost.reason) == (SchemaChangeKind.LOST, True)
        assert one.twin.rows == {"t": [(b"1", b"1"), (b"2", b"2")]}
        again = stream_table(database, "t", since=one.source.end_position())
        stream.settle(replace(again, state=TableState.PAUSED))
        stream.settle(again)  # copied anew, and still the same
        (group,) = one.until(stream, lambda group: "SchemaChange" in repr(group), settle=False)
        stream.settle(replace(again, state=TableState.PAUSED))
        sql.execute("ALTER TABLE t_2 REPLICA IDENTITY FULL")
        stream.settle(again)
        sql.execute("UPDATE t SET id = 4 WHERE v = 1")
        one.follow(stream)
    assert one.twin.rows == {"t": [(b"4", b"1"), (b"2", b"2")]}
