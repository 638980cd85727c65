"""Rows go into tables whose foreign keys the target has already, whichever table comes first at the source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from mainstem.model.connection import ConnectionSettings
from mainstem.model.run import RunOptions, RunState, SchemaPolicy, WriteMode
from tests.e2e.routes import CROSSING, POSTGRES, End, Route

# The children are larger than their parents, which would otherwise put them first.
TABLES = (
    "CREATE TABLE houses (id BIGINT PRIMARY KEY, name VARCHAR(20))",
    "CREATE TABLE rooms (id BIGINT PRIMARY KEY, house BIGINT NOT NULL, name VARCHAR(20))",
    "CREATE TABLE chairs (id BIGINT PRIMARY KEY, room BIGINT NOT NULL, beside BIGINT, name VARCHAR(20))",
    "CREATE TABLE eggs (id BIGINT PRIMARY KEY, of BIGINT)",
    "CREATE TABLE hens (id BIGINT PRIMARY KEY, of BIGINT, chair BIGINT)",
)
KEYS = (
    "ALTER TABLE rooms ADD CONSTRAINT in_house FOREIGN KEY (house) REFERENCES houses (id)",
    "ALTER TABLE chairs ADD CONSTRAINT in_room FOREIGN KEY (room) REFERENCES rooms (id)",
    "ALTER TABLE chairs ADD CONSTRAINT beside_chair FOREIGN KEY (beside) REFERENCES chairs (id)",
    "ALTER TABLE hens ADD CONSTRAINT on_chair FOREIGN KEY (chair) REFERENCES chairs (id)",
)
CIRCLE = (
    "ALTER TABLE eggs ADD CONSTRAINT laid_by FOREIGN KEY (of) REFERENCES hens (id)",
    "ALTER TABLE hens ADD CONSTRAINT hatched_from FOREIGN KEY (of) REFERENCES eggs (id)",
)
INTO_THERE = RunOptions(schema_policy=SchemaPolicy.VALIDATE, write_mode=WriteMode.APPEND, jobs=2)


def _filled(end: End) -> None:
    """So that a table has several chunks, and every row's parent comes behind it."""
    end.run(
        *TABLES,
        f"INSERT INTO houses SELECT seq, 'a house' FROM {end.rows(50)}",
        f"INSERT INTO rooms SELECT seq, 51 - (seq + 49) / 50, 'a room' FROM {end.rows(2500)}"
        if end.settings.type == POSTGRES
        else f"INSERT INTO rooms SELECT seq, 51 - (seq + 49) DIV 50, 'a room' FROM {end.rows(2500)}",
        f"INSERT INTO chairs SELECT seq, seq % 2500 + 1, 40001 - seq, 'a chair' FROM {end.rows(40000)}",
        f"INSERT INTO eggs SELECT seq, 301 - seq FROM {end.rows(300)}",
        f"INSERT INTO hens SELECT seq, seq, seq FROM {end.rows(300)}",
    )
    for table in ("houses", "rooms", "chairs", "eggs", "hens"):
        end.analyze(table)


@pytest.mark.parametrize("route", CROSSING, indirect=True, ids="-".join)
def test_parents_are_written_before_their_children(route: Route) -> None:
    _filled(route.source)
    route.target.run(*TABLES, *KEYS, *CIRCLE)
    for mode in (WriteMode.APPEND, WriteMode.TRUNCATE, WriteMode.UPSERT):
        route.copy(replace(INTO_THERE, write_mode=mode))


@pytest.mark.parametrize("route", CROSSING, indirect=True, ids="-".join)
def test_a_key_that_cannot_be_kept_while_rows_are_written_is_checked_afterwards(route: Route) -> None:
    """Chairs are written unchecked, since they refer to each other; their rooms are checked all the same."""
    _filled(route.source)
    route.source.run("UPDATE chairs SET beside = 77777 WHERE id = 20000")
    route.target.run(*TABLES, *KEYS)
    progress = route.conversion(INTO_THERE).run()
    assert progress.state is RunState.FAILED
    assert "chairs.beside_chair" in progress.error
    assert "in_room" not in progress.error
    told = [item.object.rpartition(".")[2] for item in progress.report if item.code == "foreign_key_broken"]
    assert told == ["beside_chair"]
    assert route.target.run("SELECT count(*) FROM chairs") == [(40000,)]


@pytest.fixture
def guest(postgres_db: ConnectionSettings) -> Iterator[ConnectionSettings]:
    """A login to a PostgreSQL database of its own, which may not switch triggers off."""
    admin, name = End(postgres_db), f"guest_{postgres_db.database}"
    admin.run(f"CREATE ROLE {name} LOGIN PASSWORD 'guest'", f"ALTER DATABASE {postgres_db.database} OWNER TO {name}",
              "GRANT ALL ON SCHEMA public TO PUBLIC")  # fmt: skip
    yield replace(postgres_db, username=name, password="guest")
    admin.run(f"REASSIGN OWNED BY {name} TO postgres", f"DROP OWNED BY {name}", f"DROP ROLE {name}")


def test_without_the_right_to_skip_checks_what_can_be_ordered_is_and_a_circle_is_refused(
    mysql_db: ConnectionSettings, guest: ConnectionSettings
) -> None:
    route = Route(End(mysql_db), End(guest))
    _filled(route.source)
    route.target.run(*TABLES, *KEYS)
    route.copy(INTO_THERE)
    route.target.run(*CIRCLE)
    progress = route.conversion(replace(INTO_THERE, write_mode=WriteMode.TRUNCATE)).run()
    assert progress.state is RunState.FAILED
    assert progress.error_code == "plan"
    assert "eggs.laid_by" in progress.error
    assert "hens.hatched_from" in progress.error
    assert "session_replication_role" in progress.remedy
    assert route.target.run("SELECT count(*) FROM hens") == [(300,)]


def test_triggers_that_are_switched_off_with_the_keys_are_told_of(
    mysql_db: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    route = Route(End(mysql_db), End(postgres_db))
    _filled(route.source)
    route.target.run(
        *TABLES, *KEYS,
        "CREATE FUNCTION less() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.name = NULL; RETURN NEW; END'",
        "CREATE TRIGGER emptied BEFORE INSERT ON chairs FOR EACH ROW EXECUTE FUNCTION less()",
    )  # fmt: skip
    progress = route.copy(INTO_THERE)
    assert [item.object.rpartition(".")[2] for item in progress.report if item.code == "trigger_skipped"] == ["emptied"]
