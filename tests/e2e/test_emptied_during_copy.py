"""Tables that are emptied or altered at the source behind the snapshot of their first copy, before they are read."""

from __future__ import annotations

from collections import deque

import pytest

from mainstem.model.event import Event
from mainstem.model.run import TableState
from tests.e2e.routes import Route
from tests.e2e.streams import following

FILLED = ("TRUNCATE TABLE t", "INSERT INTO t (id) VALUES (10)")
# What is done behind the first snapshot, and behind the next.
MEDDLING = {
    "emptied": [("TRUNCATE TABLE t",)],
    "emptied twice": [FILLED, ("INSERT INTO t (id) VALUES (20)", "TRUNCATE TABLE t", "INSERT INTO t (id) VALUES (21)")],
    "altered": [("ALTER TABLE t ADD COLUMN n INT", "INSERT INTO t (id, n) VALUES (10, 10)")],
    "altered and emptied": [("ALTER TABLE t ADD COLUMN n INT", *FILLED)],
}


@pytest.mark.parametrize("meddling", MEDDLING.values(), ids=MEDDLING)
def test_a_table_that_changes_behind_its_snapshot_is_copied_from_a_later_one(
    route: Route, meddling: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, left = route.source, deque(meddling)
    for table in ("t", "calm"):
        source.run(f"CREATE TABLE {table} (id INT PRIMARY KEY)", f"INSERT INTO {table} VALUES (1), (2)")
    with following(route) as stream:
        listen = stream.listen

        def meddle(event: Event) -> None:
            listen(event)
            if event.message.startswith("snapshot with") and left:
                source.run(*left.popleft())

        monkeypatch.setattr(stream, "listen", meddle)
        with stream.running() as replication:
            source.run("INSERT INTO t (id) VALUES (11)", "INSERT INTO calm VALUES (3)")
            stream.wait_equal()
            states = {table.source.name: table.state for table in replication.progress().tables}
    assert states == {"t": TableState.STREAMING, "calm": TableState.STREAMING}
    assert not left
