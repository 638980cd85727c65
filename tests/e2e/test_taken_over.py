"""Several processes believe that a stream is theirs: the last one has it, and each change is there once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from mainstem import failpoints
from mainstem.engine.replication import Replication
from mainstem.errors import TakenOverError
from mainstem.model.run import RunOptions
from tests.e2e.routes import CROSSING, MYSQL, POSTGRES, Route
from tests.e2e.streams import Following, cdc, following, wait_until


@dataclass
class Holder:
    """A run with a token, in a thread, that nobody stops."""

    stream: Following
    token: int
    options: RunOptions
    run: Replication = field(init=False)
    outcome: list[object] = field(default_factory=list)

    def __post_init__(self) -> None:
        own = Following(self.stream.route, replace(self.options, token=self.token), self.stream.stream_id)
        own.events = self.stream.events
        self.run = own.replication()
        self.thread = threading.Thread(target=self._work, daemon=True)
        self.thread.start()

    def _work(self) -> None:
        try:
            self.outcome.append(self.run.run())
        except TakenOverError as exc:
            self.outcome.append(exc)

    def wait(self, condition: Callable[[Holder], bool]) -> None:
        wait_until(lambda: bool(self.outcome) or condition(self), lambda: self.stream.said()[-10:])
        assert self.outcome == []

    def wait_taken_over(self) -> None:
        wait_until(lambda: bool(self.outcome), lambda: self.stream.said()[-10:])
        assert isinstance(self.outcome[0], TakenOverError)


def copies(holder: Holder) -> bool:
    return any(table.rows_written for table in holder.run.progress().tables)


def streams(holder: Holder) -> bool:
    return holder.run.progress().stage == "streaming"


@pytest.mark.parametrize("route", CROSSING, indirect=True, ids="-".join)
def test_a_stream_goes_over_from_process_to_process_and_each_change_is_there_once(route: Route) -> None:
    source = route.source
    source.run(
        "CREATE TABLE items (id BIGINT PRIMARY KEY, name VARCHAR(40))",
        "CREATE TABLE notes (n INT)",  # without a key: what is applied twice is there twice
        f"INSERT INTO items SELECT seq, CONCAT('item ', seq) FROM {source.rows(5_000)}",
        f"INSERT INTO notes SELECT seq FROM {source.rows(100)}",
    )
    if source.settings.type != MYSQL:
        source.run("ALTER TABLE notes REPLICA IDENTITY FULL")
    with following(route) as stream:
        holders = [Holder(stream, 1, cdc())]
        holders[-1].wait(copies)
        for token, options in enumerate((cdc(), cdc(partitions=2), cdc(partitions=2), cdc()), 2):
            holders.append(Holder(stream, token, options))
            source.run(
                f"INSERT INTO notes SELECT seq + {token}000 FROM {source.rows(50)}",
                f"UPDATE items SET name = 'by {token}' WHERE id % 100 = {token}",
                f"DELETE FROM notes WHERE n BETWEEN {token}010 AND {token}019",
            )
            holders[-1].wait(streams)
            source.run(f"INSERT INTO notes VALUES (-{token})")  # who has nothing to apply does not notice
            holders[-2].wait_taken_over()
        source.run("INSERT INTO notes VALUES (-1), (-1)")
        stream.wait_equal()
        holders[-1].run.stop()
        holders[-1].thread.join(120)
        assert len(holders[-1].outcome) == 1
        assert [event.message for event in stream.events if event.level == "error"] == []


@pytest.mark.parametrize("route", [(POSTGRES, MYSQL)], indirect=True, ids="-".join)
def test_who_is_late_to_have_the_log_kept_leaves_what_the_next_one_has_kept(
    route: Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first process stands still just before it makes its slot, and goes on once the next one copies."""
    late, made, go_on = threading.Event(), threading.Event(), threading.Event()

    def hit(name: str) -> None:
        if name == "handover.planned" and not late.is_set():
            late.set()
            assert made.wait(120)
        elif name == "handover.created":
            made.set()
            assert go_on.wait(120)

    monkeypatch.setattr(failpoints, "hit", hit)
    route.source.run("CREATE TABLE items (id INT PRIMARY KEY)", "INSERT INTO items VALUES (1), (2)")
    with following(route) as stream:
        first = Holder(stream, 1, cdc())
        assert late.wait(120)
        second = Holder(stream, 2, cdc())
        wait_until(lambda: bool(first.outcome))  # refused, or its connection was ended
        go_on.set()
        second.wait(streams)
        route.source.run("INSERT INTO items VALUES (3)")
        stream.wait_equal()
        second.run.stop()
        second.thread.join(120)
