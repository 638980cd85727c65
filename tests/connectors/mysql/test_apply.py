"""Changes into a real server: what each of them does, whatever comes with it."""

from __future__ import annotations

import pytest

from mainstem.model.connection import ConnectionSettings
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
from tests.connectors.mysql.rows import plan_of, run_sql

MANY = 40  # more than are written one by one
CASES: dict[str, tuple[list[Event], list[tuple[str, str]], int]] = {
    "an insert": ([inserted(b"9", b"i")], [("1", "a"), ("2", "b"), ("3", "c"), ("9", "i")], 0),
    "an update": ([updated([b"2"], b"2", b"B")], [("1", "a"), ("2", "B"), ("3", "c")], 0),
    "a delete": ([deleted(b"2")], [("1", "a"), ("3", "c")], 0),
    "a key change": ([updated([b"2"], b"7", b"b")], [("1", "a"), ("3", "c"), ("7", "b")], 0),
    "a key change with an absent cell": ([updated([b"2"], b"7", ABSENT)], [("1", "a"), ("3", "c"), ("7", "b")], 0),
    "an absent cell": ([updated([b"2"], b"2", ABSENT)], [("1", "a"), ("2", "b"), ("3", "c")], 0),
    "keys that are swapped": (
        [updated([b"1"], b"0", b"a"), updated([b"2"], b"1", b"b"), updated([b"0"], b"2", b"a")],
        [("1", "b"), ("2", "a"), ("3", "c")],
        0,
    ),
    "a row that comes and goes": ([inserted(b"9", b"i"), deleted(b"9")], [("1", "a"), ("2", "b"), ("3", "c")], 0),
    "a row that goes and comes": ([deleted(b"1"), inserted(b"1", b"n")], [("1", "n"), ("2", "b"), ("3", "c")], 0),
    "an insert of a row that is there": ([inserted(b"1", b"n")], [("1", "n"), ("2", "b"), ("3", "c")], 0),
    "an update of a row that is not there": (
        [updated([b"8"], b"8", b"n")],
        [("1", "a"), ("2", "b"), ("3", "c"), ("8", "n")],
        1,
    ),
    "an update with an absent cell of a row that is not there": (
        [updated([b"8"], b"8", ABSENT)],
        [("1", "a"), ("2", "b"), ("3", "c")],
        1,
    ),
    "a delete of a row that is not there": ([deleted(b"8")], [("1", "a"), ("2", "b"), ("3", "c")], 1),
}


@pytest.mark.parametrize("with_many", [False, True], ids=["few", "many"])
@pytest.mark.parametrize("files", [True, False], ids=["load", "insert"])
def test_each_change_leaves_its_row_as_the_source_has_it(
    mysql_db: ConnectionSettings, files: bool, with_many: bool
) -> None:
    plan = plan_of(mysql_db.database, id="int", v="varchar(9)")
    more = [inserted(b"%d" % (100 + number), b"m") for number in range(MANY if with_many else 0)]
    run_sql(mysql_db, "CREATE TABLE t (id int PRIMARY KEY, v varchar(9) NOT NULL)")
    wrong = []
    with applier_of(mysql_db) as applier:
        applier._sender.takes_files = files
        for number, (name, (events, expected, missing)) in enumerate(CASES.items()):
            run_sql(mysql_db, "DELETE FROM t", "INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')")
            applier.begin()
            applied = applier.apply([changes_of(plan, *events, *more)], tables_of(streamed(plan)))
            applier.commit(Checkpoint(str(number)))
            rows = run_sql(mysql_db, "SELECT id, v FROM t WHERE id < 100 ORDER BY id")
            count = run_sql(mysql_db, "SELECT COUNT(*) FROM t WHERE id >= 100")
            if (rows, applied.missing.get(plan.source, 0), count) != (expected, missing, [(str(len(more)),)]):
                wrong.append((name, rows, applied.missing, count))
    assert wrong == []
