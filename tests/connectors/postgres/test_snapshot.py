from __future__ import annotations

import struct
import threading
from contextlib import closing
from typing import Any

import psycopg
import pytest

from mainstem.connectors.postgres import snapshot as snapshots
from mainstem.connectors.postgres import stream
from mainstem.connectors.postgres.client import connect
from mainstem.connectors.postgres.raw import BINARY
from mainstem.connectors.postgres.snapshot import PostgresSource
from mainstem.contract.source import BatchLimits, SnapshotReader
from mainstem.errors import LostConnectionError, NotFoundError, StatementError, TransientError
from mainstem.model.batch import ChangeBatch, RawBatch
from mainstem.model.connection import ConnectionSettings
from mainstem.model.frame import Chunk
from mainstem.model.names import TableId
from mainstem.model.plan import TablePlan

from .conftest import MakePlan

SMALL = BatchLimits(max_rows=100)
Row = tuple[bytes | None, ...]


def rows_of(reader: SnapshotReader, plan: TablePlan, chunk: Chunk, limits: BatchLimits = SMALL) -> list[Row]:
    found: list[Row] = []
    for batch in reader.read(plan, chunk, limits):
        assert isinstance(batch, ChangeBatch)
        found += zip(*(column.to_pylist() for column in batch.rows.columns), strict=True)
    return found


def all_rows(reader: SnapshotReader, plan: TablePlan, rows: int = 1000) -> list[Row]:
    return [row for chunk in reader.plan_chunks(plan, rows) for row in rows_of(reader, plan, chunk)]


def numbers(sql: psycopg.Connection[Any], count: int, table: str = "t") -> None:
    sql.execute(f"CREATE TABLE {table} (id int, filler text)")
    sql.execute(f"INSERT INTO {table} SELECT i, repeat('x', 500) FROM generate_series(1, {count}) i".encode())


CELLS = [
    ("boolean", "true", b"1"),
    ("boolean", "false", b"0"),
    ("smallint", "-32768", b"-32768"),
    ("oid", "4294967295", b"4294967295"),
    ("numeric", "'NaN'", b"NaN"),
    ("numeric(12,3)", "-1.5", b"-1.500"),
    ("real", "0.1", struct.pack("<f", 0.1)),
    ("double precision", "'-Infinity'", struct.pack("<d", float("-inf"))),
    ("double precision", "1e-323", struct.pack("<d", 1e-323)),
    ("text", r"E'a\tb\\c\r\nd\u00e9'", "a\tb\\c\r\nd\u00e9".encode()),
    ("text", r"E'\\N'", b"\\N"),
    ("text", "''", b""),
    ("character(4)", "'ab'", b"ab  "),
    ("bytea", r"'\x00ff5c0a'", b"\x00\xff\\\n"),
    ("bytea", "''", b""),
    ("bit(10)", "B'1000000001'", b"\x02\x01"),
    ("bit varying", "B'001'", b"001"),
    ("date", "'infinity'", b"infinity"),
    ("date", "'0044-03-15 BC'", b"0044-03-15 BC"),
    ("timestamp", "'20000-01-02 03:04:05.6'", b"20000-01-02 03:04:05.6"),
    ("timestamp with time zone", "'2024-02-29 23:00:00.000001-05'", b"2024-03-01 04:00:00.000001"),
    ("timestamp with time zone", "'-infinity'", b"-infinity"),
    ("timestamp with time zone", "'0044-03-15 12:00+00 BC'", b"0044-03-15 12:00:00 BC"),
    ("time", "'24:00'", b"24:00:00"),
    ("time with time zone", "'12:00+05:30'", b"12:00:00+05:30"),
    ("interval", "'1 year 2 mons -3 days 04:05:06.7'", b"1 year 2 mons -3 days +04:05:06.7"),
    ("jsonb", """'{"a": [1, "\\\\"]}'""", b'{"a": [1, "\\\\"]}'),
    ("uuid", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", b"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    ("inet", "'10.0.0.1/8'", b"10.0.0.1/8"),
    ("text[]", """ARRAY['a', NULL, 'b"c', '\\']""", b'{a,NULL,"b\\"c","\\\\"}'),
    ("int4range", "'[1,5)'", b"[1,5)"),
    ("point", "'(1,2)'", b"(1,2)"),
    ("regclass", "'t'", b"public.t"),
    ("money", "12.34", b"12.34"),
]


def test_values_become_their_text_cells(
    sql: psycopg.Connection[Any], database: ConnectionSettings, make_plan: MakePlan
) -> None:
    columns = ", ".join(f"c{number} {type_}" for number, (type_, _, _) in enumerate(CELLS))
    sql.execute(f"CREATE TABLE t ({columns})".encode())
    sql.execute(f"INSERT INTO t SELECT {', '.join(f'({value})::{type_}' for type_, value, _ in CELLS)}".encode())
    sql.execute("INSERT INTO t DEFAULT VALUES")
    plan = make_plan("t")
    as_numeric = [
        column if column.native != "money" else _retargeted(column, "numeric(19,2)") for column in plan.columns
    ]
    plan = make_plan("t", columns=tuple(as_numeric))
    with PostgresSource(database).snapshot(1) as snapshot:
        filled, empty = all_rows(snapshot.readers[0], plan)
    assert dict(zip(CELLS, filled, strict=True)) == {case: case[2] for case in CELLS}
    assert set(empty) == {None}


def _retargeted(column: Any, type_: str) -> Any:
    from dataclasses import replace

    return replace(column, target_type=type_)


def test_readers_see_the_same_rows_whatever_happens_meanwhile(
    sql: psycopg.Connection[Any], database: ConnectionSettings, make_plan: MakePlan
) -> None:
    numbers(sql, 100)
    plan = make_plan("t")
    with PostgresSource(database).snapshot(3) as snapshot:
        sql.execute("DELETE FROM t WHERE id > 10")
        sql.execute("INSERT INTO t VALUES (1000, '')")
        assert snapshot.note == ""
        assert [len(all_rows(reader, plan)) for reader in snapshot.readers] == [100, 100, 100]


@pytest.mark.usefixtures("cut")
@pytest.mark.parametrize("prepare", ["SELECT", "CREATE INDEX ON t (id DESC); CLUSTER t USING t_id_idx", "ANALYZE t"])
def test_chunks_together_hold_each_row_once(
    sql: psycopg.Connection[Any], database: ConnectionSettings, make_plan: MakePlan, prepare: str
) -> None:
    numbers(sql, 9000)
    sql.execute("DELETE FROM t WHERE id BETWEEN 2000 AND 4000")
    sql.execute("UPDATE t SET filler = 'y' WHERE id % 7 = 0")
    sql.execute(prepare.encode())
    plan = make_plan("t")
    with PostgresSource(database).snapshot(1) as snapshot:
        reader = snapshot.readers[0]
        chunks = reader.plan_chunks(plan, 1000)
        assert len(chunks) > 3
        assert [chunk.number for chunk in chunks] == list(range(len(chunks)))
        found = sorted(int(row[0] or 0) for chunk in chunks for row in rows_of(reader, plan, chunk))
    assert found == [*range(1, 2000), *range(4001, 9001)]


@pytest.mark.usefixtures("cut")
def test_a_chunk_is_read_by_its_place(
    sql: psycopg.Connection[Any], database: ConnectionSettings, make_plan: MakePlan
) -> None:
    from mainstem.connectors.postgres.selects import select

    numbers(sql, 9000)
    plan = make_plan("t")
    with PostgresSource(database).snapshot(1) as snapshot:
        chunk = snapshot.readers[0].plan_chunks(plan, 1000)[1]
    query = select(plan, chunk, "r").removeprefix("COPY (").removesuffix(") TO STDOUT")
    lines = [line for (line,) in sql.execute(f"EXPLAIN {query}".encode())]
    assert "Tid Range Scan" in lines[0]


def test_a_partitioned_table_is_read_leaf_by_leaf(
    sql: psycopg.Connection[Any], database: ConnectionSettings, make_plan: MakePlan
) -> None:
    sql.execute("CREATE TABLE t (id int, day date) PARTITION BY RANGE (id)")
    sql.execute('CREATE TABLE "low ""part" PARTITION OF t FOR VALUES FROM (0) TO (10)')
    sql.execute("CREATE TABLE middle PARTITION OF t FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (id)")
    sql.execute("CREATE TABLE leaf (day date, id int)")
    sql.execute("ALTER TABLE middle ATTACH PARTITION leaf FOR VALUES FROM (10) TO (20)")
    sql.execute("INSERT INTO t SELECT i, '2024-01-01' FROM generate_series(0, 19) i")
    plan = make_plan("t", where="t.id <> 3 -- the third")
    with PostgresSource(database).snapshot(1) as snapshot:
        chunks = snapshot.readers[0].plan_chunks(plan, 1000)
        assert [chunk.part for chunk in chunks] == ['"public"."leaf"', '"public"."low ""part"']
        rows = all_rows(snapshot.readers[0], plan)
    assert sorted(int(row[0] or 0) for row in rows) == [number for number in range(20) if number != 3]


def test_rows_of_heirs_are_not_their_parents(
    sql: psycopg.Connection[Any], database: ConnectionSettings, make_plan: MakePlan
) -> None:
    sql.execute("CREATE TABLE t (id int); CREATE TABLE heir () INHERITS (t)")
    sql.execute("INSERT INTO t VALUES (1); INSERT INTO heir VALUES (2)")
    with PostgresSource(database).snapshot(1) as snapshot:
        assert all_rows(snapshot.readers[0], make_plan("t")) == [(b"1",)]


def test_a_query_is_read_with_the_names_that_its_owner_uses(
    sql: psycopg.Connection[Any], database: ConnectionSettings, make_plan: MakePlan
) -> None:
    numbers(sql, 3)
    plan = make_plan("t")
    asked = make_plan("t", query="SELECT id, filler FROM t WHERE id < 3 -- the first two", columns=plan.columns[:1])
    with PostgresSource(database).snapshot(1) as snapshot:
        assert all_rows(snapshot.readers[0], asked) == [(b"1",), (b"2",)]
        assert len(all_rows(snapshot.readers[0], plan)) == 3


@pytest.mark.parametrize("raw", ["copy-text", "copy-binary"])
def test_raw_rows_are_what_copy_sends(
    sql: psycopg.Connection[Any], database: ConnectionSettings, make_plan: MakePlan, raw: str
) -> None:
    numbers(sql, 5000)
    plan = make_plan("t", raw=raw)
    sql.execute("CREATE TABLE other (LIKE t)")
    with PostgresSource(database).snapshot(1) as snapshot, sql.cursor() as cursor:
        reader = snapshot.readers[0]
        count = 0
        form = " (FORMAT binary)" if raw == "copy-binary" else ""
        with cursor.copy(f"COPY other FROM STDIN{form}".encode()) as copy:
            copy.write(b"PGCOPY\n\xff\r\n\0" + bytes(8) if form else b"")
            for chunk in reader.plan_chunks(plan, 1000):
                for batch in reader.read(plan, chunk, BatchLimits(max_bytes=100_000)):
                    assert isinstance(batch, RawBatch)
                    assert batch.size_bytes < 200_000
                    count += batch.count
                    copy.write(batch.data)
            copy.write(b"\xff\xff" if form else b"")
    assert count == 5000
    assert sql.execute("SELECT count(*) FROM (TABLE t EXCEPT ALL TABLE other) x").fetchone() == (0,)


def test_a_table_without_columns_has_rows_all_the_same(
    sql: psycopg.Connection[Any], database: ConnectionSettings, make_plan: MakePlan
) -> None:
    sql.execute("CREATE TABLE t (); INSERT INTO t DEFAULT VALUES; INSERT INTO t DEFAULT VALUES")
    plan = make_plan("t")
    with PostgresSource(database).snapshot(1) as snapshot:
        reader = snapshot.readers[0]
        batches = [batch for chunk in reader.plan_chunks(plan, 10) for batch in reader.read(plan, chunk, SMALL)]
    assert [(batch.count, bytes(batch.data)) for batch in batches if isinstance(batch, RawBatch)] == [(2, b"\n\n")]


def test_a_reader_that_was_closed_early_is_still_in_the_snapshot(
    sql: psycopg.Connection[Any], database: ConnectionSettings, make_plan: MakePlan
) -> None:
    numbers(sql, 100_000)
    plan = make_plan("t")
    with PostgresSource(database).snapshot(1) as snapshot:
        reader = snapshot.readers[0]
        sql.execute("DELETE FROM t")
        for _ in range(3):
            with closing(reader.read(plan, Chunk(plan.source, 0), SMALL)) as batches:
                next(batches)
        assert len(rows_of(reader, plan, Chunk(plan.source, 0), BatchLimits())) == 100_000


def test_an_error_of_the_server_leaves_the_reader_usable(
    sql: psycopg.Connection[Any], database: ConnectionSettings, make_plan: MakePlan
) -> None:
    numbers(sql, 1000)
    plan = make_plan("t")
    failing = make_plan("t", where="1 / (500 - id) < 2")
    with PostgresSource(database).snapshot(1) as snapshot:
        reader = snapshot.readers[0]
        with pytest.raises(StatementError) as caught:
            rows_of(reader, failing, Chunk(plan.source, 0))
        assert caught.value.where["table"] == "public.t"
        assert len(all_rows(reader, plan)) == 1000
        with pytest.raises(NotFoundError):
            reader.plan_chunks(TablePlan(TableId("public", "none"), plan.target, ()), 10)


def test_notices_of_the_server_do_not_disturb_the_rows(
    sql: psycopg.Connection[Any], database: ConnectionSettings, make_plan: MakePlan
) -> None:
    numbers(sql, 500)
    sql.execute(
        "CREATE FUNCTION loud(int) RETURNS bool LANGUAGE plpgsql AS"
        " $$BEGIN RAISE WARNING 'row %', $1; RETURN true; END$$"
    )
    with PostgresSource(database).snapshot(1) as snapshot:
        assert len(all_rows(snapshot.readers[0], make_plan("t", where="loud(id)"))) == 500


def test_interrupting_ends_a_reader_that_waits(
    sql: psycopg.Connection[Any], database: ConnectionSettings, make_plan: MakePlan
) -> None:
    numbers(sql, 10)
    plan = make_plan("t", where="id < 5 OR pg_sleep(60) IS NULL")
    with PostgresSource(database).snapshot(1) as snapshot:
        timer = threading.Timer(0.3, snapshot.interrupt)
        timer.start()
        with pytest.raises(LostConnectionError):
            rows_of(snapshot.readers[0], plan, Chunk(plan.source, 0))
        timer.join()


def test_row_security_is_an_error_and_hides_nothing(
    sql: psycopg.Connection[Any], database: ConnectionSettings, make_plan: MakePlan
) -> None:
    numbers(sql, 10)
    role = f"r_{database.database}"
    sql.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x'; GRANT SELECT ON t TO {role}".encode())
    try:
        sql.execute("CREATE POLICY few ON t USING (id < 3); ALTER TABLE t ENABLE ROW LEVEL SECURITY")
        login = _as(database, role)
        with PostgresSource(login).snapshot(1) as snapshot, pytest.raises(StatementError, match="row-level security"):
            all_rows(snapshot.readers[0], make_plan("t"))
    finally:
        sql.execute(f"DROP OWNED BY {role}; DROP ROLE {role}".encode())


def test_a_login_that_may_read_some_columns_only_reads_those(
    sql: psycopg.Connection[Any], database: ConnectionSettings, make_plan: MakePlan
) -> None:
    numbers(sql, 10)
    role = f"r_{database.database}"
    sql.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x'; GRANT SELECT (id) ON t TO {role}".encode())
    try:
        plan = make_plan("t")
        with PostgresSource(_as(database, role)).snapshot(1) as snapshot:
            assert len(all_rows(snapshot.readers[0], make_plan("t", columns=plan.columns[:1]))) == 10
    finally:
        sql.execute(f"DROP OWNED BY {role}; DROP ROLE {role}".encode())


def _as(settings: ConnectionSettings, role: str) -> ConnectionSettings:
    from dataclasses import replace

    return replace(settings, username=role, password="x")


@pytest.mark.parametrize(
    ("change", "refused"),
    [("TRUNCATE t", True), ("ALTER TABLE t ALTER id TYPE bigint", True), ("INSERT INTO t VALUES (0)", False)],
)
def test_a_table_that_was_rewritten_since_asks_for_another_snapshot(
    sql: psycopg.Connection[Any], database: ConnectionSettings, make_plan: MakePlan, change: str, refused: bool
) -> None:
    numbers(sql, 10)
    plan = make_plan("t")
    with PostgresSource(database).snapshot(1) as snapshot:
        sql.execute(change.encode())
        if refused:
            with pytest.raises(TransientError, match="rewritten"):
                snapshot.readers[0].plan_chunks(plan, 100)
        else:
            assert len(all_rows(snapshot.readers[0], plan)) == 10


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("ALTER id TYPE real", "column id is real, no longer integer"),
        ("ALTER exact TYPE numeric(9,4)", r"column exact is numeric\(9,4\), no longer numeric\(9,2\)"),
        ("DROP exact", "column exact is gone"),
        ("ADD more int", ""),
    ],
)
def test_a_column_that_changed_its_type_since_the_plan_is_not_read(
    sql: psycopg.Connection[Any], database: ConnectionSettings, make_plan: MakePlan, change: str, message: str
) -> None:
    numbers(sql, 10)
    sql.execute("ALTER TABLE t ADD exact numeric(9,2) DEFAULT 1.25")
    plan = make_plan("t", raw=BINARY, where="id > 0")  # with which the reader's search path is the user's
    sql.execute(f"ALTER TABLE t {change}".encode())
    with PostgresSource(database).snapshot(1) as snapshot:
        if message:
            with pytest.raises(StatementError, match=message):
                list(snapshot.readers[0].read(plan, Chunk(plan.source, 0), SMALL))
        else:
            assert len(list(snapshot.readers[0].read(plan, Chunk(plan.source, 0), SMALL))) == 1


def test_a_table_that_is_read_cannot_be_rewritten(
    sql: psycopg.Connection[Any], database: ConnectionSettings, make_plan: MakePlan
) -> None:
    numbers(sql, 10)
    plan = make_plan("t")
    sql.execute("SET lock_timeout = '200ms'")
    with PostgresSource(database).snapshot(1) as snapshot:
        with closing(snapshot.readers[0].read(plan, Chunk(plan.source, 0), SMALL)) as batches:
            next(batches)
        with pytest.raises(psycopg.errors.LockNotAvailable):
            sql.execute("VACUUM FULL t")


def test_a_reader_behind_somebody_who_waits_for_the_snapshot_gives_up(
    sql: psycopg.Connection[Any],
    database: ConnectionSettings,
    make_plan: MakePlan,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who alters the table waits for our lock on it, and our other reader behind them: somebody must give way."""
    numbers(sql, 10)
    plan = make_plan("t")
    monkeypatch.setattr(snapshots, "READER_LOCK_WAIT_S", 1)
    waiting = "SELECT count(*) FROM pg_locks WHERE relation = 't'::regclass AND NOT granted"
    with connect(database) as other, connect(database) as looker:
        altering = threading.Thread(target=other.execute, args=("ALTER TABLE t ADD more int",), daemon=True)
        with PostgresSource(database).snapshot(2) as snapshot:
            first, second = snapshot.readers
            first.plan_chunks(plan, 100)
            altering.start()
            while looker.execute(waiting).fetchone() == (0,):
                assert altering.is_alive()
            with pytest.raises(TransientError, match="lock was not granted"):
                all_rows(second, plan)
        altering.join(60)
        assert not altering.is_alive()


@pytest.mark.parametrize("way", ["socket", "libpq", "driver"])
def test_each_way_to_read_rows_reads_the_same(
    sql: psycopg.Connection[Any],
    database: ConnectionSettings,
    make_plan: MakePlan,
    monkeypatch: pytest.MonkeyPatch,
    way: str,
) -> None:
    """By libpq and its driver where the connection is encrypted."""
    assert stream.libpq_functions("PQgetCopyData", "PQfreemem") is not None
    if way != "socket":
        monkeypatch.setattr(stream, "is_plain", lambda _: False)
    if way == "driver":
        monkeypatch.setattr(stream, "libpq_functions", lambda *_: None)
    numbers(sql, 1000)
    sql.execute("CREATE TABLE wide AS SELECT 1 AS id, repeat('wide', 1500000) AS text UNION SELECT 2, 'small'")
    plan, broken = make_plan("t"), make_plan("t", where="1 / (500 - id) < 2")
    with PostgresSource(database).snapshot(1) as snapshot:
        (reader,) = snapshot.readers
        assert [row[0] for row in sorted(all_rows(reader, plan), key=lambda row: int(row[0]))] == [
            str(number).encode() for number in range(1, 1001)
        ]
        assert {len(row[1]) for row in all_rows(reader, make_plan("wide"))} == {6_000_000, 5}
        raw = make_plan("t", raw="copy-binary")
        assert sum(batch.count for batch in reader.read(raw, Chunk(plan.source, 0), SMALL)) == 1000
        with pytest.raises(StatementError, match="22012"):
            rows_of(reader, broken, Chunk(plan.source, 0))
        with closing(reader.read(raw, Chunk(plan.source, 0), SMALL)) as batches:
            assert next(batches).count < 1000
        assert len(all_rows(reader, plan)) == 1000
        sql.execute("SELECT pg_terminate_backend(%s)", [reader.connection.info.backend_pid])
        with pytest.raises(LostConnectionError):
            all_rows(reader, plan)


def test_a_value_of_many_megabytes_is_read(
    sql: psycopg.Connection[Any], postgres_db: ConnectionSettings, database: ConnectionSettings, make_plan: MakePlan
) -> None:
    if database is not postgres_db:
        pytest.skip("one version is enough")
    sql.execute("CREATE TABLE t (data bytea); INSERT INTO t SELECT decode(repeat('0a5c', 10000000), 'hex')")
    with PostgresSource(database).snapshot(1) as snapshot:
        [(value,)] = all_rows(snapshot.readers[0], make_plan("t"))
    assert value == b"\n\\" * 10_000_000


@pytest.mark.parametrize("exported", ["", "00000000-00000000-1"])
def test_where_no_snapshot_can_be_shared_one_reader_has_its_own(
    sql: psycopg.Connection[Any],
    database: ConnectionSettings,
    make_plan: MakePlan,
    monkeypatch: pytest.MonkeyPatch,
    exported: str,
) -> None:
    def export(keeper: psycopg.Connection[Any]) -> str:
        keeper.execute("BEGIN")
        return exported

    numbers(sql, 10)
    plan = make_plan("t")
    monkeypatch.setattr(snapshots, "_export", export)
    with PostgresSource(database).snapshot(3) as snapshot:
        sql.execute("DELETE FROM t")
        assert len(snapshot.readers) == 1
        assert snapshot.note.startswith("one reader only")
        assert len(all_rows(snapshot.readers[0], plan)) == 10
