"""A copy and every change after it, between real servers, in every direction."""

from __future__ import annotations

import pytest

from mainstem.model.run import RunState, SnapshotPolicy, TableState
from tests.e2e.routes import CROSSING, MYSQL, Route
from tests.e2e.streams import cdc, ended_by_request, following

CROSS = pytest.mark.parametrize("route", CROSSING, indirect=True, ids="-".join)


def _fill(route: Route) -> None:
    source, words = route.source, route.source.words
    source.run(
        f"CREATE TABLE parents (id BIGINT PRIMARY KEY, name VARCHAR(40) NOT NULL, body {words['text']})",
        "CREATE TABLE children (id BIGINT PRIMARY KEY, parent BIGINT REFERENCES parents (id), amount DECIMAL(10,2))",
        f"CREATE TABLE notes (body VARCHAR(40), at {words['time']})",
        f"INSERT INTO parents SELECT seq, CONCAT('Ünï-', seq), NULL FROM {source.rows(2000)}",
        f"INSERT INTO children SELECT seq, seq, seq / 4.0 FROM {source.rows(2000)}",
    )
    if source.settings.type != MYSQL:
        source.run("ALTER TABLE notes REPLICA IDENTITY FULL")


def _change(route: Route, number: int) -> None:
    base = 10_000 * number
    route.source.run(
        f"INSERT INTO parents VALUES ({base + 1}, 'new', 'text'), ({base + 2}, 'new', NULL)",
        f"INSERT INTO children VALUES ({base + 1}, {base + 1}, 1.5)",
        f"UPDATE parents SET body = 'changed {number}' WHERE id BETWEEN {number * 10} AND {number * 10 + 5}",
        f"UPDATE children SET id = id + 5000000 WHERE id = {100 + number}",
        f"DELETE FROM children WHERE id BETWEEN {200 + number * 10} AND {205 + number * 10}",
        f"INSERT INTO notes VALUES ('n{number}', '2024-02-29 12:13:14.5'), ('twice', NULL), ('twice', NULL)",
        "UPDATE notes SET body = 'once' WHERE body = 'n1'",
    )


def test_a_copy_and_every_change_after_it_arrive(route: Route) -> None:
    _fill(route)
    with following(route) as stream:
        with stream.running() as replication:
            _change(route, 1)
            stream.wait_equal()
            states = {table.state for table in replication.progress().tables}
            assert states == {TableState.STREAMING}
        assert ended_by_request(stream)
        _change(route, 2)  # nobody listens
        with stream.running():
            _change(route, 3)
            stream.wait_equal()
            progress = replication.progress()
        assert ended_by_request(stream)
        assert progress.state is RunState.STOPPED
        assert sum(table.missing for table in progress.tables) == 0
        assert [event.message for event in stream.events if event.level == "error"] == []


@CROSS
@pytest.mark.parametrize("snapshot", ["auto", "always", "never"])
def test_tables_are_copied_first_by_policy(route: Route, snapshot: str) -> None:
    for end in (route.source, route.target):
        end.run("CREATE TABLE kept (id BIGINT PRIMARY KEY, v VARCHAR(10))")
        end.run("CREATE TABLE bare (id BIGINT PRIMARY KEY, v VARCHAR(10))")
    route.source.run("CREATE TABLE made (id BIGINT PRIMARY KEY, v VARCHAR(10))")
    for table in ("kept", "bare", "made"):
        route.source.run(f"INSERT INTO {table} VALUES (1, 'source'), (2, 'source')")
    route.target.run("INSERT INTO kept VALUES (1, 'target')")
    with following(route, cdc(snapshot=SnapshotPolicy(snapshot))) as stream, stream.running():
        for table in ("kept", "bare", "made"):
            route.source.run(f"INSERT INTO {table} VALUES (3, 'later')")
        wait = "SELECT COUNT(*) FROM (SELECT id FROM {} WHERE id = 3) AS t"
        for table in ("kept", "bare", "made"):
            stream.wait_rows(wait.format(table), [(1,)])
        counts = [route.target.run(f"SELECT COUNT(*) FROM {table}")[0][0] for table in ("kept", "bare", "made")]
    assert counts == {"auto": [2, 3, 3], "always": [3, 3, 3], "never": [2, 1, 1]}[snapshot]
