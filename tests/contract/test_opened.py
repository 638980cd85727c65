from __future__ import annotations

import gc
import threading
from contextvars import copy_context

import pytest

from mainstem.contract import opened
from mainstem.errors import CancelledError
from mainstem.tasks import together


class Connection:
    """Waits for a server that does not answer, until it is hung up."""

    def __init__(self) -> None:
        opened.check()
        self.over = threading.Event()
        opened.note(self, hang_up)

    def ask(self) -> None:
        assert self.over.wait(60)


def hang_up(connection: Connection) -> None:
    connection.over.set()


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opened, "PATIENCE_S", 0.01)


def test_who_waits_for_a_server_when_work_is_to_end_is_hung_up() -> None:
    with opened.noting() as work:
        connection = Connection()
        work.end_soon()
        connection.ask()
        with pytest.raises(CancelledError):
            Connection()


def test_connections_of_threads_of_the_same_context_are_hung_up_too() -> None:
    with opened.noting() as work:
        one, other = together(Connection, Connection)
        work.end_soon()
        one.ask()
        other.ask()


def test_work_within_other_work_ends_with_it_and_not_the_other_way_round() -> None:
    with opened.noting() as outer:
        mine = Connection()
        with opened.noting() as inner:
            first = Connection()
            inner.end_soon()
            first.ask()
        assert not mine.over.is_set()
        with opened.noting():
            second = Connection()
            outer.end_soon()
            second.ask()
            with pytest.raises(CancelledError):
                Connection()


def test_nothing_is_hung_up_that_was_opened_outside_of_the_work_or_is_over() -> None:
    before = Connection()
    with opened.noting() as work:
        inside = Connection()
    work.end_soon()
    opened.present().end_soon()
    assert not before.over.is_set()
    assert not inside.over.is_set()
    Connection()


def test_a_connection_that_nobody_has_any_more_is_forgotten() -> None:
    with opened.noting() as work:
        connection = Connection()
        kept = copy_context()
        del connection
        gc.collect()
        assert len(work._connections) == 0
        del kept
