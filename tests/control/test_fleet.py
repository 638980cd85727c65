"""Several processes on one store: who leads a stream, and how the others have it do things."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from mainstem.contract.fleet import Lease, Presence, Probe, stream_lease
from mainstem.control import leases, preflight, streams, supervisor
from mainstem.control.members import ALL, Role
from mainstem.control.runs import Ends
from mainstem.control.states import StateConflict
from mainstem.control.supervisor import LET_GO, TO_GO_ON, WENT_ON
from mainstem.errors import ConflictError, NotFoundError, TransientError
from mainstem.model.connection import ConnectionSettings
from mainstem.model.event import Category, Event, Level
from mainstem.model.run import RunState
from tests.control.conftest import flat
from tests.control.planes import Plane
from tests.store.conftest import postgres_url

WaitUntil = Callable[[Callable[[], bool]], None]
Start = Callable[..., Plane]


@pytest.fixture(autouse=True)
def released(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids of streams whose source was told to keep nothing more."""
    found: list[str] = []
    monkeypatch.setattr(preflight, "check", lambda *_: [])
    monkeypatch.setattr(supervisor, "release", lambda *args: found.append(args[-1]))
    monkeypatch.setattr(streams, "close_stream", lambda *_: None)
    return found


@pytest.fixture
def start(postgres_db: ConnectionSettings) -> Iterator[Start]:
    planes: list[Plane] = []

    def start(*roles: Role, probe: Probe | None = None) -> Plane:
        planes.append(Plane.at(postgres_url(postgres_db), roles or ALL, probe))
        return planes[-1].start()

    yield start
    for plane in planes:
        for run in plane.runs.values():
            run.stop()
    for plane in planes:
        plane.end()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases run out sooner than usual."""
    for name, seconds in (("LASTS_S", 2.0), ("RENEW_S", 0.4), ("GIVE_UP_S", 1.5)):
        monkeypatch.setattr(leases, name, seconds)


def config_of(plane: Plane) -> Any:
    connections = plane.configs._connections
    ends = [connections.create(flat()).id, connections.create(flat(type="postgresql", port=5432)).id]
    return plane.configs.create({"source": ends[0], "target": ends[1], "mode": "cdc"})


def lease_of(plane: Plane, stream_id: str) -> Lease | None:
    return next((lease for lease in plane.store.fleet.leases() if lease.name == stream_lease(stream_id)), None)


def lines(plane: Plane, stream_id: str) -> list[str]:
    plane.supervisor.flush()
    return [line.event.message for line in plane.store.logs(stream_id)]


def test_any_server_moves_a_stream_that_another_leads(start: Start) -> None:
    leader, other = start(), start()
    run = leader.begin(config_of(leader))
    assert other.streams.get(run.run_id).state is RunState.RUNNING
    assert other.streams.pause(run.run_id).state is RunState.PAUSED
    assert other.streams.resume(run.run_id).state is RunState.RUNNING
    other.streams.pause_table(run.run_id, "orders")
    other.streams.resume_table(run.run_id, "orders")
    assert other.replications.cutover(run.run_id, 9, 1) == run.cutover(9, quiet_s=1)
    assert other.replications.replay(run.run_id, [3]) == (1, 0)
    other.replications.resync(run.run_id, ["orders"])
    with pytest.raises(NotFoundError, match="no table nothing"):
        other.replications.resync(run.run_id, ["nothing"])
    with pytest.raises(ConflictError, match="is RUNNING"):
        other.streams.forget(other.streams.get(run.run_id).config_id, [run.run_id])
    assert other.streams.stop(run.run_id).state is RunState.STOPPED
    asked = ["pause", "resume", "pause orders", "resume orders", "cutover 9 1", "cutover 9 1", "replay [3]", "resync"]
    assert run.asked == [*asked, "stop"]
    assert not other.runs
    with pytest.raises(StateConflict, match="it must run for this"):
        other.replications.cutover(run.run_id, 9, 1)


def test_what_a_stream_that_nobody_leads_needs_is_done_by_whoever_is_asked(start: Start, released: list[str]) -> None:
    one, other = start(), start()
    run = one.begin(config_of(one))
    one.streams.pause(run.run_id)
    one.end()
    assert other.streams.get(run.run_id).state is RunState.PAUSED
    assert other.streams.resume(run.run_id).state is RunState.RUNNING
    assert other.leads(run.run_id)
    other.streams.stop(run.run_id)
    assert (released, lease_of(other, run.run_id)) == ([run.run_id], None)


def test_a_server_that_ends_hands_its_streams_over_at_once(
    start: Start, wait_until: WaitUntil, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "LASTS_S", 600.0)  # nobody waits for one to run out
    one, other = start(), start()
    run = one.begin(config_of(one))
    before = lease_of(one, run.run_id)
    one.end()
    assert run.asked == ["stop"]
    wait_until(lambda: other.leads(run.run_id))
    after = lease_of(other, run.run_id)
    assert before is not None
    assert after is not None
    assert after.token > before.token
    again = other.runs[run.run_id]
    assert (again.begun, again.options.token) == (True, after.token)
    assert other.streams.get(run.run_id).state is RunState.RUNNING
    wait_until(lambda: WENT_ON in lines(other, run.run_id))  # is said behind the launch


def test_streams_of_the_last_server_go_on_with_the_next(start: Start, wait_until: WaitUntil) -> None:
    one = start()
    run = one.begin(config_of(one))
    one.end()
    other = start()
    record = other.streams.get(run.run_id)
    assert (record.state, record.message) in {(RunState.PAUSED, TO_GO_ON), (RunState.RUNNING, "")}
    wait_until(lambda: other.leads(run.run_id))
    assert other.streams.get(run.run_id).state is RunState.RUNNING


def test_the_streams_of_a_killed_server_are_taken_over_in_time(start: Start, wait_until: WaitUntil) -> None:
    one, two, three = start(), start(), start()
    config = config_of(one)
    found = [one.begin(replace(config, id=f"config_{number}")) for number in range(4)]
    before = {run.run_id: lease_of(one, run.run_id) for run in found}
    one.kill()
    wait_until(lambda: all(two.leads(run.run_id) or three.leads(run.run_id) for run in found))
    for run in found:
        after, former = lease_of(two, run.run_id), before[run.run_id]
        assert after is not None
        assert former is not None
        assert after.token > former.token
        assert not one.store.save_progress(run.run_id, {}, former)
        assert two.leads(run.run_id) != three.leads(run.run_id)
    assert two.runs  # they share the work
    assert three.runs
    assert two.streams.pause(found[0].run_id).state is RunState.PAUSED


def test_the_stream_of_a_leader_that_the_hub_does_not_reach_is_taken_over_though_its_lease_is_renewed(
    start: Start, wait_until: WaitUntil, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "LASTS_S", 600.0)
    presence = {"all": Presence.THERE}
    one = start()
    followed, held = one.begin(config_of(one)), one.begin(replace(config_of(one), id="config_2"))
    one.streams.pause(held.run_id)
    other = start(probe=lambda members: dict.fromkeys(members, presence["all"]))
    wait_until(lambda: any(known.met for known in other.claims._absences._known.values()))  # type: ignore[union-attr]
    presence["all"] = Presence.ABSENT
    wait_until(lambda: other.leads(followed.run_id))
    wait_until(lambda: "stop" in followed.asked)  # at the next renewal it finds that it leads no more
    wait_until(lambda: not one.leads(followed.run_id))
    assert other.streams.get(followed.run_id).state is RunState.RUNNING
    wait_until(lambda: WENT_ON in lines(other, followed.run_id))
    assert one.leads(held.run_id)  # nothing is to be done for one that is paused


@pytest.mark.usefixtures("quick")
def test_who_cannot_reach_the_store_lets_go_before_another_may_begin(
    start: Start, wait_until: WaitUntil, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = start()
    run = one.begin(config_of(one))

    def unreachable(*_: object) -> Any:
        raise TransientError("the store is away")

    answers = threading.Event()

    def silent(*_: object) -> list[Lease]:
        answers.wait(60)
        return []

    with monkeypatch.context() as cut:
        cut.setattr(one.store.fleet, "renew", silent)
        for name in ("acquire", "release", "beat"):
            cut.setattr(one.store.fleet, name, unreachable)
        for name in ("put_stream", "save_progress", "append_logs", "save_timeline"):
            cut.setattr(one.store, name, unreachable)
        wait_until(lambda: "stop" in run.asked)
        wait_until(lambda: not one.supervisor._active)
        assert one.streams.get(run.run_id).state is RunState.RUNNING  # its record is not touched
    answers.set()
    assert leases.GIVE_UP_S + 2 * leases.WATCH_S < leases.LASTS_S
    wait_until(lambda: one.leads(run.run_id))  # it is the only one there
    assert one.runs[run.run_id] is not run
    assert LET_GO in lines(one, run.run_id)


@pytest.mark.usefixtures("quick")
def test_what_another_has_taken_over_is_not_written_to(start: Start, wait_until: WaitUntil) -> None:
    """A process that was frozen for so long that another leads its stream, and then goes on."""
    one, other = start(), start()
    run = one.begin(config_of(one))
    one.kill()
    wait_until(lambda: other.leads(run.run_id))
    active = one.supervisor._active[run.run_id]
    active.lost = False
    run.end(RunState.FAILED, "the network was gone")
    assert active.done.wait(30)
    assert other.streams.get(run.run_id).state is RunState.RUNNING
    assert other.leads(run.run_id)


def test_a_server_without_writers_starts_streams_elsewhere(start: Start, wait_until: WaitUntil) -> None:
    api = start(Role.API)
    config = config_of(api)
    with pytest.raises(StateConflict, match="no process with role writer or reader"):
        api.streams.start(config.id)
    assert api.streams.all() == []
    writer, _ = start(Role.WRITER), start(Role.READER)
    record = api.streams.start(config.id)
    assert record.state is RunState.RUNNING
    assert (list(writer.runs), api.runs) == ([record.id], {})
    with pytest.raises(StateConflict, match="still active"):
        api.streams.start(config.id)
    writer.runs[record.id].end(RunState.FAILED, "x")
    wait_until(lambda: api.streams.get(record.id).state is RunState.FAILED)
    assert api.streams.resume(record.id).state is RunState.RUNNING
    wait_until(lambda: writer.leads(record.id))
    assert api.streams.stop(record.id).state is RunState.STOPPED
    assert api.streams.forget(config.id) == 1


def test_what_a_stream_has_left_is_taken_away_with_the_lease_of_who_does_it(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    api, writer = start(Role.API), start(Role.WRITER)
    run = writer.begin(config_of(writer))
    api.streams.pause(run.run_id)
    writer.end()
    seen: list[tuple[str, bool]] = []

    def through(stream_id: str, token: int, ends: Ends) -> Ends:
        lease = lease_of(api, stream_id)
        seen.append((stream_id, lease is not None and (lease.holder, lease.token) == (api.fleet.members.me.id, token)))
        return ends

    monkeypatch.setattr(api.supervisor, "through", through)
    assert api.streams.stop(run.run_id).state is RunState.STOPPED
    assert api.streams.forget(api.store.streams()[0].config_id) == 1
    assert seen == [(run.run_id, True)] * 2


def test_a_stream_that_no_writer_takes_has_not_begun(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    api, _ = start(Role.API), start(Role.READER)
    writer = start(Role.WRITER)
    writer.claims.close()
    monkeypatch.setattr(streams, "TAKEN_WITHIN_S", 0.2)
    with pytest.raises(StateConflict, match="has not begun"):
        api.streams.start(config_of(api).id)
    assert api.streams.all() == []


def test_members_say_who_they_are_and_what_they_lead(start: Start) -> None:
    one, other = start(), start(Role.API)
    run = one.begin(config_of(one))
    me, them = one.fleet.members.me, other.fleet.members.me
    assert [member.id for member in other.fleet.members.live()] == [me.id, them.id]
    assert [member.id for member in other.fleet.members.live(Role.WRITER)] == [me.id]
    assert other.fleet.led() == {me.id: [run.run_id]}
    one.end()
    assert [member.id for member in other.fleet.members.live()] == [them.id]


@pytest.mark.usefixtures("quick")
def test_a_stream_whose_connection_is_gone_cannot_be_taken_over(start: Start, wait_until: WaitUntil) -> None:
    one = start()
    config = config_of(one)
    run = one.begin(config)
    one.store.delete_connection(config.source_id)
    one.kill()
    other = start()
    wait_until(lambda: other.streams.get(run.run_id).state is RunState.FAILED)
    assert "connection" in other.streams.get(run.run_id).error


@pytest.mark.usefixtures("quick")
def test_what_was_asked_of_a_leader_that_died_is_done_all_the_same(start: Start) -> None:
    one, other = start(), start(Role.API)
    run = one.begin(config_of(one))
    one.kill()
    assert other.streams.pause(run.run_id).state is RunState.PAUSED
    assert run.asked == []


@pytest.mark.usefixtures("quick")
def test_a_run_that_had_done_all_but_its_last_step_is_taken_over_as_such(start: Start, wait_until: WaitUntil) -> None:
    one, other = start(), start()
    run = one.begin(config_of(one))
    run._progress.stage = "done"
    run.listen(Event(Level.INFO, Category.PROGRESS, "Done", 1, "api", {}))
    one.kill()
    assert one.store.stream(run.run_id).progress["stage"] == "done"  # type: ignore[union-attr]
    wait_until(lambda: other.leads(run.run_id))
    assert (run.options.closing, other.runs[run.run_id].options.closing) == (False, True)
