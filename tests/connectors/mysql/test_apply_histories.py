"""Random histories in random pieces leave the same table as the source's statements, one by one."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest

from mainstem.model.connection import ConnectionSettings
from mainstem.model.plan import TablePlan
from mainstem.model.stream import Checkpoint
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
from tests.connectors.mysql.rows import Cell, plan_of, run_sql

Row = tuple[Cell, ...]
LETTERS = [b"a", b"A", b"b", b"", b"a ", None, "é".encode(), "É".encode()]


def keyed(generator: random.Random, rows: dict[Row, Row]) -> Event:
    """An event that a source with these rows may have; ``u`` is unique there."""
    free = [number for number in range(60) if b"%d" % number not in {row[1] for row in rows.values()}]
    choice = generator.random()
    note = generator.choice(LETTERS)
    if not rows or (choice < 0.4 and len(rows) < 40):
        key = generator.choice([number for number in range(80) if (b"%d" % number,) not in rows])
        row = (b"%d" % key, b"%d" % generator.choice(free), note)
        rows[row[:1]] = row
        return inserted(*row)
    key_of = generator.choice(list(rows))
    old = rows.pop(key_of)
    if choice < 0.6:
        return deleted(*key_of)
    unique = b"%d" % generator.choice(free) if generator.random() < 0.5 else old[1]
    moved = generator.choice([number for number in range(80) if (b"%d" % number,) not in rows])
    key = b"%d" % moved if generator.random() < 0.3 else key_of[0]
    if generator.random() < 0.3:
        rows[(key,)] = (key, unique, old[2])
        return updated(key_of, key, unique, ABSENT)
    rows[(key,)] = (key, unique, note)
    return updated(key_of, key, unique, note)


def keyless(generator: random.Random, rows: list[Row]) -> Event:
    """The same of a table whose rows are only told apart by all of their cells."""
    row = (b"%d" % generator.randrange(3), generator.choice([b"1.5", b"0.1", None]), generator.choice(LETTERS))
    row = (row[0], None if row[1] is None else FLOATS[row[1]], row[2])
    if not rows or (generator.random() < 0.45 and len(rows) < 30):
        rows.append(row)
        return inserted(*row)
    old = rows.pop(generator.randrange(len(rows)))
    if generator.random() < 0.5:
        return deleted(*old)
    rows.append(row)
    return updated(old, *row)


FLOATS: dict[bytes, bytes] = {b"1.5": bytes.fromhex("0000c03f"), b"0.1": bytes.fromhex("cdcccc3d")}


def pieces(generator: random.Random, events: list[Event]) -> Iterator[list[Event]]:
    while events:
        size = generator.choice([1, 2, 5, 12, 40])
        yield events[:size]
        events = events[size:]


def shown(cell: Cell) -> str | None:
    return None if cell is None else cell.hex()


@pytest.mark.parametrize("seed", range(4))
def test_a_keyed_table_with_a_unique_column(mysql_db: ConnectionSettings, seed: int) -> None:
    plan = plan_of(mysql_db.database, id="int", u="int", note="varchar(9)")
    run_sql(
        mysql_db,
        "CREATE TABLE t (extra int NOT NULL DEFAULT 7, id int PRIMARY KEY, u int NOT NULL UNIQUE, note varchar(9),"
        " renewed timestamp NULL ON UPDATE CURRENT_TIMESTAMP)",
    )
    rows: dict[Row, Row] = {}
    apply_all(mysql_db, plan, seed, lambda generator: keyed(generator, rows))
    found = run_sql(mysql_db, "SELECT id, u, LOWER(HEX(note)), extra FROM t ORDER BY id")
    expected = sorted(rows.values(), key=lambda row: int(row[0] or b""))
    assert found == [((row[0] or b"").decode(), (row[1] or b"").decode(), shown(row[2]), "7") for row in expected]


@pytest.mark.parametrize("seed", range(4))
def test_a_table_without_a_key(mysql_db: ConnectionSettings, seed: int) -> None:
    plan = plan_of(mysql_db.database, (), id="int", f="float", note="varchar(9)")
    run_sql(mysql_db, "CREATE TABLE t (id int, f float, note varchar(9), KEY (id))")
    rows: list[Row] = []
    apply_all(mysql_db, plan, seed, lambda generator: keyless(generator, rows))
    found = run_sql(mysql_db, "SELECT id, f, LOWER(HEX(note)) FROM t")
    texts = {bytes: name.decode() for name, bytes in FLOATS.items()}
    expected = [((row[0] or b"").decode(), row[1] and texts[row[1]], shown(row[2])) for row in rows]
    assert sorted(map(repr, found)) == sorted(map(repr, expected))


def apply_all(settings: ConnectionSettings, plan: TablePlan, seed: int, make: Callable[[random.Random], Event]) -> None:
    generator = random.Random(seed)
    events = [make(generator) for _ in range(400)]
    with applier_of(settings) as applier:
        for number, piece in enumerate(pieces(generator, events)):
            applier.begin()
            applied = applier.apply([changes_of(plan, *piece)], tables_of(streamed(plan)))
            applier.commit(Checkpoint(str(number)))
            assert applied.missing == {}, piece
