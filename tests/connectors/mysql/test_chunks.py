"""Cutting tables on a real server: whatever the key, the chunks together hold each row once."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainstem.connectors.mysql.chunks import plan_chunks, read_from, same_parts
from mainstem.connectors.mysql.client import connect
from mainstem.connectors.mysql.ranges import between
from mainstem.model.connection import ConnectionSettings
from mainstem.model.frame import Chunk
from mainstem.model.names import TableId
from mainstem.model.plan import TablePlan

ROWS = 100
HUGE = 10**9  # rows by statistics: nobody is kept from cutting


class Tables:
    """A database with tables to cut."""

    def __init__(self, cursor: Any, name: str) -> None:
        self.cursor, self.name = cursor, name
        self.plan = TablePlan(TableId(name, "t"), TableId("", "t"), (), rows_estimate=HUGE)

    def run(self, *statements: str) -> Sequence[tuple[Any, ...]]:
        for statement in statements:
            self.cursor.execute(statement)
        return list(self.cursor.fetchall())

    def make(self, columns: str, *inserts: str, rest: str = "") -> None:
        """The table ``t``: these columns and ``n``, which numbers the rows and is no key."""
        self.run("DROP TABLE IF EXISTS t", f"CREATE TABLE t ({columns}, n INT NOT NULL) {rest}")
        self.run(
            *(f"INSERT IGNORE INTO t {insert}" for insert in inserts), "SET @n = 0", "UPDATE t SET n = (@n := @n + 1)"
        )
        self.run("ANALYZE TABLE t")

    def cut(self, rows: int = ROWS) -> list[Chunk]:
        chunks = plan_chunks(self.cursor, self.plan, rows)
        assert [chunk.number for chunk in chunks] == list(range(len(chunks)))
        return chunks

    def read(self, chunk: Chunk) -> list[int]:
        """The rows' numbers."""
        name, condition = read_from(self.plan, chunk)
        return [n for (n,) in self.run(f"SELECT n FROM {name} WHERE {condition or '1'}")]

    def sizes(self, chunks: Sequence[Chunk]) -> list[int]:
        """Rows of each chunk, after a check that together they are the table."""
        parts = [self.read(chunk) for chunk in chunks]
        [(count,)] = self.run("SELECT COUNT(*) FROM t")
        assert sorted(n for part in parts for n in part) == list(range(1, count + 1))
        return [len(part) for part in parts]


@pytest.fixture(scope="module")
def tables(mariadb_server: ConnectionSettings) -> Iterator[Tables]:
    name = f"t_{secrets.token_hex(6)}"
    with connect(mariadb_server) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
        cursor.execute(f"USE {name}")
        yield Tables(cursor, name)
        cursor.execute(f"DROP DATABASE {name}")


def keyed(columns: str, key: str = "k") -> str:
    return f"{columns}, PRIMARY KEY ({key})"


SEQ = "SELECT {}, 0 FROM seq_1_to_5000"
STEP = "CAST(seq - 1 AS DECIMAL(30)) * 3680000000000000"
KEYS = {
    "int": (keyed("k INT"), SEQ.format("seq")),
    "negative": (keyed("k INT"), SEQ.format("CAST(seq AS SIGNED) * 3 - 9000")),
    "bigint from end to end": (keyed("k BIGINT"), SEQ.format(f"-9223372036854775808 + {STEP}")),
    "unsigned up to its end": (
        keyed("k BIGINT UNSIGNED"), SEQ.format(f"18446744073709551615 - {STEP}"),
    ),
    "zerofill": (keyed("k INT(8) ZEROFILL"), SEQ.format("seq")),
    "gaps": (keyed("k BIGINT"), SEQ.format("IF(seq < 2500, seq, 4000000000000000000 + seq)")),
    "most rows in a hundredth": (keyed("k BIGINT"), SEQ.format("IF(seq > 500, 1000000 + seq, seq * 100000)")),
    "decimal": (keyed("k DECIMAL(30,3)"), SEQ.format("seq * 7.125 - 10000")),
    "decimal of 65 digits": (keyed("k DECIMAL(65,30)"), SEQ.format("seq * 12345678901234567890.123456789")),
    "uuid": (keyed("k UUID"), SEQ.format("MD5(seq)")),
    "uuid as text": (keyed("k CHAR(36) CHARACTER SET ascii"), SEQ.format("CAST(CAST(MD5(seq) AS UUID) AS CHAR)")),
    "uuid as bytes": (keyed("k BINARY(16)"), SEQ.format("UNHEX(MD5(seq))")),
    "bytes that begin alike": (keyed("k VARBINARY(40)"), SEQ.format("CONCAT('a long beginning', seq)")),
    "bytes with zeros": (keyed("k VARBINARY(20)"), SEQ.format("CONCAT(REPEAT(CHAR(0), seq % 10), seq)")),
    "text": (keyed("k VARCHAR(40) COLLATE utf8mb4_bin"), SEQ.format("CONCAT(MD5(seq), 'ü')")),
    "text without case": (keyed("k VARCHAR(40) COLLATE utf8mb4_unicode_ci"),
                          SEQ.format("IF(seq % 2, UPPER(MD5(seq)), LOWER(MD5(seq)))")),
    "text without padding": (keyed("k VARCHAR(40) COLLATE utf8mb4_nopad_bin"),
                             SEQ.format("CONCAT(seq DIV 3, REPEAT(' ', seq % 3))")),
    "latin text": (keyed("k VARCHAR(40) CHARACTER SET latin1"), SEQ.format("CONCAT(CHAR(65 + seq % 26), 'é', seq)")),
    "wide text": (keyed("k VARCHAR(40) CHARACTER SET utf16"), SEQ.format("CONCAT('x', seq)")),
    "date": (keyed("k DATE"), SEQ.format("'1900-01-01' + INTERVAL seq DAY")),
    "date that is zero": (keyed("k DATE"), SEQ.format("IF(seq = 1, '0000-00-00', '1900-01-01' + INTERVAL seq DAY)")),
    "datetime": (keyed("k DATETIME"), SEQ.format("'2024-01-01' + INTERVAL seq * 7 SECOND")),
    "datetime of microseconds": (keyed("k DATETIME(6)"), SEQ.format("'2024-01-01' + INTERVAL seq MICROSECOND")),
    "timestamp, clocks change": (keyed("k TIMESTAMP(3)"), SEQ.format("'2024-03-31 00:30' + INTERVAL seq SECOND")),
    "time": (keyed("k TIME(2)"), SEQ.format("SEC_TO_TIME(CAST(seq AS SIGNED) * 100.25 - 300000)")),
    "bits": (keyed("k BIT(33)"), SEQ.format("seq * 1000003")),
    "inet": (keyed("k INET6"), SEQ.format("CONCAT('2001:db8::', HEX(seq))")),
    "tenant and number": (keyed("a INT, b BIGINT", "a, b"), SEQ.format("seq % 7, seq")),
    "one tenant has nearly all": (keyed("a INT, b BIGINT", "a, b"), SEQ.format("IF(seq % 100, 42, seq), seq")),
    "three numbers, skewed": (keyed("a TINYINT, b INT, c INT", "a, b, c"), SEQ.format("1, 5 + (seq > 4900), seq")),
    "text and number": (keyed("a VARCHAR(20) COLLATE utf8mb4_general_ci, b INT", "a, b"),
                        SEQ.format("ELT(1 + seq % 5, 'a', 'A', 'á', 'b', 'B '), seq")),
    "number and text": (keyed("a INT, b VARCHAR(20)", "a, b"), SEQ.format("IF(seq % 50, 3, seq), CONCAT('v', seq)")),
    "year and number": (keyed("a YEAR, b INT", "a, b"), SEQ.format("IF(seq % 4, 1901 + seq % 250, 0), seq")),
    "day and number": (keyed("a DATE, b INT", "a, b"), SEQ.format("'2024-02-28' + INTERVAL seq % 3 DAY, seq")),
    "a unique key without nulls": ("k INT NOT NULL, UNIQUE KEY u (k)", SEQ.format("seq")),
    "descending": (keyed("a INT, b INT", "a DESC, b DESC"), SEQ.format("seq % 3, seq")),
    "odd names": (keyed("`a``b c` INT, `select` INT", "`a``b c`, `select`"), SEQ.format("seq % 3, seq")),
}  # fmt: skip
WHOLE = {
    "no key": ("k INT", SEQ.format("seq")),
    "a unique key with nulls": ("k INT, UNIQUE KEY (k)", SEQ.format("IF(seq % 2, seq, NULL)")),
    "float": (keyed("k DOUBLE"), SEQ.format("seq / 3")),
    "enum": (keyed("a ENUM('z', 'b', 'a'), b INT", "a, b"), SEQ.format("1 + seq % 3, seq")),
    "the beginning of a text": ("k VARCHAR(40) NOT NULL, PRIMARY KEY (k(10))", SEQ.format("MD5(seq)")),
}


@pytest.mark.parametrize("key", KEYS)
def test_chunks_of_any_key_hold_each_row_once_and_none_is_large(tables: Tables, key: str) -> None:
    columns, insert = KEYS[key]
    tables.make(columns, insert)
    sizes = tables.sizes(tables.cut())
    assert len(sizes) > 10
    assert max(sizes) <= 4 * ROWS
    assert len(sizes) <= 6 * sum(sizes) / ROWS


@pytest.mark.parametrize("key", WHOLE)
def test_a_table_without_a_key_that_can_be_cut_is_one_chunk(tables: Tables, key: str) -> None:
    columns, insert = WHOLE[key]
    tables.make(columns, insert)
    assert len(tables.sizes(tables.cut())) == 1


def test_a_table_that_is_small_by_its_statistics_is_not_asked_anything(tables: Tables) -> None:
    small = TablePlan(TableId("nowhere", "t"), TableId("", "t"), (), rows_estimate=ROWS)
    assert plan_chunks(tables.cursor, small, ROWS) == [Chunk(small.source, 0)]


@pytest.mark.parametrize("rows", [0, 1, 2])
@pytest.mark.parametrize("columns", [keyed("k BIGINT UNSIGNED"), keyed("k VARCHAR(9)"), keyed("a INT, k DATE", "a, k")])
def test_tables_of_next_to_no_rows_are_read_whole(tables: Tables, columns: str, rows: int) -> None:
    values = "1, '2024-01-01'" if "DATE" in columns else "7"
    tables.make(
        columns, *[f"VALUES ({values.replace('1,', f'{row},').replace('7', f'{row}7')}, 0)" for row in range(rows)]
    )
    assert sum(tables.sizes(tables.cut(1))) == rows


def test_partitions_are_cut_one_by_one_and_small_ones_read_together(tables: Tables) -> None:
    bounds = ", ".join(f"PARTITION p{number} VALUES LESS THAN ({number * 10})" for number in range(1, 51))
    tables.make(
        keyed("k INT, id INT", "k, id"),
        "SELECT seq % 490, seq, 0 FROM seq_1_to_2000", "SELECT 499, seq, 0 FROM seq_1_to_3000",
        rest=f"PARTITION BY RANGE (k) ({bounds})",
    )  # fmt: skip
    chunks = tables.cut()
    sizes = tables.sizes(chunks)
    assert all(chunk.part for chunk in chunks)
    assert max(sizes) <= 4 * ROWS
    assert 30 < len(sizes) < 100


def test_another_partition_since_the_cut_is_seen(tables: Tables) -> None:
    tables.make(keyed("k INT"), "SELECT seq, 0 FROM seq_1_to_900", rest="PARTITION BY HASH (k) PARTITIONS 4")
    chunks = tables.cut()
    assert same_parts(tables.cursor, tables.plan, chunks)
    tables.run("ALTER TABLE t ADD PARTITION PARTITIONS 2")
    assert not same_parts(tables.cursor, tables.plan, chunks)


@pytest.mark.parametrize("key", ["one tenant has nearly all", "text and number", "three numbers, skewed"])
def test_a_chunk_of_a_composite_key_reads_no_rows_but_its_own(tables: Tables, key: str) -> None:
    columns, insert = KEYS[key]
    tables.make(columns, insert)
    for chunk in tables.cut():
        tables.run("FLUSH STATUS")
        read = len(tables.read(chunk))
        touched = sum(int(count) for _, count in tables.run("SHOW STATUS LIKE 'Handler_read_%'"))
        assert touched <= read + 10


TEXTS = st.text(st.sampled_from("aAáÁbßs \tz_%'\\\x00ü€😀"), max_size=4)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    keys=st.lists(st.tuples(st.integers(-3, 3), TEXTS, st.integers(0, 2**64 - 1)), max_size=60),
    collation=st.sampled_from(["utf8mb4_bin", "utf8mb4_general_ci", "utf8mb4_unicode_nopad_ci", "utf8mb4_german2_ci"]),
    order=st.permutations(["a", "b", "c"]),
)
def test_chunks_of_random_keys_hold_each_row_once(
    tables: Tables, keys: list[tuple[int, str, int]], collation: str, order: list[str]
) -> None:
    columns = keyed(f"a INT, b VARCHAR(9) COLLATE {collation}, c BIGINT UNSIGNED", ", ".join(order))
    rows = [f"({a}, _utf8mb4 X'{b.encode().hex()}', {c}, 0)" for a, b, c in keys]
    tables.make(columns, *([f"VALUES {', '.join(rows)}"] if rows else []))
    tables.sizes(tables.cut(3))


def test_ranges_are_nested_column_by_column() -> None:
    lower, upper = (("a", "1"), ("b", "2")), (("a", "1"), ("b", "5"))
    assert between(lower, upper) == "`a` = 1 AND `b` > 2 AND `b` <= 5"
    assert between(lower, (("a", "1"),)) == "`a` = 1 AND `b` > 2"
    assert between(lower, (("a", "3"),)) == "(`a` > 1 OR (`a` = 1 AND `b` > 2)) AND `a` <= 3"
    assert between((), ()) == ""
