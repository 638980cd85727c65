"""Changes under foreign keys, unique keys and without keys, between real servers, in every direction."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import count

from mainstem.model.run import SnapshotPolicy
from tests.e2e.routes import MYSQL, Route
from tests.e2e.streams import Following, cdc, following

EFFECTS = {
    "gone": "ON DELETE CASCADE ON UPDATE CASCADE",
    "loose": "ON DELETE SET NULL ON UPDATE CASCADE",
    "own": "ON DELETE CASCADE ON UPDATE SET NULL",
}


def _family(route: Route) -> None:
    """A parent with children that go, are set free, or lose their parent's new key; grandchildren; a tree."""
    route.source.run("CREATE TABLE parent (id INTEGER PRIMARY KEY, v INTEGER)")
    for name, effect in EFFECTS.items():
        route.source.run(
            f"CREATE TABLE {name} (id INTEGER PRIMARY KEY, parent INTEGER,"
            f" CONSTRAINT {name}_parent FOREIGN KEY (parent) REFERENCES parent (id) {effect})"
        )
    route.source.run(
        "CREATE TABLE grandchild (id INTEGER PRIMARY KEY, child INTEGER NOT NULL,"
        " CONSTRAINT grandchild_child FOREIGN KEY (child) REFERENCES gone (id) ON DELETE CASCADE)",
        "CREATE TABLE tree (id INTEGER PRIMARY KEY, up INTEGER,"
        " CONSTRAINT tree_up FOREIGN KEY (up) REFERENCES tree (id) ON DELETE CASCADE)",
    )


def _live(route: Route, generator: random.Random, numbers: Iterator[int], rounds: int) -> None:
    """Parents with children come, get other keys and go, some of them in one transaction."""
    made: list[str] = []
    for _ in range(rounds):
        key, child, moved = next(numbers), next(numbers), generator.random() < 0.3
        made += [
            f"INSERT INTO parent VALUES ({key}, 0)",
            *(f"INSERT INTO {name} VALUES ({next(numbers)}, {key})" for name in generator.sample(list(EFFECTS), 2)),
            f"INSERT INTO gone VALUES ({child}, {key})",
            f"INSERT INTO grandchild VALUES ({next(numbers)}, {child})",
            f"INSERT INTO tree SELECT {next(numbers)}, MAX(id) FROM tree WHERE id > {key} - {generator.randrange(30)}",
            f"UPDATE parent SET v = v + 1 WHERE id < {key} - {generator.randrange(60)}",
        ]
        made += [f"UPDATE parent SET id = {next(numbers)} WHERE id = {key}"] if moved else []
        if generator.random() < 0.5:
            made.append(f"DELETE FROM parent WHERE id BETWEEN {key} - 40 AND {key} - {generator.randrange(40)}")
        if generator.random() < 0.3:
            made.append(f"DELETE FROM tree WHERE id BETWEEN {key} - 40 AND {key} - {generator.randrange(40)}")
    _in_transactions(route, generator, made)


def _in_transactions(route: Route, generator: random.Random, statements: list[str]) -> None:
    while statements:
        size = generator.choice([1, 1, 3, 20])
        route.source.run("BEGIN", *statements[:size], "COMMIT")
        statements = statements[size:]


def test_what_foreign_keys_do_at_the_source_is_done_at_the_target(route: Route) -> None:
    generator, numbers = random.Random(7), count(1)
    _family(route)
    _live(route, generator, numbers, 20)
    with following(route) as stream:
        with stream.running():
            _live(route, generator, numbers, 40)
            stream.wait_equal()
        _live(route, generator, numbers, 40)  # what waits is applied in large pieces
        with stream.running() as replication:
            stream.wait_equal()
            assert _missing(stream, replication.progress().tables) == 0


def _missing(stream: Following, tables: object) -> int:
    assert not [event.message for event in stream.events if event.level == "error"]
    return sum(table.missing for table in tables)  # type: ignore[attr-defined]


def test_unique_values_change_hands_within_a_transaction(route: Route) -> None:
    source = route.source
    deferred = "" if source.settings.type == MYSQL else " DEFERRABLE INITIALLY DEFERRED"
    source.run(
        f"CREATE TABLE seat (id INTEGER PRIMARY KEY, number INTEGER NOT NULL, name VARCHAR(20),"
        f" CONSTRAINT seat_number UNIQUE (number){deferred})",
        f"INSERT INTO seat SELECT seq, seq, CONCAT('n', seq) FROM {source.rows(200)}",
    )
    for end in () if not deferred else (route.target,):
        # A key that waits for the end of the transaction is no such key in MySQL, and is made by hand.
        end.run("CREATE TABLE seat (id INTEGER PRIMARY KEY, number INTEGER NOT NULL, name VARCHAR(20))")
        end.run("CREATE UNIQUE INDEX seat_number ON seat (number)")
    with following(route, cdc(snapshot=SnapshotPolicy.ALWAYS)) as stream, stream.running():
        for low in (1, 5, 50):
            if deferred:
                source.run(
                    "BEGIN", f"UPDATE seat SET number = 201 - number WHERE id BETWEEN {low} AND 201 - {low}", "COMMIT"
                )
            else:
                source.run(
                    "BEGIN",
                    f"UPDATE seat SET number = -number WHERE id BETWEEN {low} AND 201 - {low}",
                    f"UPDATE seat SET number = 201 + number WHERE id BETWEEN {low} AND 201 - {low}",
                    "COMMIT",
                )
            source.run("BEGIN", "DELETE FROM seat WHERE id = 7", "INSERT INTO seat VALUES (7, 9007, 'x')", "COMMIT")
            source.run("BEGIN", "UPDATE seat SET id = id + 1000", "UPDATE seat SET id = id - 1000", "COMMIT")
            stream.wait_equal()
            source.run("BEGIN", "UPDATE seat SET number = -id", "UPDATE seat SET number = -number", "COMMIT")


def test_rows_without_a_key_are_counted(route: Route) -> None:
    source, generator = route.source, random.Random(3)
    source.run("CREATE TABLE bag (a INTEGER, b VARCHAR(10), c DOUBLE PRECISION)")
    if source.settings.type != MYSQL:
        source.run("ALTER TABLE bag REPLICA IDENTITY FULL")
    source.run("INSERT INTO bag VALUES (1, 'x', 0.1), (1, 'x', 0.1), (NULL, NULL, NULL)")
    with following(route) as stream, stream.running() as replication:
        for _ in range(6):
            made = []
            for _ in range(25):
                a, b = generator.randrange(4), generator.choice("xyXé")
                made += [
                    f"INSERT INTO bag VALUES ({a}, '{b}', {a} / 3.0), ({a}, NULL, 0.1)",
                    f"UPDATE bag SET b = '{b}', c = NULL WHERE a = {generator.randrange(4)} AND b IS NULL",
                ]
            made.append(f"DELETE FROM bag WHERE a = {generator.randrange(4)}")
            _in_transactions(route, generator, made)
            stream.wait_equal()
        assert _missing(stream, replication.progress().tables) == 0


def test_a_change_of_structure_amid_a_transaction_keeps_it_whole(route: Route) -> None:
    source = route.source
    source.run("CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER)", "CREATE TABLE u (id INTEGER PRIMARY KEY)")
    with following(route) as stream, stream.running() as replication:
        for number in range(4):
            low = number * 100
            source.run(
                "BEGIN",
                f"INSERT INTO u VALUES ({low + 1})",
                f"INSERT INTO t (id, v) VALUES ({low + 1}, 1), ({low + 2}, 2)",
                f"ALTER TABLE t ADD COLUMN c{number} INTEGER DEFAULT {number}",
                f"INSERT INTO t (id, v, c{number}) VALUES ({low + 3}, 3, 77)",
                f"UPDATE t SET v = v + 1 WHERE id > {low}",
                f"INSERT INTO u VALUES ({low + 2})",
                "COMMIT",
            )
            if source.settings.type == MYSQL:  # whose log does not name the columns
                stream.wait_equal()
        stream.wait_equal()
        assert [line.outcome for line in replication.schema_changes()] == ["applied"] * 4
        assert _missing(stream, replication.progress().tables) == 0
