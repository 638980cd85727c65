"""Changes into tables that are not plain: types, collations, unique values that move, foreign keys, no key at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from mainstem.connectors.mysql.client import connect, query
from mainstem.errors import RowError
from mainstem.model.change import RowChanges, Truncate
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from mainstem.model.plan import TablePlan
from mainstem.model.run import SpecialValuePolicy
from mainstem.model.stream import Checkpoint, StreamTable
from tests.connectors.mysql.changing import (
    ABSENT,
    Event,
    applier_of,
    changes_of,
    deleted,
    inserted,
    streamed,
    tables_of,
    updated,
)
from tests.connectors.mysql.rows import SOURCE, Cell, plan_of, run_sql
from tests.connectors.mysql.test_load import VALUES

MANY = 40
Rows = list[tuple[object, ...]]


def apply(
    settings: ConnectionSettings, table: StreamTable | TablePlan, *events: Event, files: bool = True, **options: object
) -> int:
    """Apply events in one piece; returns how many rows were missing."""
    stream = streamed(table) if isinstance(table, TablePlan) else table
    with applier_of(settings, **options) as applier:
        applier._sender.takes_files = files
        applier.begin()
        applied = applier.apply([changes_of(stream.plan, *events)], tables_of(stream))
        applier.commit(Checkpoint("1"))
    return applied.missing.get(stream.source, 0)


def padding(*row: Cell) -> list[Event]:
    """Rows that make a piece too large to be written one by one, and come to nothing."""
    rows = [(b"%d" % (1000 + number), *row) for number in range(MANY)]
    return [*(inserted(*cells) for cells in rows), *(deleted(cells[0]) for cells in rows)]


@pytest.mark.parametrize("many", [False, True], ids=["few", "many"])
@pytest.mark.parametrize("files", [True, False], ids=["load", "insert"])
@pytest.mark.parametrize("by_update", [False, True], ids=["insert", "update"])
def test_every_value_arrives_as_the_loader_writes_it(
    mysql_db: ConnectionSettings, by_update: bool, files: bool, many: bool
) -> None:
    names = {f"v{number}": type_ for number, (type_, _, _) in enumerate(VALUES)}
    run_sql(mysql_db, f"CREATE TABLE t (id int PRIMARY KEY, {', '.join(f'{n} {t}' for n, t in names.items())})")
    plan = plan_of(mysql_db.database, id="int", **names)
    cells = [cell for _, cell, _ in VALUES]
    events = [inserted(b"%d" % number, *cells) for number in range(MANY if many else 1)]
    if by_update:
        run_sql(mysql_db, *(f"INSERT INTO t (id) VALUES ({number})" for number in range(len(events))))
        events = [updated([event.after[0]], *event.after) for event in events]  # type: ignore[list-item]
    assert apply(mysql_db, plan, *events, files=files) == 0
    claims = [claim.replace("v ", f"v{n} ").replace("(v", f"(v{n}") for n, (_, _, claim) in enumerate(VALUES)]
    (answer,) = run_sql(mysql_db, f"SELECT {', '.join(f'SUM(({claim}) IS TRUE)' for claim in claims)} FROM t")
    assert [claim for claim, true in zip(claims, answer, strict=True) if true != str(len(events))] == []


@pytest.mark.parametrize("many", [False, True], ids=["few", "many"])
def test_every_value_is_found_where_a_table_has_no_key(mysql_db: ConnectionSettings, many: bool) -> None:
    lost = []
    with applier_of(mysql_db) as applier, connect(mysql_db, conv={}) as other:
        for type_, cell, _ in VALUES:
            query(other, f"CREATE OR REPLACE TABLE t (id int, v {type_})")
            plan = plan_of(mysql_db.database, (), id="int", v=type_)
            others = [inserted(b"%d" % number, None) for number in range(MANY if many else 1)]
            gone = [deleted(b"1", cell), *(deleted(*event.after) for event in others)]  # type: ignore[arg-type]
            for events in ([*[inserted(b"1", cell)] * 3, *others], gone):
                applier.begin()
                applied = applier.apply([changes_of(plan, *events)], tables_of(streamed(plan)))
                applier.commit(Checkpoint("1"))
            if applied.missing or query(other, "SELECT COUNT(*) FROM t") != [("2",)]:
                lost.append((type_, cell, applied.missing))
    assert lost == []


APART = {
    "float": [bytes.fromhex(text) for text in ("cdcccc3d", "abaaaa3e", "ffff7f7f", "01000000", "00000000")],
    "double": [bytes.fromhex(text) for text in ("9a9999999999b93f", "0000000000000440", "ffffffffffffef7f")],
    "year": [b"0000", b"2001", b"1901"],
    "decimal(65,30)": [b"0.000000000000000000000000000001", b"12345678901234567890123456789012345.5"],
    "bigint unsigned": [b"18446744073709551615", b"9007199254740993"],
    "char(4)": [b"ab", b""],
    "varchar(9)": [b"ab ", b"ab", b"AB", "ä".encode(), b"a\\'\0"],
    "varchar(9) CHARACTER SET latin1": ["ä".encode(), "Ä".encode()],
    "datetime(6)": [b"2021-00-00 00:00:00.000001", b"0000-00-00 00:00:00.000000"],
    "enum('a','A','b c')": [b"a", b"A", b"b c"],
    "set('a','b')": [b"a,b", b""],
    "bit(10)": [b"\3\xff", b"\0\0"],
    "varbinary(9)": [b"\0\xff'\\", b"\0"],
}


@pytest.mark.parametrize("type_", APART)
def test_values_are_told_apart_by_what_is_stored(mysql_db: ConnectionSettings, type_: str) -> None:
    cells = APART[type_]
    if type_.startswith("enum"):
        type_ += " COLLATE utf8mb4_bin"
    run_sql(mysql_db, f"CREATE TABLE t (v {type_})")
    plan = plan_of(mysql_db.database, (), v=type_.partition(" C")[0])
    apply(mysql_db, plan, *(inserted(cell) for cell in cells))
    for place, cell in enumerate(cells):
        assert apply(mysql_db, plan, deleted(cell)) == 0, cell
        assert run_sql(mysql_db, "SELECT COUNT(*) FROM t") == [(str(len(cells) - place - 1),)]


@pytest.mark.parametrize(
    ("events", "expected", "missing"),
    [
        ([deleted(b"1", b"x")], ["1 x", "2 y"], 0),
        ([deleted(b"1", b"x"), deleted(b"1", b"x")], ["2 y"], 0),
        ([deleted(b"1", b"x")] * 3, ["2 y"], 1),
        ([updated([b"1", b"x"], b"1", b"z")], ["1 x", "1 z", "2 y"], 0),
        ([updated([b"1", b"x"], b"1", b"z")] * 2, ["1 z", "1 z", "2 y"], 0),
        ([updated([b"1", b"x"], b"1", b"x")], ["1 x", "1 x", "2 y"], 0),
        ([deleted(b"1", b"X")], ["1 x", "1 x", "2 y"], 1),
        ([deleted(None, b"x")], ["1 x", "1 x", "2 y"], 1),
        ([inserted(None, None), deleted(None, None)], ["1 x", "1 x", "2 y"], 0),
        ([updated([b"2", b"y"], b"2", ABSENT)], ["1 x", "1 x", "2 y"], 0),
    ],
)
@pytest.mark.parametrize("many", [False, True], ids=["few", "many"])
def test_each_event_is_about_one_of_several_equal_rows(
    mysql_db: ConnectionSettings, events: list[Event], expected: list[str], missing: int, many: bool
) -> None:
    run_sql(mysql_db, "CREATE TABLE t (id int, v varchar(9))", "INSERT INTO t VALUES (1, 'x'), (1, 'x'), (2, 'y')")
    more = [inserted(b"9", b"9"), deleted(b"9", b"9")] * (MANY if many else 0)
    assert apply(mysql_db, plan_of(mysql_db.database, (), id="int", v="varchar(9)"), *events, *more) == missing
    assert run_sql(mysql_db, "SELECT CONCAT(id, ' ', v) FROM t ORDER BY 1") == [(row,) for row in expected]


@pytest.mark.parametrize("many", [False, True], ids=["few", "many"])
def test_keys_that_are_equal_to_the_server_alone_are_other_rows(mysql_db: ConnectionSettings, many: bool) -> None:
    plan = plan_of(mysql_db.database, id="varchar(9)", v="varchar(9)")
    more = padding(b"m") if many else []
    run_sql(
        mysql_db,
        "CREATE TABLE t (id varchar(9) PRIMARY KEY, v varchar(9))",
        "INSERT INTO t VALUES ('a', '1'), ('é', '2')",
    )
    assert apply(mysql_db, plan, deleted(b"A"), updated([b"a "], b"a ", ABSENT), *more) == 2
    assert apply(mysql_db, plan, updated([b"a"], b"A", b"3"), *more) == 0
    assert run_sql(mysql_db, "SELECT id, v FROM t ORDER BY v") == [("é", "2"), ("A", "3")]
    with pytest.raises(RowError, match="key that another row has"):
        apply(mysql_db, plan, inserted(b"E", b"9"), *more)


SWAPS: list[tuple[list[Event], Rows]] = [
    ([updated([b"1"], b"1", b"20"), updated([b"2"], b"2", b"10")], [("1", "20", "x"), ("2", "10", "y")]),
    ([deleted(b"1"), updated([b"2"], b"2", b"10")], [("2", "10", "y")]),
    ([updated([b"1"], b"1", b"30"), updated([b"2"], b"2", b"10")], [("1", "30", "x"), ("2", "10", "y")]),
    ([updated([b"2"], b"2", b"5"), inserted(b"3", b"20")], [("1", "10", "x"), ("2", "5", "y"), ("3", "20", None)]),
]


@pytest.mark.parametrize(("events", "expected"), SWAPS)
@pytest.mark.parametrize("whole", [True, False], ids=["whole", "absent"])
def test_unique_values_may_go_from_row_to_row(
    mysql_db: ConnectionSettings, events: list[Event], expected: Rows, whole: bool
) -> None:
    """All in one set, in which each row would find its value at the other; ``v`` is not always in the log."""
    run_sql(
        mysql_db,
        "CREATE TABLE t (extra int NOT NULL DEFAULT 7, id int PRIMARY KEY, u int NOT NULL UNIQUE, v char(1))",
        "INSERT INTO t VALUES (1, 1, 10, 'x'), (2, 2, 20, 'y')",
    )
    texts = {b"1": b"x", b"2": b"y"}
    events = [
        event if not event.after else replace(event, after=(*event.after, texts.get(event.after[0]) if whole or not  # type: ignore[arg-type]
                                                            event.before else ABSENT))
        for event in events
    ]  # fmt: skip
    middle = [updated(event.before, event.after[0], b"%d" % (99 + number), ABSENT)  # type: ignore[arg-type]
              for number, event in enumerate(events) if event.before and event.after]  # fmt: skip
    plan = plan_of(mysql_db.database, id="int", u="int", v="char(1)")
    apply(mysql_db, plan, *middle, *events, *padding(b"5000", None)[:MANY][:0], *quiet())
    assert run_sql(mysql_db, "SELECT id, u, v FROM t WHERE id < 1000 ORDER BY id") == expected
    kept = run_sql(mysql_db, "SELECT SUM(extra) FROM t WHERE id < 3")
    assert kept == [(str(sum(int(str(row[0])) for row in expected if str(row[0]) < "3")),)]


def quiet() -> list[Event]:
    rows = [(b"%d" % (1000 + number), b"%d" % (5000 + number), None) for number in range(MANY)]
    return [*(inserted(*row) for row in rows), *(deleted(row[0]) for row in rows)]


def test_a_time_that_renews_itself_stays_where_the_log_lacks_it(mysql_db: ConnectionSettings) -> None:
    run_sql(
        mysql_db,
        "CREATE TABLE t (id int PRIMARY KEY, at timestamp NOT NULL DEFAULT current_timestamp ON UPDATE"
        " current_timestamp, v int)",
        "INSERT INTO t VALUES (1, '2001-01-01', 1), (2, '2001-01-01', 2)",
    )
    plan = plan_of(mysql_db.database, id="int", at="timestamp", v="int")
    apply(mysql_db, plan, updated([b"1"], b"1", ABSENT, b"5"))
    apply(mysql_db, plan, updated([b"2"], b"2", ABSENT, b"5"), *padding(b"2001-01-01 00:00:00", b"1"))
    assert run_sql(mysql_db, "SELECT at, v FROM t") == [("2001-01-01 00:00:00", "5")] * 2


@pytest.mark.parametrize("many", [False, True], ids=["few", "many"])
def test_zeros_labels_that_are_none_and_computed_columns(mysql_db: ConnectionSettings, many: bool) -> None:
    run_sql(mysql_db, "CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY, e enum('a'), g int AS (e + 1) STORED)")
    plan = plan_of(mysql_db.database, id="int", e="enum('a')")
    more = padding(b"a") if many else []
    apply(mysql_db, plan, inserted(b"0", b""), inserted(b"5", b"a"), *more)
    apply(mysql_db, plan, updated([b"5"], b"5", b""), updated([b"0"], b"0", b"a"), *more)
    assert run_sql(mysql_db, "SELECT id, e, e + 0, g FROM t") == [("0", "a", "1", "2"), ("5", "", "0", "1")]


@pytest.mark.parametrize("many", [False, True], ids=["few", "many"])
def test_what_policies_change_is_counted_once(mysql_db: ConnectionSettings, many: bool) -> None:
    run_sql(mysql_db, "CREATE TABLE t (id int PRIMARY KEY, v double)", "INSERT INTO t VALUES (1, 1)")
    plan = plan_of(mysql_db.database, id="int", v="double")
    nan = bytes.fromhex("000000000000f87f")
    more = padding(bytes(8)) if many else []
    events = [updated([b"1"], b"1", nan), inserted(b"2", nan), *more]
    stream = streamed(plan)
    with applier_of(mysql_db, special_values=SpecialValuePolicy.NULL) as applier:
        applier.begin()
        applied = applier.apply([changes_of(plan, *events)], tables_of(stream))
        applier.commit(Checkpoint("1"))
    assert list(applied.coerced[SOURCE].values()) == [2]
    assert run_sql(mysql_db, "SELECT id, v FROM t ORDER BY id") == [("1", None), ("2", None)]


@pytest.mark.parametrize("many", [False, True], ids=["few", "many"])
@pytest.mark.parametrize("key", [("id",), ()], ids=["keyed", "keyless"])
def test_a_soft_delete_keeps_the_row_and_says_when(
    mysql_db: ConnectionSettings, key: Sequence[str], many: bool
) -> None:
    run_sql(
        mysql_db,
        "CREATE TABLE t (id int, v int, KEY (id))" if not key else "CREATE TABLE t (id int PRIMARY KEY, v int)",
    )
    plan = plan_of(mysql_db.database, key, id="int", v="int")
    row = b"1", b"10"
    whole = row if not key else row[:1]
    more = [inserted(b"%d" % (100 + number), b"0") for number in range(MANY if many else 0)]
    last = [event for number in range(len(more)) for event in [inserted(b"%d" % (500 + number), b"0")]]
    look = "SELECT v, gone IS NULL FROM t WHERE id = 1 ORDER BY 2"
    apply(mysql_db, plan, inserted(*row), deleted(*whole), *more, soft_delete="gone")
    assert run_sql(mysql_db, look) == [("10", "0")]
    apply(mysql_db, plan, inserted(b"1", b"11"), *last, soft_delete="gone")
    assert run_sql(mysql_db, look) == ([("11", "1")] if key else [("10", "0"), ("11", "1")])
    assert apply(mysql_db, plan, updated([b"1", b"11"][: len(whole)], b"1", b"12"), soft_delete="gone") == 0
    with applier_of(mysql_db, soft_delete="gone") as applier:
        applier.begin()
        applier.truncate(Truncate((SOURCE,)), tables_of(streamed(plan)))
        applier.commit(Checkpoint("2"))
    assert run_sql(mysql_db, "SELECT COUNT(*), COUNT(gone) FROM t") == [(str(2 * len(more) + 2 - len(key)),) * 2]


def test_rows_of_a_later_snapshot_are_written_over_and_none_is_missing(mysql_db: ConnectionSettings) -> None:
    run_sql(mysql_db, "CREATE TABLE t (id int PRIMARY KEY, v int)", "INSERT INTO t VALUES (1, 5), (2, 5)")
    stream = streamed(plan_of(mysql_db.database, id="int", v="int"), until="9")
    events = [inserted(b"1", b"1"), inserted(b"2", b"2"), deleted(b"2"), deleted(b"3"), updated([b"4"], b"4", b"4")]
    assert apply(mysql_db, stream, *events, *padding(b"0")) == 0
    assert run_sql(mysql_db, "SELECT * FROM t ORDER BY id") == [("1", "1"), ("4", "4")]


@pytest.mark.parametrize("other", ["v int NOT NULL", "v int"], ids=["anchored", "none"])
def test_a_key_that_takes_null_on_the_target_is_joined_all_the_same(mysql_db: ConnectionSettings, other: str) -> None:
    run_sql(mysql_db, f"CREATE TABLE t (id int UNIQUE, {other})", "INSERT INTO t VALUES (NULL, 5), (2, 5), (3, 5)")
    plan = plan_of(mysql_db.database, id="int", v="int")
    assert apply(mysql_db, plan, updated([b"4"], b"4", b"4"), updated([b"2"], b"2", b"2"), deleted(b"3"),
                 *padding(b"0")) == 1  # fmt: skip
    assert run_sql(mysql_db, "SELECT * FROM t ORDER BY v") == [("2", "2"), ("4", "4"), (None, "5")]


def test_a_server_that_makes_no_table_without_a_key_is_written_to(mysql_db: ConnectionSettings) -> None:
    run_sql(mysql_db, "CREATE TABLE t (id int PRIMARY KEY, v int)", "INSERT INTO t VALUES (1, 5), (2, 5), (3, 5)")
    plan = plan_of(mysql_db.database, id="int", v="int")
    run_sql(mysql_db, "SET GLOBAL innodb_force_primary_key = 1")
    try:
        events = [updated([b"1"], b"1", b"1"), updated([b"2"], b"2", ABSENT), deleted(b"3"), *padding(b"0")]
        assert apply(mysql_db, plan, *events) == 0
    finally:
        run_sql(mysql_db, "SET GLOBAL innodb_force_primary_key = 0")
    assert run_sql(mysql_db, "SELECT * FROM t ORDER BY id") == [("1", "1"), ("2", "5")]


def test_tables_are_emptied_in_the_transaction(mysql_db: ConnectionSettings) -> None:
    parent, child = family(mysql_db, "ON DELETE CASCADE")
    tables = tables_of(streamed(parent), streamed(child))
    with applier_of(mysql_db) as applier:
        applier.begin()
        applier.truncate(Truncate((parent.source, TableId("not", "known"))), tables)
        applier.rollback()
        assert run_sql(mysql_db, "SELECT COUNT(*) FROM t") == [("3",)]
        applier.begin()
        applier.truncate(Truncate((parent.source,)), tables)
        applier.commit(Checkpoint("1"))
    assert run_sql(mysql_db, "SELECT (SELECT COUNT(*) FROM t), COUNT(*) FROM child") == [("0", "3")]


def family(settings: ConnectionSettings, effect: str) -> tuple[TablePlan, TablePlan]:
    run_sql(
        settings,
        "CREATE TABLE t (id int PRIMARY KEY, v int)",
        f"CREATE TABLE child (id int PRIMARY KEY, v int, FOREIGN KEY (v) REFERENCES t (id) {effect})",
        "INSERT INTO t VALUES (1, 0), (2, 0), (3, 0)",
        "INSERT INTO child VALUES (10, 1), (20, 2), (30, 3)",
    )
    parent = plan_of(settings.database, id="int", v="int")
    child = replace(parent, source=TableId("there", "child"), target=TableId(settings.database, "child"))
    return parent, child


def together(
    settings: ConnectionSettings, *parts: tuple[TablePlan, list[int], list[Event]], cascades: bool
) -> dict[TableId, int]:
    """Events of several tables in one piece, in the order of their numbers."""
    changes: list[RowChanges] = [changes_of(plan, *events, seqs=seqs) for plan, seqs, events in parts]
    tables = tables_of(*(streamed(plan, cascades=cascades) for plan, _, _ in parts))
    with applier_of(settings) as applier:
        applier.begin()
        applied = applier.apply(changes, tables)
        applier.commit(Checkpoint("1"))
    return applied.missing


@pytest.mark.parametrize("cascades", [False, True])
def test_foreign_keys_do_what_the_log_leaves_out_and_only_that(mysql_db: ConnectionSettings, cascades: bool) -> None:
    parent, child = family(mysql_db, "ON DELETE CASCADE ON UPDATE CASCADE")
    # A parent goes with its child, comes again, and has another child: that one stays.
    missing = together(
        mysql_db,
        (parent, [1, 2, 5], [deleted(b"1"), inserted(b"1", b"9"), updated([b"2"], b"7", b"0")]),
        (child, [3, 4], [inserted(b"11", b"1"), updated([b"30"], b"30", None)]),
        cascades=cascades,
    )
    assert missing == {}
    assert run_sql(mysql_db, "SELECT * FROM t ORDER BY id") == [("1", "9"), ("3", "0"), ("7", "0")]
    kept: Rows = (
        [("11", "1"), ("20", "7"), ("30", None)] if cascades else [("10", "1"), ("11", "1"), ("20", "2"), ("30", None)]
    )
    assert run_sql(mysql_db, "SELECT * FROM child ORDER BY id") == kept


def test_many_parents_get_other_keys(mysql_db: ConnectionSettings) -> None:
    parent, _ = family(mysql_db, "ON DELETE CASCADE ON UPDATE CASCADE")
    run_sql(mysql_db, *(f"INSERT INTO t VALUES ({number}, 0)" for number in range(100, 120)))
    numbers = [1, 2, *range(100, 120)]
    events = [updated([b"%d" % number], b"%d" % (number + 500), b"0") for number in numbers]
    assert together(mysql_db, (parent, list(range(22)), events), cascades=True) == {}
    assert run_sql(mysql_db, "SELECT * FROM child ORDER BY id") == [("10", "501"), ("20", "502"), ("30", "3")]


@pytest.mark.parametrize("key", [("id",), ()], ids=["keyed", "keyless"])
def test_a_row_larger_than_a_statement_may_be_goes_by_file_or_is_refused(
    mysql_db: ConnectionSettings, key: Sequence[str]
) -> None:
    run_sql(mysql_db, "CREATE TABLE t (id int NOT NULL, v longblob, KEY (id))")
    plan = plan_of(mysql_db.database, key, id="int", v="longblob")
    large = bytes(range(256)) * 8192
    stream = streamed(plan)
    with applier_of(mysql_db) as applier:
        applier._sender.packet_bytes = 1024 * 1024
        applier.begin()
        applier.apply([changes_of(plan, inserted(b"1", large), inserted(b"2", b""))], tables_of(stream))
        whole = (b"1",) if key else (b"1", large)
        change = changes_of(plan, updated(whole, b"1", large + large))
        if not key:
            with pytest.raises(RowError, match="max_allowed_packet"):
                applier.apply([change], tables_of(stream))
        else:
            applier.apply([change], tables_of(stream))
        applier.commit(Checkpoint("1"))
    size = len(large) * (2 if key else 1)
    assert run_sql(mysql_db, "SELECT LENGTH(v) FROM t ORDER BY id") == [(str(size),), ("0",)]


@pytest.mark.parametrize(
    ("effect", "expected"),
    [("ON DELETE SET NULL", [("10", None), ("20", None), ("30", "3")]), ("ON DELETE CASCADE", [("30", "3")])],
)
def test_many_parents_go_at_once(mysql_db: ConnectionSettings, effect: str, expected: Rows) -> None:
    parent, _ = family(mysql_db, effect)
    run_sql(mysql_db, *(f"INSERT INTO t VALUES ({number}, 0)" for number in range(100, 120)))
    events = [deleted(b"1"), deleted(b"2"), *(deleted(b"%d" % number) for number in range(100, 120))]
    assert together(mysql_db, (parent, list(range(22)), events), cascades=True) == {}
    assert run_sql(mysql_db, "SELECT * FROM child ORDER BY id") == expected


def test_children_may_come_before_their_parents(mysql_db: ConnectionSettings) -> None:
    parent, child = family(mysql_db, "")
    together(
        mysql_db,
        (child, [1, 2], [inserted(b"40", b"4"), deleted(b"10")]),
        (parent, [3, 4], [inserted(b"4", b"0"), deleted(b"1")]),
        cascades=True,
    )
    together(mysql_db, (parent, [0], [deleted(b"4")]), (child, [1], [deleted(b"40")]), cascades=False)
    assert run_sql(mysql_db, "SELECT * FROM child ORDER BY id") == [("20", "2"), ("30", "3")]


@pytest.mark.parametrize("many", [False, True], ids=["few", "many"])
@pytest.mark.parametrize("unique", [False, True], ids=["plain", "rewritten"])
def test_columns_of_rare_kinds_can_be_staged(mysql_db: ConnectionSettings, unique: bool, many: bool) -> None:
    """Those that the source has, and those that the target alone has, which keep what they hold."""
    run_sql(
        mysql_db,
        "CREATE TABLE t (c text COMPRESSED CHARACTER SET latin1, id int(5) unsigned zerofill PRIMARY KEY,"
        f" u int NOT NULL{' UNIQUE' if unique else ''}, j json CHECK (JSON_VALID(j)),"
        " hidden int INVISIBLE DEFAULT 3, at timestamp(3) NOT NULL DEFAULT"
        " current_timestamp(3) ON UPDATE current_timestamp(3), g int AS (u + 1) STORED, w int AS (u + 2) VIRTUAL,"
        " n national varchar(5), b binary(3), y year, p point, s set('x','y') NOT NULL DEFAULT 'y')"
        " WITH SYSTEM VERSIONING",
        "INSERT INTO t (c, id, u, j, at, n, b, y, p) VALUES ('ä', 1, 10, '[1]', '2001-01-01', 'é', 'a', 2001,"
        " POINT(1, 2)), ('ö', 2, 20, '[2]', '2001-01-01', 'é', 'b', 2002, POINT(1, 3))",
    )
    plan = plan_of(mysql_db.database, id="int unsigned", u="int", c="text", at="timestamp(3)")
    # The last event takes the value of the first row, which a server that goes row by row still has.
    events = [
        updated([b"1"], b"1", b"20" if unique and many else b"11", "ü".encode(), ABSENT),
        updated([b"2"], b"2", b"10" if unique and many else b"21", ABSENT, b"2002-02-02 00:00:00.000"),
    ]
    more = [inserted(b"%d" % (100 + number), b"%d" % (500 + number), None, b"2003-03-03 00:00:00.000")
            for number in range(MANY if many else 0)]  # fmt: skip
    assert apply(mysql_db, plan, *events, *more) == 0
    values = [("20", "10"), ("11", "21")][not (unique and many)]
    assert run_sql(
        mysql_db,
        "SELECT id, u, c, hidden, at, g, w, n, HEX(b), y, ST_AsText(p), s, j FROM t WHERE id < 100 ORDER BY id",
    ) == [
        ("00001", values[0], "ü", "3", "2001-01-01 00:00:00.000", str(int(values[0]) + 1), str(int(values[0]) + 2), "é",
         "610000", "2001", "POINT(1 2)", "y", "[1]"),
        ("00002", values[1], "ö", "3", "2002-02-02 00:00:00.000", str(int(values[1]) + 1), str(int(values[1]) + 2), "é",
         "620000", "2002", "POINT(1 3)", "y", "[2]"),
    ]  # fmt: skip
