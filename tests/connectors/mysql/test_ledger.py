"""The book of a run, and structure by its lines, on a real server."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from mainstem import failpoints
from mainstem.connectors.mysql.inspector import MysqlInspector
from mainstem.connectors.mysql.target import MysqlTarget
from mainstem.contract.target import ChunkRecord
from mainstem.errors import LostConnectionError, StatementError
from mainstem.model.connection import ConnectionSettings
from mainstem.model.frame import Chunk
from mainstem.model.names import TableId
from mainstem.model.plan import Phase, Statement
from mainstem.model.run import RunOptions, RunState
from tests.connectors.mysql.rows import RUN, SOURCE, batch_of, loader_of, plan_of, run_sql

OURS = (
    "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name LIKE 'mainstem%'"
)


def target_of(settings: ConnectionSettings) -> MysqlTarget:
    return MysqlTarget(settings, RunOptions())


def test_the_first_plan_is_kept_however_large(mysql_db: ConnectionSettings) -> None:
    plan = '{"plan": "' + "".join(chr(0x100 + number % 0x4000) for number in range(3_000_000)) + '"}'
    with target_of(mysql_db).ledger(RUN) as ledger:
        assert ledger.known_plan() == ""
        assert ledger.open(plan) == plan
        assert ledger.open("{}") == plan
        assert ledger.known_plan() == plan


def test_chunks_are_known_as_they_were_planned(mysql_db: ConnectionSettings) -> None:
    chunks = [Chunk(SOURCE, 0, None, "'b\\\\'"), Chunk(SOURCE, 1, "'b\\\\'", None, "p0")]
    with target_of(mysql_db).ledger(RUN) as ledger:
        ledger.open("{}")
        assert ledger.chunks(SOURCE) == []
        ledger.plan(SOURCE, chunks)
        assert ledger.chunks(SOURCE) == [ChunkRecord(chunk, done=False) for chunk in chunks]


def test_a_limit_and_notes_are_remembered(mysql_db: ConnectionSettings) -> None:
    run_sql(mysql_db, "CREATE TABLE t (id int PRIMARY KEY)")
    with loader_of(mysql_db) as loader:
        loader.begin(plan_of(mysql_db.database, id="int"), Chunk(SOURCE, 0), quarantine=None)
        loader.write(batch_of((b"1",)))
        loader.commit(1, RunState.TIME_LIMIT_REACHED)
    with target_of(mysql_db).ledger(RUN) as ledger:
        assert [line.limit for line in ledger.chunks(SOURCE)] == [RunState.TIME_LIMIT_REACHED]
        ledger.note("renewed")
        ledger.note("renewed")
        assert ledger.notes() == {"renewed"}


def test_forgetting_empties_the_table_and_its_chunks(mysql_db: ConnectionSettings) -> None:
    run_sql(mysql_db, "CREATE TABLE t (id int PRIMARY KEY)")
    with loader_of(mysql_db) as loader:
        loader.begin(plan_of(mysql_db.database, id="int"), Chunk(SOURCE, 0), quarantine=None)
        loader.write(batch_of((b"1",)))
        loader.commit(1)
    with target_of(mysql_db).ledger(RUN) as ledger:
        ledger.forget(SOURCE, TableId(mysql_db.database, "t"))
        assert ledger.chunks(SOURCE) == []
    assert run_sql(mysql_db, "SELECT COUNT(*) FROM t") == [("0",)]


def test_the_last_run_leaves_nothing_and_the_ledger_is_never_shown(mysql_db: ConnectionSettings) -> None:
    target = target_of(mysql_db)
    with target.ledger(RUN) as ledger, target.ledger("another") as other, MysqlInspector(mysql_db) as inspector:
        ledger.open("{}")
        other.open("{}")
        assert len(run_sql(mysql_db, OURS)) == 4
        assert inspector.tables() == []
        assert inspector.catalog().tables == ()
        other.finish(keep=True)
        other.finish(keep=False)
        assert other.known_plan() == ""
        assert ledger.known_plan() == "{}"
        ledger.finish(keep=False)
        assert ledger.known_plan() == ""
    assert run_sql(mysql_db, OURS) == []


def statement(sql: str, phase: Phase = Phase.TABLES) -> Statement:
    return Statement(phase, sql, "a thing")


STEPS = [
    statement("CREATE TABLE t (id int)"),
    statement("ALTER TABLE t ADD PRIMARY KEY (id)", Phase.KEYS),
    statement("ALTER TABLE t ADD COLUMN v int", Phase.KEYS),
    statement("CREATE UNIQUE INDEX u ON t (v)", Phase.KEYS),
    statement("ALTER TABLE t ADD CONSTRAINT positive CHECK (v > 0)", Phase.KEYS),
    statement("ALTER TABLE t ADD CONSTRAINT itself FOREIGN KEY (v) REFERENCES t (id)", Phase.FOREIGN_KEYS),
    statement("CREATE SEQUENCE s", Phase.SEQUENCES),
    statement("CREATE VIEW w AS SELECT * FROM t", Phase.VIEWS),
    statement("CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET @x = 1", Phase.VIEWS),
    statement("ANALYZE TABLE t", Phase.ANALYZE),
    statement("DROP VIEW w", Phase.VIEWS),
    statement("ALTER TABLE t DROP FOREIGN KEY itself", Phase.VIEWS),
    statement("DROP INDEX u ON t", Phase.VIEWS),
    statement("DROP TABLE t", Phase.VIEWS),
]


@pytest.mark.parametrize("place", ["builder.begun", "builder.ran", "builder.done"])
def test_a_step_that_was_broken_off_is_done_by_the_next_start(
    mysql_db: ConnectionSettings, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = target_of(mysql_db)
    with target.ledger(RUN) as ledger:
        ledger.open("{}")
    for step in STEPS:
        monkeypatch.setattr(failpoints, "_points", {place: ("error", 1)})
        monkeypatch.setattr(failpoints, "_passes", {})
        with target.builder(RUN) as builder, suppress(LostConnectionError):
            builder.apply(step)
        monkeypatch.setattr(failpoints, "_points", {})
        with target.builder(RUN) as builder:
            builder.apply(step)
            builder.apply(step)
    undone = run_sql(mysql_db, "SELECT COUNT(*), SUM(done IS NULL) FROM mainstem_step")
    assert undone == [(str(len(STEPS)), "0")]


def test_a_refused_step_leaves_no_line_and_is_refused_again(mysql_db: ConnectionSettings) -> None:
    run_sql(mysql_db, "CREATE TABLE t (id int)", "INSERT INTO t VALUES (1), (1)")
    target = target_of(mysql_db)
    with target.ledger(RUN) as ledger, target.builder(RUN) as builder:
        ledger.open("{}")
        for sql, says in (
            ("ALTER TABLE t ADD PRIMARY KEY (id)", "a key that another row has already"),
            ("CREATE TABLE t (id int)", "refused"),
            ("DROP TABLE nothing", "Unknown table"),
        ):
            for _ in range(2):
                with pytest.raises(StatementError, match=says):
                    builder.apply(statement(sql, Phase.KEYS))
    assert run_sql(mysql_db, "SELECT COUNT(*) FROM mainstem_step") == [("0",)]


def test_a_foreign_key_without_parents_is_refused(mysql_db: ConnectionSettings) -> None:
    run_sql(mysql_db, "CREATE TABLE p (id int PRIMARY KEY)", "CREATE TABLE t (p int)", "INSERT INTO t VALUES (1)")
    target = target_of(mysql_db)
    with target.ledger(RUN) as ledger, target.builder(RUN) as builder:
        ledger.open("{}")
        builder.apply(
            statement("CREATE TABLE q (id int PRIMARY KEY, CONSTRAINT f FOREIGN KEY (id) REFERENCES later (id))")
        )
        with pytest.raises(StatementError, match="a reference to a row that is not there"):
            builder.apply(statement("ALTER TABLE t ADD FOREIGN KEY (p) REFERENCES p (id)", Phase.FOREIGN_KEYS))


def made_with_children(settings: ConnectionSettings) -> Callable[[str], TableId]:
    run_sql(
        settings,
        "CREATE TABLE p (id int PRIMARY KEY)",
        "CREATE TABLE t (id int PRIMARY KEY, FOREIGN KEY (id) REFERENCES p (id))",
        "INSERT INTO p VALUES (1)", "INSERT INTO t VALUES (1)",
    )  # fmt: skip
    return lambda name: TableId(settings.database, name)


def test_tables_are_emptied_once_with_their_foreign_keys(mysql_db: ConnectionSettings) -> None:
    table, target = made_with_children(mysql_db), target_of(mysql_db)
    with target.ledger(RUN) as ledger, target.builder(RUN) as builder:
        ledger.open("{}")
        builder.truncate([table("p"), table("t")])
        assert [builder.count(table(name)) for name in "pt"] == [0, 0]
        run_sql(mysql_db, "INSERT INTO p VALUES (2)")
        builder.truncate([table("p"), table("t")])
        assert builder.count(table("p")) == 1


def test_a_table_that_others_refer_to_is_not_emptied(mysql_db: ConnectionSettings) -> None:
    table, target = made_with_children(mysql_db), target_of(mysql_db)
    with target.ledger(RUN) as ledger, target.builder(RUN) as builder:
        ledger.open("{}")
        with pytest.raises(StatementError, match=r"refer to those that would be emptied: t_\w+\.t"):
            builder.truncate([table("p")])
        assert builder.count(table("p")) == 1
