"""For every type and character set: the cell that the stream gives is the cell that the snapshot gives."""

from __future__ import annotations

from mainstem.connectors.mysql.client import connect, query
from mainstem.model.connection import ConnectionSettings
from mainstem.model.plan import TablePlan
from tests.connectors.mysql.following import Cells, Source, read_all, run
from tests.connectors.mysql.wire.live import settings_of
from tests.types.matrix import Database, Server, database, fill
from tests.types.mysql_cases import CASES

# Of each at least one character beyond ASCII, where it has some.
_TEXTS = ("plain", "é", "€", "Я", "日本", "한국", "中", "שלום", "ไทย", "ß", "\\", "~")


def _snapshot(source: Source, plans: dict[str, TablePlan]) -> dict[str, list[Cells]]:
    with source.changes.snapshot(source.origin, 1) as snapshot:
        return {name: sorted(read_all(snapshot.readers[0], plan), key=repr) for name, plan in plans.items()}


def _without_zerofill(name: str, rows: list[Cells]) -> list[Cells]:
    """Which the text protocol pads; the number is the same."""
    if not name.endswith("_zerofill"):
        return rows
    return [tuple(cell and (cell.lstrip(b"0") or b"0") for cell in row) for row in rows]


def test_every_value_of_every_type_is_the_same_through_the_stream(mariadb_server: ConnectionSettings) -> None:
    """Inserts without the log's own description of columns, updates with it."""
    admin = Database(mariadb_server)
    with database(Server("MariaDB", mariadb_server)) as made:
        begin = Source(made.settings)
        fill(made, CASES)
        names = [row[0] for row in made.run("SHOW TABLES")]
        source = Source(made.settings, *names)
        source.origin, source.seen.position = begin.origin, begin.position
        events = {name: list(rows) for name, rows in source.follow().events.items()}
        with settings_of(admin.run, binlog_row_metadata="FULL"):
            for name in names:
                made.run(f"UPDATE {name} SET id = id + 5000")
        moved = {name: rows[len(events[name]) :] for name, rows in source.follow().events.items()}
        expected = _snapshot(source, {name: table.plan for name, table in source.tables.items()})
    admin.close()
    for name, rows in expected.items():
        at = [column.source for column in source.tables[name].plan.columns].index("id")
        wanted = _without_zerofill(name, rows)
        assert sorted((row for _, row, _ in moved[name] if row), key=repr) == wanted, name
        back = [tuple(str(int(cell or 0) - 5000).encode() if i == at else cell for i, cell in enumerate(row))
                for row in wanted]  # fmt: skip
        assert sorted((row for _, row, _ in events[name] if row), key=repr) == sorted(back, key=repr), name


def test_text_of_every_character_set_is_the_same_through_the_stream(mysql_db: ConnectionSettings) -> None:
    """Every byte of character sets of one byte, and characters of the others; in text, keys, labels and sets."""
    charsets = {}
    with connect(mysql_db) as connection:
        for charset, longest in query(
            connection, "SELECT character_set_name, maxlen FROM information_schema.character_sets"
        ):
            if charset == "binary":
                continue
            charsets[charset] = longest
            query(
                connection,
                f"CREATE TABLE in_{charset} (id INT AUTO_INCREMENT PRIMARY KEY, c VARCHAR(40), x TEXT,"
                f" e ENUM('a', 'é'), s SET('b', 'ß')) CHARACTER SET {charset}",
            )
    source = Source(mysql_db, *(f"in_{charset}" for charset in charsets))
    with connect(mysql_db) as connection:
        for charset, longest in charsets.items():
            for text in _TEXTS:
                query(connection, f"INSERT INTO in_{charset} (c, x) VALUES (%s, %s)", (text, text * 3))
            query(connection, f"INSERT INTO in_{charset} (c, e, s) VALUES (NULL, 2, 3)")
            if longest == 1:
                values = ", ".join(f"(_binary X'{byte:02x}')" for byte in range(256))
                query(connection, f"INSERT IGNORE INTO in_{charset} (c) VALUES {values}")
    seen = source.follow()
    for name in source.tables:
        assert seen.tables[name] == source.rows(name), name


def test_a_key_in_another_character_set_is_told_as_the_row_is(mysql_db: ConnectionSettings) -> None:
    run(mysql_db, "CREATE TABLE t (k VARCHAR(20) CHARACTER SET latin1 PRIMARY KEY, v INT)")
    source = Source(mysql_db, "t")
    source.run("INSERT INTO t VALUES ('é', 1), ('ü', 1)", "UPDATE t SET k = 'z' WHERE k = 'ü'", "DELETE FROM t LIMIT 1")
    seen = source.follow()
    assert ("update", (b"z", b"1"), ("ü".encode(),)) in seen.events["t"]
    assert seen.tables["t"] == source.rows("t")
