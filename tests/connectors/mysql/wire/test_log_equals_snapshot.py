"""For every type: the cell that the log gives is the cell that the snapshot gives."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

import pytest

from mainstem.connectors.mysql.wire.codes import ColumnType, EventType
from mainstem.connectors.mysql.wire.events import Event, TableMapped
from mainstem.connectors.mysql.wire.reader import events_of_file
from mainstem.errors import WireError
from mainstem.model.change import Op
from mainstem.model.connection import ConnectionSettings
from tests.connectors.mysql.wire.live import as_rows, binlog, changes, plans, settings_of, snapshot
from tests.types.cases import Case, exact, values
from tests.types.matrix import Database, Server, database, fill
from tests.types.mysql_cases import CASES

_LABELS = ",".join(f"'m{number}'" for number in range(300))
_BITS = ",".join(f"'b{number}'" for number in range(64))
_UUIDS = [
    f"'{first}-1234-{version}abc-{variant}123-0123456789ab'"
    for first, version, variant in itertools.product(("00000000", "123e4567"), "0123456789f", "078bcf")
]
_ADDRESSES = [
    "'::'", "'::1'", "'1::'", "'::1:0'", "'::1.2.3.4'", "'::ffff:1.2.3.4'", "'::ffff:0:1.2.3.4'", "'0:1::'",
    "'1:0:0:2:0:0:0:3'", "'1:0:0:0:2:0:0:3'", "'1:0:2:3:4:5:6:7'", "'0:1:2:3:4:5:6:7'", "'a:b:c:d:e:f:1:0'",
    "'64:ff9b::1.2.3.4'", "'2001:db8:0:1::'", "'::2:3:4:5:6:7'", "'ff00:a0:0:b:0:c00:d:e'", "'::ffff:ffff'",
]  # fmt: skip
_DECIMALS = [(1, 0), (1, 1), (9, 9), (10, 9), (10, 1), (18, 9), (19, 10), (30, 30), (38, 7), (65, 1)]
# What the matrix of types has no line for.
_MORE = (
    Case("uuids", "uuid", "", values(*_UUIDS), exact("")),
    Case("addresses", "inet6", "", values(*_ADDRESSES), exact("")),
    Case("many_labels", f"enum({_LABELS})", "", values("'m0'", "'m254'", "'m255'", "'m299'", "0"), exact("")),
    Case("many_bits", f"set({_BITS})", "", values("''", "'b0'", "'b63'", "18446744073709551615"), exact("")),
    Case("char_255", "char(255)", "", values("''", "'é'", "repeat('😀', 255)", "repeat('a', 255)"), exact("")),
    Case("varchar_63", "varchar(63)", "", values("''", "repeat('😀', 63)"), exact("")),
    Case("varchar_64", "varchar(64)", "", values("''", "repeat('😀', 64)"), exact("")),
    Case("binary_255", "binary(255)", "", values("''", "repeat('a', 255)", "X'00610000'"), exact("")),
    Case("squeezed", "text compressed", "", values("''", "'short'", "repeat('long ', 5000)"), exact("")),
    Case("squeezed_bytes", "varbinary(9000) compressed", "", values("''", "'short'", "repeat('x', 9000)"), exact("")),
    Case("float_7_3", "float(7,3)", "", values("0", "-1.5", "9999.999"), exact("")),
    *(Case(f"bit_{n}", f"bit({n})", "", values("b'0'", "b'1'", f"b'{'1' * n}'"), exact("")) for n in (7, 8, 9, 63)),
    *(
        Case(f"number_{p}_{s}", f"decimal({p},{s})", "",
             values("0", f"{'9' * (p - s) or 0}.{'9' * s}", f"-{'1' * (p - s) or 0}.{'5' * s}", f"{10 ** -s:.30f}"),
             exact(""))
        for p, s in _DECIMALS
    ),
)  # fmt: skip
_SHAPES: dict[str, tuple[dict[str, str], Callable[[Event], bool]]] = {
    "full metadata": (
        {"binlog_row_metadata": "FULL"},
        lambda event: isinstance(event, TableMapped) and event.table.full,
    ),
    "no metadata": (
        {"binlog_row_metadata": "NO_LOG"},
        lambda event: isinstance(event, TableMapped) and event.table.columns[0].unsigned is None,
    ),
    "minimal metadata, compressed events": (
        {"binlog_row_metadata": "MINIMAL", "log_bin_compress": "1", "log_bin_compress_min_len": "10"},
        lambda event: event.header.type == EventType.WRITE_ROWS_COMPRESSED_V1,
    ),
    "times in MariaDB's old form": (
        {"binlog_row_metadata": "NO_LOG", "mysql56_temporal_format": "0"},
        lambda event: isinstance(event, TableMapped) and event.table.columns[-1].type == ColumnType.DATETIME,
    ),
}


def fill_at_once(source: Database, cases: Sequence[Case]) -> None:
    """A table for each case with a NULL and its values, in as few statements as can be."""
    for case in cases:
        source.run(f"CREATE TABLE v_{case.name} (id INT PRIMARY KEY, v {case.native})")
        rows = ["(0, NULL)"]
        for number, value in enumerate(case.values, 1):
            if value.session:
                source.run(value.session)
                source.run(f"INSERT INTO v_{case.name} VALUES ({number}, {value.sql})")
                source.run("SET time_zone = '+00:00'")
            else:
                rows.append(f"({number}, {value.sql})")
        source.run(f"INSERT INTO v_{case.name} VALUES {', '.join(rows)}")


@pytest.fixture(params=_SHAPES)
def shaped(
    request: pytest.FixtureRequest, mariadb_server: ConnectionSettings
) -> Iterator[tuple[Database, Callable[[Event], bool]]]:
    """A database on a server whose log has this shape, and what tells that it has."""
    admin = Database(mariadb_server)
    settings, sign = _SHAPES[request.param]
    with settings_of(admin.run, **settings), database(Server("MariaDB", mariadb_server)) as made:
        yield made, sign
    admin.close()


def test_every_value_of_every_type_is_the_same_through_the_log(
    request: pytest.FixtureRequest, shaped: tuple[Database, Callable[[Event], bool]]
) -> None:
    source, sign = shaped
    cases = [*CASES, *_MORE]
    if request.node.callspec.id == "full metadata":  # with each type as a key too
        fill(source, cases)
    else:
        fill_at_once(source, cases)
    assert source.settings.database is not None
    tables = plans(source.run, source.settings.database)
    expected = snapshot(source.settings, tables)
    for name in tables:
        source.run(f"UPDATE {name} SET id = id + 5000")
    for name in tables:
        source.run(f"DELETE FROM {name} WHERE id < 5003")
    written_log = binlog(source.run)
    assert any(sign(event) for event in events_of_file(written_log))
    log = changes(written_log, tables, key=(0, 1))
    assert set(log) == set(tables)
    for name, parts in log.items():
        rows = expected[name]
        if name.endswith("_zerofill"):  # which the text protocol pads
            rows = [tuple(cell and (cell.lstrip(b"0") or b"0") for cell in row) for row in rows]
        at = [column.source for column in tables[name].columns].index("id")
        moved = [tuple(str(int(cell) + 5000).encode() if i == at and cell else cell for i, cell in enumerate(row))
                 for row in rows]  # fmt: skip
        written = [row for part in parts for row in as_rows(part.after) if part.ops[0].as_py() == Op.INSERT]
        changed = [row for part in parts for row in as_rows(part.after) if part.ops[0].as_py() == Op.UPDATE]
        before = [
            row for part in parts if part.before for row in as_rows(part.before) if part.ops[0].as_py() == Op.UPDATE
        ]
        assert sorted(written, key=repr) == rows, name
        assert sorted(changed, key=repr) == sorted(moved, key=repr), name
        assert sorted(before, key=repr) == sorted((row[:2] for row in rows), key=repr), name
        assert not any(part.absent for part in parts)


_COLUMNS = "id INT PRIMARY KEY, a INT DEFAULT 5, b TEXT, c VARCHAR(9) NOT NULL DEFAULT 'x', d BLOB, p POINT"


@pytest.mark.parametrize(
    ("image", "updated", "absent"),
    [
        ("FULL", (b"1", b"7", b"text", b"z", b"bytes", None), set()),
        ("NOBLOB", (b"1", b"7", None, b"z", None, None), {2, 4}),
        ("MINIMAL", (b"1", None, None, b"z", None, None), {1, 2, 4, 5}),
    ],
)
def test_column_that_an_image_lacks_is_absent_and_not_null(
    mysql_db: ConnectionSettings, image: str, updated: tuple[bytes | None, ...], absent: set[int]
) -> None:
    source = Database(mysql_db)
    source.run(f"CREATE TABLE t ({_COLUMNS})")
    source.run(f"SET SESSION binlog_row_image = {image}")
    source.run("INSERT INTO t VALUES (1, 7, 'text', 'y', 'bytes', NULL)")
    source.run("UPDATE t SET c = 'z'")
    source.run("DELETE FROM t")
    assert mysql_db.database is not None
    inserted, changed, deleted = changes(binlog(source.run), plans(source.run, mysql_db.database))["t"]
    source.close()
    assert as_rows(inserted.after) == [(b"1", b"7", b"text", b"y", b"bytes", None)]
    assert as_rows(changed.after) == [updated]
    assert {column for column, bits in changed.absent.items() if bits.to_pylist() == [True]} == absent
    assert [as_rows(part.before) for part in (changed, deleted) if part.before] == [[(b"1",)], [(b"1",)]]


def test_image_of_a_new_row_is_filled_up_by_known_defaults_alone(mysql_db: ConnectionSettings) -> None:
    source = Database(mysql_db)
    source.run(f"CREATE TABLE t ({_COLUMNS})")
    source.run("SET SESSION binlog_row_image = MINIMAL")
    source.run("INSERT INTO t (id) VALUES (1)")
    assert mysql_db.database is not None
    log, tables = binlog(source.run), plans(source.run, mysql_db.database)
    source.close()
    known = {1: b"5", 2: None, 3: b"x", 4: None, 5: None}
    (inserted,) = changes(log, tables, defaults=known)["t"]
    assert as_rows(inserted.after) == [(b"1", b"5", None, b"x", None, None)]
    assert not inserted.absent
    with pytest.raises(WireError, match="whose default is not known") as refused:
        changes(log, tables, defaults={1: b"5"})
    assert refused.value.where["column"] == 3
    assert "binlog_row_image" in refused.value.remedy


def test_image_without_what_the_row_is_told_by_is_refused(mysql_db: ConnectionSettings) -> None:
    source = Database(mysql_db)
    source.run(f"CREATE TABLE t ({_COLUMNS})")
    source.run("SET SESSION binlog_row_image = MINIMAL")
    source.run("INSERT INTO t VALUES (1, 7, 'text', 'y', 'bytes', NULL)")
    source.run("DELETE FROM t")
    assert mysql_db.database is not None
    log, tables = binlog(source.run), plans(source.run, mysql_db.database)
    source.close()
    with pytest.raises(WireError, match="lacks a column that tells the row apart"):
        changes(log, tables, key=(1,))
