"""Rows by LOAD DATA and INSERT into a real server."""

from __future__ import annotations

import math
import random
import struct
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from mainstem.connectors.mysql.client import connect, query
from mainstem.connectors.mysql.load import MysqlLoader
from mainstem.connectors.mysql.snapshot import MysqlSource
from mainstem.connectors.mysql.target import MysqlTarget
from mainstem.contract.source import BatchLimits
from mainstem.contract.target import Receipt
from mainstem.errors import AccountingError, ConflictError, LostConnectionError, PlanError, RowError, StatementError
from mainstem.model.batch import ChangeBatch
from mainstem.model.connection import ConnectionSettings
from mainstem.model.frame import Chunk
from mainstem.model.plan import TablePlan
from mainstem.model.run import RunOptions, SpecialValuePolicy
from tests.connectors.mysql.rows import RUN, SOURCE, Cell, batch_of, loader_of, plan_of, run_sql

CHUNK = Chunk(SOURCE, 0)
WAYS = ("load", "insert", "array")
ALL_BYTES = bytes(range(256))
POINT = bytes(4) + b"\1" + struct.pack("<Idd", 1, 1.5, -2.5)
# Type, what goes in, and SQL that is true of what the server then has.
VALUES: list[tuple[str, Cell, str]] = [
    ("varbinary(300)", ALL_BYTES, f"v = x'{ALL_BYTES.hex()}'"),
    ("longblob", b"\xff\xfe\0\t\n\\N", "HEX(v) = 'FFFE00090A5C4E'"),
    ("binary(3)", b"\0\1\0", "HEX(v) = '000100'"),
    ("longblob", b"", "v = '' AND v IS NOT NULL"),
    ("longtext", b"", "v = '' AND v IS NOT NULL"),
    ("longtext", None, "v IS NULL"),
    ("longtext", b"\\N", "HEX(v) = '5C4E'"),
    ("longtext", b"N\0U\tL\nL\\ '\"\r\b\x1a", "HEX(v) = '4E0055094C0A4C5C2027220D081A'"),
    ("longtext", "Grüße 🦭".encode(), "v = 'Grüße 🦭' COLLATE utf8mb4_bin"),
    ("varchar(9)", b"blank ", "LENGTH(v) = 6"),
    ("tinyint", b"-128", "v = -128"),
    ("bigint unsigned", b"18446744073709551615", "v = 18446744073709551615"),
    ("decimal(65,30)", b"-" + b"9" * 35 + b"." + b"9" * 30, f"v = -{'9' * 35}.{'9' * 30}"),
    ("bit(1)", b"\1", "v = b'1'"),
    ("bit(10)", b"\3\xff", "v = b'1111111111'"),
    ("bit(64)", b"\xff" * 8, "HEX(v) = 'FFFFFFFFFFFFFFFF'"),
    ("year", b"0000", "v = 0"),
    ("year", b"2155", "v = 2155"),
    ("date", b"0000-00-00", "v = '0000-00-00'"),
    ("date", b"2021-02-31", "v = '2021-02-31'"),
    ("datetime(6)", b"2021-00-00 00:00:00.000001", "v = '2021-00-00 00:00:00.000001'"),
    ("datetime(6)", b"9999-12-31 23:59:59.999999", "v = '9999-12-31 23:59:59.999999'"),
    ("timestamp(6)", b"2038-01-19 03:14:07.999999", "v = '2038-01-19 03:14:07.999999'"),
    ("time(6)", b"-838:59:59.999999", "v = '-838:59:59.999999'"),
    ("time", b"24:00:00", "v = '24:00:00'"),
    ("time", b"24:00:00.000", "v = '24:00:00'"),
    ("enum('a','b,c','it''s','\\\\')", b"b,c", "v + 0 = 2"),
    ("enum('a','b,c','it''s','\\\\')", b"it's", "v + 0 = 3"),
    ("enum('a','b,c','it''s','\\\\')", b"\\", "v + 0 = 4"),
    ("enum('a','0')", b"", "v + 0 = 0 AND v = ''"),
    ("enum('a','')", b"", "v + 0 = 2"),
    ("enum('2','1')", b"1", "v + 0 = 2"),
    ("set('a','b''','d')", b"a,b'", "v + 0 = 3"),
    ("set('a','b')", b"", "v + 0 = 0"),
    ("json", b'{"a": [1, "\\u00e4"]}', "JSON_EXTRACT(v, '$.a[0]') = 1"),
    ("uuid", b"550e8400-e29b-41d4-a716-446655440000", "v = '550e8400-e29b-41d4-a716-446655440000'"),
    ("inet6", b"2001:db8::1", "v = '2001:db8::1'"),
    ("inet4", b"192.0.2.1", "v = '192.0.2.1'"),
    ("geometry", POINT, "ST_AsText(v) = 'POINT(1.5 -2.5)' AND ST_SRID(v) = 0"),
    ("point", b"\xe6\x10\0\0" + POINT[4:], "ST_SRID(v) = 4326"),
]  # fmt: skip
REFUSED: list[tuple[str, Cell]] = [
    ("tinyint", b"128"),
    ("int unsigned", b"-1"),
    ("int", b"1.5"),
    ("decimal(4,2)", b"1.234"),
    ("decimal(4,2)", b"123"),
    ("varchar(3)", b"four"),
    ("varchar(3)", b"four spaces   "),
    ("varchar(3)", b"sp    "),
    ("text", b"\xff\xfe"),
    ("enum('a')", b"b"),
    ("set('a')", b"b"),
    ("date", b"2021-13-01"),
    ("date", b"2021-01-01 00:00:01"),
    ("datetime(3)", b"2021-01-01 00:00:00.0001"),
    ("datetime", b"infinity"),
    ("datetime", b"0044-03-15 12:00:00 BC"),
    ("date", b"10000-01-01"),
    ("timestamp", b"1960-01-01 00:00:00"),
    ("time", b"839:00:00"),
    ("time(2)", b"00:00:00.001"),
    ("decimal(5,2)", b"NaN"),
    ("double", struct.pack("<d", float("nan"))),
    ("float", struct.pack("<f", float("-inf"))),
    ("json", b"{"),
    ("uuid", b"550e8400"),
    ("inet6", b"nowhere"),
    ("geometry", b"\0" * 5),
    ("int not null", None),
    ("timestamp not null", None),
]  # fmt: skip


def write(
    loader: MysqlLoader, plan: TablePlan, *rows: Sequence[Cell], quarantine: Callable[[], bool] | None = None
) -> Receipt:
    loader.begin(plan, CHUNK, quarantine=quarantine)
    loader.write(batch_of(*rows))
    return loader.commit(len(rows))


def read_back(settings: ConnectionSettings, plan: TablePlan) -> list[tuple[Cell, ...]]:
    """The rows as a source reads them, sorted."""
    back = replace(plan, source=plan.target)
    with MysqlSource(settings).snapshot(1) as snapshot:
        batches = list(snapshot.readers[0].read(back, Chunk(back.source, 0), BatchLimits()))
    columns = [
        [column.to_pylist() for column in batch.rows.columns] for batch in batches if isinstance(batch, ChangeBatch)
    ]
    return sorted(row for batch in columns for row in zip(*batch, strict=True))


def go(loader: MysqlLoader, way: str) -> None:
    """Have it take a way; arrays it takes into a table with AUTO_INCREMENT."""
    assert loader._takes_arrays
    loader._takes_files, loader._takes_arrays = way != "insert", way == "array"


def yes() -> bool:
    return True


@pytest.mark.parametrize("way", WAYS)
def test_every_value_arrives_as_it_is(mysql_db: ConnectionSettings, way: str) -> None:
    names = {f"v{number}": type_ for number, (type_, _, _) in enumerate(VALUES)}
    run_sql(
        mysql_db,
        f"CREATE TABLE t (id int PRIMARY KEY AUTO_INCREMENT, {', '.join(f'{n} {t}' for n, t in names.items())})",
    )
    with loader_of(mysql_db) as loader:
        go(loader, way)
        write(loader, plan_of(mysql_db.database, id="int", **names), (b"0", *(cell for _, cell, _ in VALUES)))
    claims = [claim.replace("v ", f"v{n} ").replace("(v", f"(v{n}") for n, (_, _, claim) in enumerate(VALUES)]
    claims.append("id = 0")  # and not the next number
    (answer,) = run_sql(mysql_db, f"SELECT {', '.join(f'({claim}) IS TRUE' for claim in claims)} FROM t")
    assert [claim for claim, true in zip(claims, answer, strict=True) if true != "1"] == []


@pytest.mark.parametrize("way", WAYS)
def test_what_the_server_would_change_is_refused_and_rolled_back(mysql_db: ConnectionSettings, way: str) -> None:
    accepted: list[tuple[str, Cell]] = []
    named: set[str | None] = set()
    for type_, cell in REFUSED:
        run_sql(mysql_db, "DROP TABLE IF EXISTS t", f"CREATE TABLE t (id int PRIMARY KEY AUTO_INCREMENT, v {type_})")
        run_sql(mysql_db, "DROP TABLE IF EXISTS mainstem_chunk, mainstem_run")
        with loader_of(mysql_db) as loader:
            go(loader, way)
            plan = plan_of(mysql_db.database, id="int", v=type_.removesuffix(" not null"))
            try:
                write(loader, plan, (b"1", cell))
            except RowError as error:
                named.add(error.column)
                loader.rollback()
            else:
                accepted.append((type_, cell))
        assert accepted or run_sql(mysql_db, "SELECT COUNT(*) FROM t") == [("0",)]
    assert accepted == []
    assert named <= {"v", None}


# MariaDB has no negative zero: it stores 0, which equals it; so it is not among these.
FLOATS = [
    0.0,
    1.5,
    0.1,
    1e-300,
    5e-324,
    1.7976931348623157e308,
    -2.2250738585072014e-308,
    1 / 3,
    9007199254740993.0,
]
SINGLES = [
    0.0,
    0.1,
    16777217.0,
    3.4028234663852886e38,
    -1.401298464324817e-45,
    1.1754943508222875e-38,
    1 / 3,
    0.3,
    7e9,
]


@pytest.mark.parametrize("way", WAYS)
def test_floats_come_back_bit_by_bit(mysql_db: ConnectionSettings, way: str) -> None:
    generator = random.Random(5)
    doubles = [struct.pack("<d", value) for value in FLOATS] + [generator.randbytes(8) for _ in range(3000)]
    singles = [struct.pack("<f", value) for value in SINGLES] + [generator.randbytes(4) for _ in range(3000)]
    finite = [
        (b"%d" % number, double, single)
        for number, (double, single) in enumerate(zip(doubles, singles, strict=True))
        if math.isfinite(struct.unpack("<d", double)[0]) and math.isfinite(struct.unpack("<f", single)[0])
    ]
    run_sql(mysql_db, "CREATE TABLE t (id int PRIMARY KEY AUTO_INCREMENT, d double, f float)")
    plan = plan_of(mysql_db.database, id="int", d="double", f="float")
    with loader_of(mysql_db) as loader:
        go(loader, way)
        write(loader, plan, *finite)
    assert read_back(mysql_db, plan) == sorted(finite)


@pytest.mark.parametrize("way", ["load", "array"])
@pytest.mark.parametrize("raw", [True, False], ids=["raw", "hex"])
def test_bytes_that_begin_characters_swallow_nothing_behind_them(
    mysql_db: ConnectionSettings, raw: bool, way: str
) -> None:
    generator = random.Random(7)
    pieces = [
        b"\xf0",
        b"\xe4",
        b"\xc3",
        b"\x9f",
        b"\xff",
        b"\x80",
        b"\t",
        b"\n",
        b"\\",
        b"\\N",
        b"\0",
        b"a",
        "ß🦭".encode(),
    ]
    cells = [*({bytes([a, b]) for a in range(256) for b in (0, 9, 10, 92, 0x80, 0xF0)})]
    cells += [b"".join(generator.choices(pieces, k=generator.randrange(12))) for _ in range(4000)]
    rows = [(b"%d" % number, cell, b"x", cell) for number, cell in enumerate(cells)]
    run_sql(mysql_db, "CREATE TABLE t (id int PRIMARY KEY AUTO_INCREMENT, a longblob, c char(1), b varbinary(80))")
    plan = plan_of(mysql_db.database, id="int", a="longblob", c="char(1)", b="varbinary(80)")
    with loader_of(mysql_db) as loader:
        loader._raw_bytes = raw
        go(loader, way)
        write(loader, plan, *rows)
    assert read_back(mysql_db, plan) == sorted(rows)


@pytest.mark.parametrize(("way", "alone"), [("load", True), ("array", False)])
def test_arrays_let_others_write_into_a_table_that_counts(mysql_db: ConnectionSettings, way: str, alone: bool) -> None:
    run_sql(mysql_db, "CREATE TABLE t (id int PRIMARY KEY AUTO_INCREMENT, v longtext)")
    plan = plan_of(mysql_db.database, id="int", v="longtext")
    with loader_of(mysql_db, 2) as loader, MysqlTarget(mysql_db, RunOptions()).loader(RUN) as other:
        go(loader, way)
        loader.begin(plan, CHUNK, quarantine=None)
        assert loader.alone is alone
        loader.write(batch_of((b"1", b"one"), (b"2", None)))
        if not alone:
            go(other, way)
            other.begin(plan, Chunk(SOURCE, 1), quarantine=None)
            other.write(batch_of((b"9", b"nine")))
            other.commit(1)
        loader.commit(2)
    assert run_sql(mysql_db, "SELECT GROUP_CONCAT(id, ':', v ORDER BY id) FROM t WHERE v IS NOT NULL") == [
        ("1:one" if alone else "1:one,9:nine",)
    ]


def test_what_no_array_holds_goes_with_the_rest_of_its_chunk_by_file(mysql_db: ConnectionSettings) -> None:
    run_sql(mysql_db, "CREATE TABLE t (id int PRIMARY KEY AUTO_INCREMENT, e enum('a'), v longblob)")
    plan = plan_of(mysql_db.database, id="int", e="enum('a')", v="longblob")
    large = bytes(9 << 20)
    with loader_of(mysql_db, 3) as loader:
        for number, rows in enumerate((
            [(b"1", b"a", b"x"), (b"2", b"", b"x"), (b"3", b"a", b"x")], [(b"4", b"a", large), (b"5", b"a", None)],
            [(b"6", b"a", b"x"), (b"7", b"a", large)],
        )):  # fmt: skip
            loader.begin(plan, Chunk(SOURCE, number), quarantine=None)
            for row in rows:
                loader.write(batch_of(row))
            assert loader.commit(len(rows)).rows_written == len(rows)
    (answer,) = run_sql(mysql_db, "SELECT COUNT(*), SUM(e = ''), SUM(LENGTH(v)), MAX(id) FROM t")
    assert answer == ("7", "1", str(2 * len(large) + 4), "7")


def test_specials_become_null_by_policy_and_are_counted(mysql_db: ConnectionSettings) -> None:
    run_sql(mysql_db, "CREATE TABLE t (id int PRIMARY KEY, f float, n decimal(9,2), d date, s datetime(6))")
    plan = plan_of(mysql_db.database, id="int", f="float", n="decimal(9,2)", d="date", s="datetime(6)")
    nan = struct.pack("<f", float("nan"))
    with loader_of(mysql_db, special_values=SpecialValuePolicy.NULL) as loader:
        receipt = write(
            loader, plan, (b"1", nan, b"NaN", b"infinity", b"-infinity"),
            (b"2", nan, b"-Infinity", b"0001-01-01 BC", b"294276-12-31 00:00:00"),
        )  # fmt: skip
    assert receipt.coerced == {f"{name}: special_value_null": 2 for name in "fnds"}
    assert run_sql(mysql_db, "SELECT COUNT(*) FROM t WHERE COALESCE(f, n, d, s) IS NULL") == [("2",)]


def test_a_key_that_is_there_refuses_the_chunk(mysql_db: ConnectionSettings) -> None:
    run_sql(mysql_db, "CREATE TABLE t (id int PRIMARY KEY, u int UNIQUE)", "INSERT INTO t VALUES (1, 1)")
    plan = plan_of(mysql_db.database, id="int", u="int")
    with loader_of(mysql_db) as loader:
        for row, key in (((b"1", b"2"), "PRIMARY"), ((b"2", b"1"), "u")):
            with pytest.raises(RowError, match=rf"a key that another row has already \[{key}\]"):
                write(loader, plan, (b"7", b"7"), row)
            loader.rollback()
    assert run_sql(mysql_db, "SELECT * FROM t") == [("1", "1")]


def test_uniqueness_holds_in_an_empty_table_too(mysql_db: ConnectionSettings) -> None:
    run_sql(mysql_db, "CREATE TABLE t (id int PRIMARY KEY)")
    rows = [(b"%d" % number,) for number in range(20_000)]
    with loader_of(mysql_db) as loader:
        with pytest.raises(RowError, match="another row"):
            write(loader, plan_of(mysql_db.database, id="int"), *rows, rows[10])
        loader.rollback()
    assert run_sql(mysql_db, "SELECT COUNT(*) FROM t") == [("0",)]


@pytest.mark.parametrize("merge", [False, True], ids=["append", "upsert"])
def test_refused_rows_are_put_aside_and_the_others_arrive(mysql_db: ConnectionSettings, merge: bool) -> None:
    run_sql(
        mysql_db, "CREATE TABLE t (id int PRIMARY KEY, v varchar(3), u int UNIQUE, e enum('a'))",
        "INSERT INTO t VALUES (-1, 'old', 500, 'a')",
    )  # fmt: skip
    rows = [[b"%d" % number, b"abc", b"%d" % number, b"a"] for number in range(1000)]
    rows[3][1], rows[700][1], rows[999][0] = b"long", b"tail    ", b"x"
    rows[4][3] = b""
    plan = replace(plan_of(mysql_db.database, id="int", v="varchar(3)", u="int", e="enum('a')"), merge=merge)
    with loader_of(mysql_db) as loader:
        receipt = write(loader, plan, *rows, quarantine=yes)
    told = [(row.key, row.column) for row in receipt.rejected]
    assert told == [("id=3", "v"), ("id=500", ""), ("id=700", "v"), ("id=x", "id")]
    assert (receipt.rows_written, receipt.rows_rejected) == (996, 4)
    assert run_sql(mysql_db, "SELECT COUNT(*), SUM(e + 0 = 0) FROM t") == [("997", "1")]
    assert "tail" not in "".join(row.reason for row in receipt.rejected)
    with MysqlTarget(mysql_db, RunOptions()).ledger(RUN) as ledger:
        assert [row.key for row in ledger.rejected()] == ["id=3", "id=500", "id=700", "id=x"]
        assert [(line.done, line.rows_written, line.rows_rejected) for line in ledger.chunks(SOURCE)] == [
            (True, 996, 4)
        ]


def test_more_refused_rows_than_allowed_fail_the_chunk(mysql_db: ConnectionSettings) -> None:
    run_sql(mysql_db, "CREATE TABLE t (id int PRIMARY KEY)")
    allowed = iter([True, False])
    with loader_of(mysql_db) as loader:
        rows = [(b"1",), (b"x",), (b"y",)]
        with pytest.raises(RowError, match=r"more rows of there\.t were refused than rowErrors\.limit allows"):
            write(loader, plan_of(mysql_db.database, id="int"), *rows, quarantine=lambda: next(allowed))
        loader.rollback()
    assert run_sql(mysql_db, "SELECT COUNT(*) FROM t") == [("0",)]


@pytest.mark.parametrize("way", WAYS)
def test_upsert_changes_rows_by_primary_key_and_adds_the_others(mysql_db: ConnectionSettings, way: str) -> None:
    run_sql(
        mysql_db, "CREATE TABLE t (id int PRIMARY KEY, v text, u int UNIQUE, kept int DEFAULT 5)",
        "INSERT INTO t VALUES (1, 'old', 1, 7), (2, 'same', 2, 8)",
    )  # fmt: skip
    plan = replace(plan_of(mysql_db.database, id="int", v="text", u="int"), merge=True)
    with loader_of(mysql_db) as loader:
        go(loader, way)
        assert write(loader, plan, (b"1", b"new", b"10"), (b"3", None, None)).rows_written == 2
    assert run_sql(mysql_db, "SELECT * FROM t ORDER BY id") == [
        ("1", "new", "10", "7"), ("2", "same", "2", "8"), ("3", None, None, "5"),
    ]  # fmt: skip


def test_upsert_refuses_a_row_whose_other_key_another_row_has(mysql_db: ConnectionSettings) -> None:
    run_sql(mysql_db, "CREATE TABLE t (id int PRIMARY KEY, u int UNIQUE)", "INSERT INTO t VALUES (1, 1)")
    plan = replace(plan_of(mysql_db.database, id="int", u="int"), merge=True)
    with loader_of(mysql_db) as loader:
        with pytest.raises(RowError, match=r"\[u\]"):
            write(loader, plan, (b"2", b"1"))
        loader.rollback()
    assert run_sql(mysql_db, "SELECT * FROM t") == [("1", "1")]


def test_a_foreign_key_that_is_there_is_checked(mysql_db: ConnectionSettings) -> None:
    run_sql(
        mysql_db, "CREATE TABLE p (id int PRIMARY KEY)",
        "CREATE TABLE t (id int PRIMARY KEY, p int, CONSTRAINT needs_p FOREIGN KEY (p) REFERENCES p (id))",
    )  # fmt: skip
    with loader_of(mysql_db) as loader:
        with pytest.raises(RowError, match=r"a reference to a row that is not there \[needs_p\]"):
            write(loader, plan_of(mysql_db.database, id="int", p="int"), (b"1", b"1"))
        loader.rollback()


def test_a_table_without_transactions_is_refused(mysql_db: ConnectionSettings) -> None:
    run_sql(mysql_db, "CREATE TABLE t (id int PRIMARY KEY) ENGINE = MyISAM")
    with loader_of(mysql_db) as loader, pytest.raises(StatementError, match="MyISAM, which has no transactions"):
        write(loader, plan_of(mysql_db.database, id="int"), (b"1",))


def test_rows_that_do_not_add_up_are_not_committed(mysql_db: ConnectionSettings) -> None:
    run_sql(mysql_db, "CREATE TABLE t (id int PRIMARY KEY)")
    with loader_of(mysql_db) as loader:
        loader.begin(plan_of(mysql_db.database, id="int"), CHUNK, quarantine=None)
        loader.write(batch_of((b"1",)))
        with pytest.raises(AccountingError):
            loader.commit(2)
        loader.rollback()
    assert run_sql(mysql_db, "SELECT COUNT(*) FROM t") == [("0",)]


def test_a_chunk_is_written_once(mysql_db: ConnectionSettings) -> None:
    run_sql(mysql_db, "CREATE TABLE t (id int PRIMARY KEY)")
    plan = plan_of(mysql_db.database, id="int")
    with loader_of(mysql_db) as loader:
        write(loader, plan, (b"1",))
        with pytest.raises(ConflictError, match="another process"):
            write(loader, plan, (b"2",))
        loader.rollback()
    assert run_sql(mysql_db, "SELECT * FROM t") == [("1",)]


def test_rollback_in_the_middle_of_a_file_leaves_nothing_and_a_usable_connection(mysql_db: ConnectionSettings) -> None:
    run_sql(mysql_db, "CREATE TABLE t (id int PRIMARY KEY)")
    plan = plan_of(mysql_db.database, id="int")
    with loader_of(mysql_db) as loader:
        loader.begin(plan, CHUNK, quarantine=None)
        loader.write(batch_of((b"1",), (b"2",)))
        loader.interrupt()
        loader.rollback()
        write(loader, plan, (b"3",))
    assert run_sql(mysql_db, "SELECT * FROM t") == [("3",)]


def test_an_interrupt_ends_a_wait_for_a_lock(mysql_db: ConnectionSettings) -> None:
    run_sql(mysql_db, "CREATE TABLE t (id int PRIMARY KEY)")
    with loader_of(mysql_db, chunks=2) as loader, connect(mysql_db) as other, ThreadPoolExecutor() as pool:
        query(other, "BEGIN")
        query(other, "INSERT INTO t VALUES (1)")
        waiting = pool.submit(write, loader, plan_of(mysql_db.database, id="int"), (b"1",))
        deadline = time.monotonic() + 40
        while query(other, "SHOW STATUS LIKE 'Innodb_row_lock_current_waits'")[0][1] == "0":
            assert time.monotonic() < deadline
        loader.interrupt()
        with pytest.raises(StatementError, match="killed"):
            waiting.result(40)
        loader.rollback()
        query(other, "ROLLBACK")


def test_a_connection_that_was_killed_is_lost(mysql_db: ConnectionSettings) -> None:
    run_sql(mysql_db, "CREATE TABLE t (id int PRIMARY KEY)")
    with loader_of(mysql_db) as loader:
        loader.begin(plan_of(mysql_db.database, id="int"), CHUNK, quarantine=None)
        loader.write(batch_of((b"1",)))
        run_sql(mysql_db, f"KILL {loader._connection.thread_id()}")
        with pytest.raises(LostConnectionError):
            loader.commit(1)
        loader.rollback()
    assert run_sql(mysql_db, "SELECT COUNT(*) FROM t") == [("0",)]


def test_floats_for_a_whole_number_are_refused(mysql_db: ConnectionSettings) -> None:
    plan = plan_of(mysql_db.database, id="int", f="double")
    column = replace(plan.columns[1], target_type="int")
    with loader_of(mysql_db) as loader, pytest.raises(PlanError, match="which int would round"):
        loader.begin(replace(plan, columns=(plan.columns[0], column)), CHUNK, quarantine=None)
