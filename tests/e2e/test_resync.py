"""Tables that are copied while others stream, letters that are tried again, and the way to the other database."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import psycopg
import pymysql
import pytest

from mainstem import failpoints
from mainstem.connectors.postgres import roster
from mainstem.ddl.evolution import RUN
from mainstem.engine import applying
from mainstem.errors import ConflictError, NotFoundError
from mainstem.model.run import ChangeErrorPolicy, RowErrorPolicy, TableState
from tests.e2e.routes import CROSSING, MYSQL, POSTGRES, Route
from tests.e2e.streams import cdc, following, state_of, wait_until

CROSS = pytest.mark.parametrize("route", CROSSING, indirect=True, ids="-".join)


@contextmanager
def written_to(route: Route, *tables: str) -> Iterator[None]:
    """Rows come and change all the time."""
    over = threading.Event()

    def write() -> None:
        number = 100_000
        while not over.is_set():
            number += 1
            for table in tables:
                route.source.run(
                    f"INSERT INTO {table} VALUES ({number}, 'new')",
                    f"UPDATE {table} SET v = 'w{number}' WHERE id = {number % 2000 + 1}",
                    f"DELETE FROM {table} WHERE id = {number - 5}",
                )

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _ran(route: Route, statement: str) -> bool:
    """False where it and the stream waited for each other, and it was the one that had to give in."""
    try:
        route.target.run(statement)
    except (pymysql.OperationalError, psycopg.OperationalError):
        return False
    return True


def _make(route: Route, *tables: str) -> None:
    source = route.source
    for table in tables:
        source.run(
            f"CREATE TABLE {table} (id BIGINT PRIMARY KEY, v VARCHAR(20))",
            f"INSERT INTO {table} SELECT seq, 'old' FROM {source.rows(2000)}",
        )


def test_a_table_is_copied_anew_while_others_stream(route: Route) -> None:
    _make(route, "a", "b")
    with following(route) as stream, stream.running() as replication:
        with written_to(route, "a", "b"):
            wait_until(lambda: replication.progress().changes.transactions > 5)  # type: ignore[union-attr]
            for statement in ("DELETE FROM a WHERE id < 500", "UPDATE a SET v = 'wrong' WHERE id < 1000"):
                wait_until(partial(_ran, route, statement))
            for _ in range(2):
                replication.resync(["a"])
                wait_until(lambda: state_of(replication, "a") is not TableState.STREAMING)
                wait_until(lambda: state_of(replication, "a") is TableState.STREAMING, stream.said)
        stream.wait_equal()
        assert [event.message for event in stream.events if event.level == "error"] == []
        assert sum(table.missing for table in replication.progress().tables if table.source.name == "b") == 0
        with pytest.raises(NotFoundError):
            replication.resync(["nowhere"])
    with pytest.raises(ConflictError):
        replication.resync(["a"])


@CROSS
def test_a_table_that_is_paused_comes_back_by_a_new_copy(route: Route) -> None:
    _make(route, "a")
    with following(route) as stream, stream.running() as replication:
        route.source.run("ALTER TABLE a RENAME COLUMN v TO w", "INSERT INTO a VALUES (5000, 'x')")
        wait_until(lambda: state_of(replication, "a") is TableState.PAUSED)
        route.target.run("ALTER TABLE a RENAME COLUMN v TO w")
        replication.resync(["a"])
        wait_until(lambda: state_of(replication, "a") is TableState.STREAMING, stream.said)
        route.source.run("ALTER TABLE a DROP COLUMN w, ADD COLUMN x VARCHAR(20)", "INSERT INTO a VALUES (5002, 'x')")
        wait_until(lambda: state_of(replication, "a") is TableState.PAUSED)
        replication.resync(["a"])  # it was not renamed
        wait_until(lambda: state_of(replication, "a") is TableState.STREAMING, stream.said)
        route.target.run("DROP TABLE a")
        replication.resync(["a"])
        wait_until(lambda: state_of(replication, "a") is not TableState.STREAMING, stream.said)
        wait_until(lambda: state_of(replication, "a") is TableState.STREAMING, stream.said)
        route.source.run("INSERT INTO a VALUES (5001, 'y')")
        stream.wait_equal()


@CROSS
def test_a_new_copy_that_is_refused_tells_column_and_types_and_what_to_run(route: Route) -> None:
    mysql = route.source.settings.type == MYSQL
    route.source.run(
        "CREATE TABLE a (id BIGINT PRIMARY KEY, v INTEGER DEFAULT 7 NOT NULL)", "INSERT INTO a VALUES (1, 1)"
    )
    change = "MODIFY COLUMN v VARCHAR(20) NOT NULL" if mysql else "ALTER COLUMN v TYPE VARCHAR(20)"
    with following(route) as stream, stream.running() as replication:
        route.source.run(f"ALTER TABLE a {change}", "INSERT INTO a VALUES (2, 'text')")
        wait_until(lambda: state_of(replication, "a") is TableState.PAUSED, stream.said)
        replication.resync(["a"])
        wait_until(lambda: RUN in replication.progress().tables[0].error.partition("column v of")[2], stream.said)
        (error,) = (table.error for table in replication.progress().tables)
        assert error.startswith("column v of")
        assert f"column v was {'int' if mysql else 'integer'}" in error
        route.target.run(*error.partition(RUN)[2].split("; "))
        replication.resync(["a"])
        wait_until(lambda: state_of(replication, "a") is TableState.STREAMING, stream.said)
        stream.wait_equal()


@pytest.mark.parametrize("route", [(MYSQL, MYSQL)], indirect=True, ids="-".join)
def test_a_new_copy_into_another_type_tells_what_is_still_to_be_run(route: Route) -> None:
    """The server takes A for a, and nothing else would say so."""
    route.source.run("CREATE TABLE a (id BIGINT PRIMARY KEY, v SET('a','b'))", "INSERT INTO a VALUES (1, 'a')")
    with following(route) as stream, stream.running() as replication:
        route.source.run("ALTER TABLE a MODIFY COLUMN v SET('A','B')")
        wait_until(lambda: state_of(replication, "a") is TableState.PAUSED, stream.said)
        replication.resync(["a"])
        wait_until(lambda: state_of(replication, "a") is TableState.STREAMING, stream.said)
        detail = replication.schema_changes()[-1].detail
        route.target.run(*detail.partition(RUN)[2].split("; ")[:-1])
        replication.resync(["a"])
        wait_until(lambda: replication.schema_changes()[-1].detail == detail, stream.said)
        wait_until(lambda: state_of(replication, "a") is TableState.STREAMING, stream.said)
        stream.wait_equal()
        assert route.target.run("SELECT v FROM a") == [("A",)]


@pytest.mark.parametrize("route", CROSSING[:1], indirect=True, ids="-".join)
def test_a_table_that_is_gone_from_the_target_gets_its_enum_anew(route: Route) -> None:
    route.source.run("CREATE TABLE a (id BIGINT PRIMARY KEY, v ENUM('a', 'b'))", "INSERT INTO a VALUES (1, 'b')")
    with following(route) as stream, stream.running() as replication:
        route.source.run("ALTER TABLE a MODIFY COLUMN v ENUM('b', 'c')", "INSERT INTO a VALUES (2, 'c')")
        wait_until(lambda: state_of(replication, "a") is TableState.PAUSED, stream.said)
        route.target.run("DROP TABLE a")
        replication.resync(["a"])
        wait_until(lambda: state_of(replication, "a") is TableState.STREAMING, stream.said)
        stream.wait_equal()


@CROSS
def test_a_table_that_somebody_pauses_goes_on_by_a_new_copy(route: Route) -> None:
    _make(route, "a", "b")
    with following(route) as stream, stream.running() as replication:
        replication.pause_table("a")
        wait_until(lambda: state_of(replication, "a") is TableState.PAUSED, stream.said)
        replication.pause_table("a")
        route.source.run("INSERT INTO a VALUES (5000, 'x')", "INSERT INTO b VALUES (5000, 'x')")
        wait_until(lambda: route.target.run("SELECT count(*) FROM b WHERE id = 5000") == [(1,)], stream.said)
        assert route.target.run("SELECT count(*) FROM a WHERE id = 5000") == [(0,)]
        with pytest.raises(ConflictError):
            replication.resume_table("b")
        replication.resume_table("a")
        wait_until(lambda: state_of(replication, "a") is TableState.STREAMING, stream.said)
        stream.wait_equal()


@CROSS
def test_a_new_copy_that_was_asked_for_is_not_lost_with_the_process(route: Route) -> None:
    _make(route, "a", "b")
    with following(route) as stream:
        with stream.running() as replication:
            stream.wait_equal()
            replication.pause()  # nothing is copied any more
            replication.resync(["b", "a"])
            replication.resync(["a"])
        route.target.run("DELETE FROM a WHERE id < 500", "DELETE FROM b WHERE id < 500")
        with stream.running():
            stream.wait_equal()
            stream.wait_rows(_LEDGERS[route.target.settings.type], [(0,)])
        assert sum("copied anew" in said for said in stream.said()) == 2


_LEDGERS = {
    MYSQL: "SELECT count(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name ="
    " 'mainstem_run'",
    POSTGRES: "SELECT count(*) FROM pg_tables WHERE schemaname = 'mainstem' AND tablename = 'run'",
}


@CROSS
def test_tables_that_are_new_are_copied_at_the_next_start(route: Route) -> None:
    _make(route, "a")
    with following(route) as stream:
        with stream.running():
            stream.wait_equal()
        _make(route, "late", "filled")
        for statement in (
            "CREATE TABLE filled (id BIGINT PRIMARY KEY, v VARCHAR(20))",
            "INSERT INTO filled (id) VALUES (1)",
        ):
            route.target.run(statement)
        with stream.running() as replication, written_to(route, "a", "late"):
            wait_until(lambda: len(replication.progress().tables) == 3, stream.said)
            wait_until(lambda: state_of(replication, "late") is TableState.STREAMING, stream.said)
            wait_until(lambda: state_of(replication, "filled") is TableState.STREAMING, stream.said)
            assert [line for line in stream.said() if "are not copied, but follow the source from now" in line]
            replication.resync(["filled"])
        with stream.running():
            stream.wait_equal()


@CROSS
def test_the_writers_may_be_moved_once_all_is_applied_and_equal(route: Route) -> None:
    _make(route, "a", "b")
    number = "AUTO_INCREMENT" if route.source.settings.type == MYSQL else "GENERATED BY DEFAULT AS IDENTITY"
    route.source.run(f"CREATE TABLE counted (id BIGINT {number} PRIMARY KEY, v VARCHAR(20))")
    route.source.run("CREATE SEQUENCE numbers")
    following_value = {MYSQL: "SELECT NEXTVAL(numbers)", POSTGRES: "SELECT nextval('numbers')"}
    inserts = cdc(table_operations={"counted": ("insert", "delete", "truncate")})
    with following(route, inserts) as stream, stream.running() as replication:
        route.source.run(*[following_value[route.source.settings.type]] * 7)
        with written_to(route, "a"):
            report = replication.cutover(2.0, quiet_s=1.0)
            assert not report.safe
            assert "still written to" in report.problems[0]
        route.source.run("INSERT INTO counted (v) VALUES ('1'), ('2'), ('3')")
        report = replication.cutover(30.0, quiet_s=0.5)
        assert (report.problems, report.safe) == ((), True)
        assert all(count.same for count in report.tables)
        left_out = "update is not applied, so that the rows may differ"
        assert {count.source.name: count.note for count in report.tables} == {"a": "", "b": "", "counted": left_out}
        assert any("counted" in counter for counter in report.counters)
        assert route.target.run(following_value[route.target.settings.type])[0][0] >= 8
        route.target.run("INSERT INTO counted (v) VALUES ('of the target')")
        assert route.target.run("SELECT MIN(id) FROM counted WHERE v = 'of the target'")[0][0] > 3
        report = replication.cutover(30.0, quiet_s=0.5)
        assert not report.safe
        assert "has 3 rows" in report.problems[0]


@CROSS
def test_a_new_copy_forgets_what_the_first_one_put_aside(route: Route) -> None:
    kind, refused = {MYSQL: ("VARCHAR(20)", r"'a\0b'"), POSTGRES: ("float8", "'NaN'")}[route.source.settings.type]
    for table in ("a", "b"):
        route.source.run(
            f"CREATE TABLE {table} (id INT PRIMARY KEY, v {kind})", f"INSERT INTO {table} VALUES (1, {refused})"
        )
    own = {MYSQL: "mainstem_rejected_row", POSTGRES: "mainstem.rejected_row"}[route.target.settings.type]
    aside = f"SELECT table_name FROM {own} ORDER BY table_name"
    quarantine = replace(cdc(), row_errors=RowErrorPolicy.QUARANTINE)
    with following(route, quarantine) as stream, stream.running() as replication:
        assert route.target.run(aside) == [("a",), ("b",)]
        route.source.run("UPDATE a SET v = '1'")
        replication.resync(["a"])
        stream.wait_rows(aside, [("b",)])
        stream.wait_rows("SELECT id FROM a", [(1,)])


@CROSS
def test_letters_are_tried_again_once_their_cause_is_mended(route: Route) -> None:
    _make(route, "a")
    with following(route, cdc(row_errors=ChangeErrorPolicy.QUARANTINE)) as stream, stream.running() as replication:
        route.target.run("ALTER TABLE a ADD CONSTRAINT short CHECK (CHAR_LENGTH(v) < 10)")
        route.source.run("INSERT INTO a VALUES (9001, 'much too long'), (9002, 'short')")
        stream.wait_rows("SELECT v FROM a WHERE id = 9002", [("short",)])
        (letter,) = replication.letters()
        assert (letter.key, replication.replay_letters()) == ("id=9001", (0, 1))

        route.target.run("ALTER TABLE a DROP CONSTRAINT short")
        assert replication.replay_letters() == (1, 0)
        assert replication.letters() == []
        stream.wait_equal()

        route.target.run("ALTER TABLE a ADD CONSTRAINT short CHECK (id <> 9003)")
        route.source.run("INSERT INTO a VALUES (9003, 'refused'), (9004, 'short')")
        stream.wait_rows("SELECT v FROM a WHERE id = 9004", [("short",)])
        assert [letter.key for letter in replication.letters()] == ["id=9003"]
        route.target.run("ALTER TABLE a DROP CONSTRAINT short")
        replication.resync(["a"])
        stream.wait_rows("SELECT v FROM a WHERE id = 9003", [("refused",)])
        assert replication.letters() == []
        assert sum(table.letters for table in replication.progress().tables) == 0
        stream.wait_equal()


@CROSS
def test_a_table_that_is_made_while_the_stream_runs_is_added(route: Route) -> None:
    _make(route, "a")
    with following(route) as stream, stream.running() as replication:
        _make(route, "late")
        wait_until(lambda: len(replication.progress().tables) == 2, stream.said)
        wait_until(lambda: state_of(replication, "late") is TableState.STREAMING, stream.said)
        route.source.run("INSERT INTO late VALUES (5001, 'y')", "INSERT INTO a VALUES (5001, 'y')")
        stream.wait_equal()
        assert [(line.table.name, line.outcome) for line in replication.schema_changes()] == [("late", "applied")]


@pytest.mark.parametrize("route", [(MYSQL, POSTGRES)], indirect=True, ids="-".join)
def test_a_copy_behind_another_one_applies_nothing_twice(route: Route, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the stream's came between them, so that the position in the target lies before the first of them."""
    monkeypatch.setattr(applying, "IDLE_CHECKPOINT_S", 3600.0)
    _make(route, "a")
    with following(route) as stream, stream.running() as replication:
        route.source.run("CREATE TABLE bag (n INT)", "INSERT INTO bag VALUES (1), (1), (2)")
        wait_until(lambda: len(replication.progress().tables) == 2, stream.said)
        wait_until(lambda: state_of(replication, "bag") is TableState.STREAMING, stream.said)
        replication.resync(["a"])
        wait_until(lambda: state_of(replication, "a") is not TableState.STREAMING, stream.said)
        wait_until(lambda: state_of(replication, "a") is TableState.STREAMING, stream.said)
        route.source.run("INSERT INTO a VALUES (5001, 'y')")
        stream.wait_equal()


@pytest.mark.parametrize("route", [(MYSQL, POSTGRES)], indirect=True, ids="-".join)
def test_a_table_that_cannot_be_added_or_was_made_again_is_told_and_hinders_no_other(route: Route) -> None:
    _make(route, "a", "again")
    with following(route) as stream:
        with stream.running() as replication:
            route.source.run("DROP TABLE again")
            wait_until(lambda: len(replication.schema_changes()) == 1, stream.said)
            route.source.run("RENAME TABLE a TO old", "INSERT INTO old VALUES (5000, 'x')")
            wait_until(lambda: len(replication.schema_changes()) == 2, stream.said)
            _make(route, "again")
            wait_until(lambda: state_of(replication, "again") is TableState.PAUSED, stream.said)
            replication.resync(["again"])
            wait_until(lambda: state_of(replication, "again") is TableState.STREAMING, stream.said)
        _make(route, "a", "late")  # the target's table a is that of old
        with stream.running() as replication:
            wait_until(lambda: any("is that of" in line.detail for line in replication.schema_changes()), stream.said)
            wait_until(lambda: "late" in {table.source.name for table in replication.progress().tables}, stream.said)
            wait_until(lambda: state_of(replication, "late") is TableState.STREAMING, stream.said)
        assert route.target.run("SELECT count(*) FROM a") == [(2001,)]


@pytest.mark.parametrize("route", [(POSTGRES, POSTGRES)], indirect=True, ids="-".join)
def test_a_partition_that_became_a_table_waits_for_the_targets_partition_to_go(route: Route) -> None:
    route.source.run(
        "CREATE TABLE t (id BIGINT PRIMARY KEY) PARTITION BY RANGE (id)",
        *(f"CREATE TABLE t_{n} PARTITION OF t FOR VALUES FROM ({n}0) TO ({n}9)" for n in (1, 2)),
        "INSERT INTO t VALUES (10), (20)",
    )
    with following(route) as stream:
        with stream.running() as replication:
            wait_until(lambda: state_of(replication, "t") is TableState.STREAMING, stream.said)
        route.source.run("ALTER TABLE t DETACH PARTITION t_1", "INSERT INTO t_1 VALUES (11)")
        with stream.running() as replication:
            wait_until(lambda: any("is a partition" in line.detail for line in replication.schema_changes()))
        route.target.run("ALTER TABLE t DETACH PARTITION t_1", "DROP TABLE t_1")
        with stream.running():
            stream.wait_equal()


@CROSS
@pytest.mark.parametrize("point", ["resync.marked", "resync.copied", "resync.rewound"])
def test_a_new_copy_goes_on_after_a_lost_connection(route: Route, point: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _make(route, "a", "b")
    monkeypatch.setattr(failpoints, "_points", {point: ("error", 1)})
    monkeypatch.setattr(failpoints, "_passes", {})
    with following(route) as stream, stream.running() as replication:
        with written_to(route, "a", "b"):
            route.target.run("DELETE FROM a WHERE id < 500")
            replication.resync(["a"])
            wait_until(lambda: any("failpoint" in told for told in stream.said()))
            wait_until(lambda: state_of(replication, "a") is TableState.STREAMING, stream.said)
            wait_until(lambda: replication.progress().stage == "streaming")
        stream.wait_equal()
        assert [table.missing for table in replication.progress().tables if table.source.name == "b"] == [0]


@pytest.mark.parametrize("route", [(POSTGRES, POSTGRES)], indirect=True, ids="-".join)
def test_what_tables_were_is_known_after_a_pause_and_learnt_from_an_older_book(
    route: Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roster, "LOOK_S", 0.1)
    _make(route, "a", "b", "kept", "used")
    route.source.run("CREATE TABLE p (id INT PRIMARY KEY) PARTITION BY LIST (id)")
    route.source.run("CREATE TABLE p_1 PARTITION OF p FOR VALUES IN (1)", "INSERT INTO p VALUES (1)")
    with following(route) as stream:
        with stream.running():
            stream.wait_equal()
        forgotten = """regexp_replace(document, '"mark": "[0-9.]+"', '"mark": ""', 'g')"""
        route.target.run(f"UPDATE mainstem.stream_table SET document = {forgotten}")
        with stream.running():
            known = 'SELECT count(*) FROM mainstem.stream_table WHERE document ~ \'"mark": "[0-9]+[.][0-9]+[.][0-9]\''
            stream.wait_rows(known, [(5,)])
        route.source.run("ALTER TABLE a RENAME TO x", "ALTER TABLE b RENAME TO a", "ALTER TABLE x RENAME TO b")
        route.source.run("ALTER TABLE used ALTER v TYPE VARCHAR(20) USING v || '!'")
        route.source.run("INSERT INTO a VALUES (5000, 'of b')", "INSERT INTO kept VALUES (5001, 'x')")
        with stream.running() as replication:
            lost = ["a", "b", "used"]
            wait_until(lambda: {state_of(replication, name) for name in lost} == {TableState.PAUSED}, stream.said)
            stream.wait_rows("SELECT count(*) FROM kept", [(2001,)])
            assert route.target.run("SELECT count(*) FROM a WHERE id = 5000") == [(0,)]
            replication.resync(lost)
            wait_until(lambda: {state_of(replication, name) for name in lost} == {TableState.STREAMING}, stream.said)
            route.source.run("INSERT INTO b VALUES (5001, 'of a')", "DROP TABLE p_1")
            wait_until(lambda: len(replication.schema_changes()) == 4, stream.said)
            told = [(line.table.name, line.change, line.outcome) for line in replication.schema_changes()]
            assert told[3] == ("p", "DROP PARTITION public.p_1", "ignored")
            assert route.target.run("SELECT * FROM p") == [(1,)]
            route.target.run("DELETE FROM p")
            stream.wait_equal()
            assert state_of(replication, "p") is TableState.STREAMING
