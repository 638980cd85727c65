"""Streams of mode cdc in the control plane, with a stand-in for the engine's run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mainstem.contract.store import StreamRecord
from mainstem.control import alerts, supervisor
from mainstem.control.clock import now_us
from mainstem.control.configs import Configs
from mainstem.control.records import START_ANEW
from mainstem.control.states import StateConflict
from mainstem.control.supervisor import HOLDS_LOG, TO_GO_ON
from mainstem.engine.endpoint import Endpoint
from mainstem.errors import ConflictError, InvalidError, NotFoundError, StatementError
from mainstem.model.alert import Alert, AlertKind
from mainstem.model.event import Category, Event, Level
from mainstem.model.ids import STREAM, new_id
from mainstem.model.run import RunOptions, RunState
from mainstem.store.sql import SqlStore
from tests.control.planes import Plane
from tests.control.replica import LETTER, RECORD, Replica

WaitUntil = Callable[[Callable[[], bool]], None]


def begin(plane: Plane, source_id: str, target_id: str, **more: Any) -> Replica:
    return plane.begin(plane.configs.create({"source": source_id, "target": target_id, "mode": "cdc", **more}))


@pytest.fixture
def plane(store: SqlStore, configs: Configs) -> Iterator[Plane]:
    plane = Plane(store, configs)
    yield plane
    plane.supervisor.close(5)


@pytest.fixture
def released(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids of streams whose source was told to keep nothing more."""
    found: list[str] = []

    def release(_source: Endpoint, _target: Endpoint, _options: RunOptions, stream_id: str) -> None:
        found.append(stream_id)

    monkeypatch.setattr(supervisor, "release", release)
    monkeypatch.setattr("mainstem.control.streams.close_stream", release)
    return found


@pytest.fixture
def run(plane: Plane, source_id: str, target_id: str, released: list[str]) -> Replica:
    return begin(plane, source_id, target_id)


def test_a_paused_stream_says_that_its_source_keeps_log(plane: Plane, run: Replica, released: list[str]) -> None:
    assert plane.streams.pause(run.run_id).message == HOLDS_LOG
    assert plane.streams.resume(run.run_id).state is RunState.RUNNING
    assert (run.asked, released) == (["pause", "resume"], [])


@pytest.mark.parametrize("state", [RunState.TIME_LIMIT_REACHED, RunState.EVENT_LIMIT_REACHED, RunState.STOPPED])
def test_what_is_over_for_good_leaves_nothing_at_its_source(
    plane: Plane, run: Replica, released: list[str], state: RunState, wait_until: WaitUntil
) -> None:
    run.end(state) if state is not RunState.STOPPED else plane.streams.stop(run.run_id)
    wait_until(lambda: released == [run.run_id])
    assert plane.state(run) is state


def test_what_failed_keeps_what_it_needs_to_go_on(
    plane: Plane, run: Replica, released: list[str], wait_until: WaitUntil
) -> None:
    run.end(RunState.FAILED, "the log does not reach back")
    wait_until(lambda: plane.supervisor.replication(run.run_id) is None)
    record = plane.streams.get(run.run_id)
    assert (record.state, record.error_code, record.remedy) == (RunState.FAILED, "position_lost", START_ANEW)
    assert plane.streams.resume(run.run_id).state is RunState.RUNNING
    assert (plane.runs[run.run_id].begun, released) == (True, [])


def test_a_source_that_does_not_let_go_is_told(
    plane: Plane, run: Replica, monkeypatch: pytest.MonkeyPatch, wait_until: WaitUntil
) -> None:
    def release(*_: object) -> None:
        raise StatementError("the slot is in use")

    monkeypatch.setattr(supervisor, "release", release)
    assert plane.streams.stop(run.run_id).state is RunState.STOPPED
    wait_until(lambda: any("could not be taken away: the slot is in use" in line for line in plane.log(run)))


def test_what_ran_when_the_server_ended_goes_on_by_itself(
    plane: Plane, run: Replica, released: list[str], wait_until: WaitUntil
) -> None:
    plane.supervisor.close(10)
    record = plane.streams.get(run.run_id)
    assert (record.state, record.message, released) == (RunState.PAUSED, TO_GO_ON, [])
    after = Plane(plane.store, plane.configs)
    after.supervisor.start()
    after.streams.go_on()
    assert after.state(run) is RunState.RUNNING
    assert after.runs[run.run_id].begun
    after.supervisor.close(10)


def test_what_ran_when_the_server_was_killed_goes_on_too(plane: Plane, run: Replica) -> None:
    plane.supervisor._save_progress()
    after = Plane(plane.store, plane.configs)  # as a new process sees it: nobody has written down an end
    after.supervisor.start()
    after.streams.go_on()
    assert after.state(run) is RunState.RUNNING
    after.supervisor.close(10)


def test_what_was_paused_on_request_stays_paused(plane: Plane, run: Replica, released: list[str]) -> None:
    plane.streams.pause(run.run_id)
    plane.supervisor.close(10)
    after = Plane(plane.store, plane.configs)
    after.supervisor.start()
    after.streams.go_on()
    assert (after.state(run), after.runs) == (RunState.PAUSED, {})
    assert after.streams.stop(run.run_id).state is RunState.STOPPED
    assert released == [run.run_id]
    after.supervisor.close(10)


def test_deleting_takes_away_what_is_left_or_says_why_not(
    plane: Plane, run: Replica, released: list[str], monkeypatch: pytest.MonkeyPatch, wait_until: WaitUntil
) -> None:
    config = plane.streams.get(run.run_id).config_id
    with pytest.raises(ConflictError, match="is RUNNING"):
        plane.streams.forget(config, [run.run_id])
    run.end(RunState.FAILED, "x")
    wait_until(lambda: plane.supervisor.replication(run.run_id) is None)

    def refuse(*_: object) -> None:
        raise StatementError("the slot is in use")

    with monkeypatch.context() as patch:
        patch.setattr("mainstem.control.streams.close_stream", refuse)
        with pytest.raises(ConflictError, match="the slot is in use"):
            plane.streams.forget(config, [run.run_id])
    assert plane.streams.forget(config, [run.run_id]) == 1
    assert released == [run.run_id]


def test_commands_reach_the_run(plane: Plane, run: Replica) -> None:
    calls = plane.replications
    assert calls.cutover(run.run_id, 9, 1).safe
    calls.resync(run.run_id, ["orders"])
    with pytest.raises(NotFoundError):
        calls.resync(run.run_id, ["nothing"])
    assert calls.replay(run.run_id, [3]) == (1, 0)
    assert (calls.letters(run.run_id, 10), calls.schema_changes(run.run_id, 10)) == ([LETTER], [RECORD])
    with pytest.raises(InvalidError):
        calls.discard(run.run_id, [])
    assert run.asked == ["cutover 9 1", "resync", "replay [3]"]
    assert any(line.startswith("cut-over: it is safe to switch") for line in plane.log(run))


def test_commands_need_a_stream_of_mode_cdc_that_runs(
    plane: Plane, run: Replica, source_id: str, target_id: str, released: list[str]
) -> None:
    plane.streams.stop(run.run_id)
    with pytest.raises(StateConflict, match="it must run for this"):
        plane.replications.cutover(run.run_id, 9, 1)
    config = plane.configs.create({"source": source_id, "target": target_id, "mode": "convert"})
    record = StreamRecord(
        new_id(STREAM), now_us(), config.id, "c", "convert", source_id, target_id, config.body, RunState.FINISHED
    )
    plane.store.add_stream(record)
    with pytest.raises(StateConflict, match="mode convert"):
        plane.replications.letters(record.id, 10)


def test_alerts_go_to_the_log_and_to_the_webhook_of_the_config(
    plane: Plane, source_id: str, target_id: str, monkeypatch: pytest.MonkeyPatch, released: list[str]
) -> None:
    sent: list[alerts.Letter] = []
    monkeypatch.setattr(alerts.AlertSender, "send", lambda _self, letter: sent.append(letter))
    event = Event(Level.WARN, Category.ALERT, "behind", now_us(), "target", {"alert": "lag", "over": False})
    quiet = begin(plane, source_id, target_id)
    loud = begin(plane, source_id, target_id, alertUrl="https://hooks.example.com/x")
    for run in (quiet, loud):
        run.listen(event)
        assert "behind" in plane.log(run)
    assert [(letter.stream_id, letter.url) for letter in sent] == [(loud.run_id, "https://hooks.example.com/x")]


def test_a_later_run_knows_which_alerts_are_not_over(
    plane: Plane, run: Replica, released: list[str], wait_until: WaitUntil
) -> None:
    run.told = [Alert(AlertKind.FAILURE, "it broke"), Alert(AlertKind.TABLE, "it waits", subject="shop.orders")]
    run.end(RunState.FAILED, "it broke")
    wait_until(lambda: plane.supervisor.replication(run.run_id) is None)
    plane.streams.resume(run.run_id)
    later = plane.supervisor.replication(run.run_id)
    assert isinstance(later, Replica)
    assert later.told == run.told
    later.told.pop(0)
    plane.streams.stop(run.run_id)
    assert "over: it waits" in plane.log(run)
    assert "over: it broke" not in plane.log(run)


def test_counters_of_changes_grow_over_a_resume(
    plane: Plane, run: Replica, released: list[str], wait_until: WaitUntil
) -> None:
    run.end(RunState.FAILED, "x")
    wait_until(lambda: plane.supervisor.replication(run.run_id) is None)
    plane.streams.resume(run.run_id)
    table = plane.supervisor.progress(plane.streams.get(run.run_id)).tables[0]
    assert (table.inserts, table.updates, table.letters) == (10, 6, 1)
