"""Leaders that cannot be reached by the hub: when they are given up, and when not."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast

import pytest

from mainstem.contract.fleet import FleetStore, Lease, Presence
from mainstem.control import leases as leases_module
from mainstem.control.absences import ABSENT_ROUNDS, DOUBT_S, FRESH_S, SILENT_ROUNDS, Absences
from mainstem.control.leases import Leases

THERE, SILENT, ABSENT, UNKNOWN = Presence.THERE, Presence.SILENT, Presence.ABSENT, Presence.UNKNOWN
LED = Lease("stream/a", "leader", 7)


class Store:
    """Leases that are held, and a renewal that finds none of its own."""

    def __init__(self) -> None:
        self.held = [LED, Lease("stream/b", "me", 8), Lease("first key", "leader", 9)]

    def leases(self) -> list[Lease]:
        return list(self.held)

    def acquire(self, name: str, holder: str, lasts_s: float, over: Lease | None = None) -> Lease:
        return Lease(name, holder, 1)

    def renew(self, held: Any, lasts_s: float) -> list[Lease]:
        return []


class Bench:
    """`Absences` whose probe answers with what it is given."""

    def __init__(self) -> None:
        self.store, self.asked, self.answer = Store(), list[set[str]](), THERE
        store = cast(FleetStore, self.store)
        self.leases = Leases(store, "me", shared=True)
        self.absences = Absences(store, "me", self.leases, self.probe)

    def probe(self, members: Collection[str]) -> dict[str, Presence]:
        self.asked.append(set(members))
        return dict.fromkeys(members, self.answer)

    def see(self, *answers: Presence) -> tuple[Lease, ...]:
        for self.answer in answers:
            self.absences.look()
        return self.absences.found()


@pytest.mark.parametrize(
    ("answers", "lost"),
    [
        ([THERE, *[ABSENT] * ABSENT_ROUNDS], True),
        ([THERE, *[ABSENT] * (ABSENT_ROUNDS - 1)], False),
        ([THERE, *[SILENT] * SILENT_ROUNDS], True),
        ([THERE, *[SILENT] * (SILENT_ROUNDS - 1)], False),
        ([THERE, ABSENT, SILENT, ABSENT, ABSENT, ABSENT], True),  # not once did it answer
        ([THERE, ABSENT, SILENT, ABSENT, ABSENT], False),
        ([THERE, ABSENT, ABSENT, ABSENT, THERE, ABSENT, ABSENT, ABSENT], False),
        ([THERE, ABSENT, ABSENT, ABSENT, UNKNOWN, ABSENT], False),  # this process was cut off itself
        ([THERE, *[ABSENT] * ABSENT_ROUNDS, UNKNOWN], False),
        ([THERE, *[ABSENT] * ABSENT_ROUNDS, THERE], False),
        ([*[ABSENT] * 9], False),  # never met here: it may use another hub
        ([*[UNKNOWN] * 9], False),
    ],
)
def test_a_leader_is_lost_when_it_is_missed_so_often_in_a_row(answers: list[Presence], lost: bool) -> None:
    assert Bench().see(*answers) == ((LED,) if lost else ())


def test_only_others_that_lead_streams_are_asked() -> None:
    bench = Bench()
    bench.see(THERE)
    bench.store.held = [Lease("stream/b", "me", 8)]
    bench.see(THERE)
    assert bench.asked == [{"leader"}, set()]


def test_a_lost_holder_has_only_the_lease_taken_that_it_holds_now() -> None:
    bench = Bench()
    bench.see(THERE, *[ABSENT] * ABSENT_ROUNDS)
    bench.store.held = [Lease("stream/a", "next", 12)]
    assert bench.see(ABSENT) == ()


def test_a_verdict_does_not_stand_for_long_when_the_store_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    bench, now_s = Bench(), 1000.0
    monkeypatch.setattr(leases_module.time, "monotonic", lambda: now_s)
    assert bench.see(THERE, *[ABSENT] * ABSENT_ROUNDS) == (LED,)
    now_s += FRESH_S + 1
    assert bench.absences.found() == ()
    assert bench.see(ABSENT) == (LED,)


def test_who_has_itself_lost_a_lease_to_another_takes_none_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    bench, now_s = Bench(), 1000.0
    monkeypatch.setattr(leases_module.time, "monotonic", lambda: now_s)
    lease = bench.leases.acquire("stream/c")
    assert lease is not None
    bench.leases._renew()
    assert bench.see(THERE, *[ABSENT] * ABSENT_ROUNDS) == ()
    now_s += DOUBT_S
    assert bench.see(ABSENT) == (LED,)
