"""Tables that are emptied or altered at the source between the plan of their copy, its snapshot, and its reading."""

from __future__ import annotations

from collections import deque

import pytest

from mainstem.engine.replication import Replication
from mainstem.model.event import Event
from mainstem.model.run import TableState
from tests.e2e.routes import CROSSING, ROUTES, Route
from tests.e2e.streams import Following, following, wait_until

# What a run says just then.
PLANNED, SNAPSHOT, COPIED_ANEW = "are copied first", "snapshot with", "are deleted, and copied anew"
ADDED = ("ALTER TABLE t ADD COLUMN n INT", "UPDATE t SET n = id")
FILLED = ("TRUNCATE TABLE t", "INSERT INTO t (id) VALUES (10)")
Meddling = list[tuple[str, tuple[str, ...]]]
AT_FIRST: dict[str, Meddling] = {
    "emptied": [(SNAPSHOT, ("TRUNCATE TABLE t",))],
    "emptied twice": [
        (SNAPSHOT, FILLED),
        (SNAPSHOT, ("INSERT INTO t (id) VALUES (20)", "TRUNCATE TABLE t", "INSERT INTO t (id) VALUES (21)")),
    ],
    "altered behind the snapshot": [(SNAPSHOT, ADDED)],
    "altered before the snapshot": [(PLANNED, ADDED)],
    "altered and emptied": [(SNAPSHOT, (*FILLED, *ADDED))],
    "altered, and another dropped": [(SNAPSHOT, (*ADDED, "DROP TABLE gone"))],
}
LATER: dict[str, Meddling] = {
    "altered behind its plan": [(COPIED_ANEW, ADDED)],
    "altered twice": [(COPIED_ANEW, ADDED), (COPIED_ANEW, ("ALTER TABLE t ADD COLUMN m INT", "UPDATE t SET m = 7"))],
}


def meddle(
    stream: Following, meddling: Meddling, monkeypatch: pytest.MonkeyPatch
) -> deque[tuple[str, tuple[str, ...]]]:
    """Have the source written to whenever the run says what is waited for; returns what was not done yet."""
    left, listen = deque(meddling), stream.listen

    def heard(event: Event) -> None:
        listen(event)
        if left and left[0][0] in event.message:
            stream.route.source.run(*left.popleft()[1])

    monkeypatch.setattr(stream, "listen", heard)
    return left


def wait_until_all_stream(stream: Following, replication: Replication) -> None:
    def ready() -> bool:
        tables = {table.source.name: table.state for table in replication.progress().tables}
        return tables["t"] is tables["calm"] is TableState.STREAMING

    wait_until(ready, stream.said)


def make(route: Route) -> None:
    for table in ("t", "calm", "gone"):
        route.source.run(f"CREATE TABLE {table} (id INT PRIMARY KEY)", f"INSERT INTO {table} VALUES (1), (2)")


# Every way on the routes that cross; between systems of one kind, one that has something of all of them.
AMONG_EQUALS = "altered and emptied"
CASES = [
    pytest.param(route, meddling, id=f"{'-'.join(route)}-{name}")
    for route in ROUTES
    for name, meddling in AT_FIRST.items()
    if route in CROSSING or name == AMONG_EQUALS
]


@pytest.mark.parametrize(("route", "meddling"), CASES, indirect=["route"])
def test_a_table_that_changes_while_its_copy_begins_arrives_as_it_is(
    route: Route, meddling: Meddling, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(route)
    with following(route) as stream:
        left = meddle(stream, meddling, monkeypatch)
        with stream.running() as replication:
            route.source.run("INSERT INTO t (id) VALUES (11)", "INSERT INTO calm VALUES (3)")
            wait_until_all_stream(stream, replication)
            stream.wait_equal()
    assert not left


@pytest.mark.parametrize("route", CROSSING, indirect=True, ids="-".join)
@pytest.mark.parametrize("meddling", LATER.values(), ids=LATER)
def test_a_table_that_changes_while_it_is_copied_anew_arrives_as_it_is(
    route: Route, meddling: Meddling, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(route)
    with following(route) as stream:
        left = meddle(stream, meddling, monkeypatch)
        with stream.running() as replication:
            replication.resync(["t"])
            wait_until(lambda: not left, stream.said)
            route.source.run("INSERT INTO t (id) VALUES (11)", "INSERT INTO calm VALUES (3)")
            wait_until_all_stream(stream, replication)
            stream.wait_equal()
