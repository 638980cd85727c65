"""A source that is written to all the time: during the copy, and after it; afterwards both sides are equal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tools.streamprocess import Job, StreamProcess
from tools.twins import ROUTES, Twins, twins
from tools.workload import ACCOUNTS, TOTAL, Session, Workload, bank_sum, prepare

from mainstem.model.ids import STREAM, new_id
from tests.conftest import ServersOf


@pytest.fixture(params=ROUTES, ids=lambda route: f"{route[0]}-{route[1]}")
def ends(request: pytest.FixtureRequest, servers_of: ServersOf) -> Iterator[Twins]:
    with twins(*servers_of(request.param)) as found:
        yield found


class Bank:
    """Looks at the target's accounts again and again: their sum is the same at any moment."""

    def __init__(self, target: Session) -> None:
        self._target = target
        self.looks = 0

    def there(self) -> bool:
        """Whether the copy is through with the accounts."""
        try:
            return bank_sum(self._target)[0] == ACCOUNTS
        except Exception:  # there is no such table yet
            return False

    def look(self) -> None:
        assert bank_sum(self._target) == (ACCOUNTS, TOTAL)
        self.looks += 1


def test_a_source_under_load_is_copied_and_followed_without_a_torn_transaction(ends: Twins, tmp_path: Path) -> None:
    prepare(ends.source, items=5_000)
    job = Job(new_id(STREAM), ends.source, ends.target, tmp_path / "log")
    with Session(ends.target) as target, Workload(ends.source, seed=7) as writers, StreamProcess(job) as stream:
        bank = Bank(target)
        stream.wait(bank.there, "the accounts were copied")
        at_copy = writers.rows
        while writers.rows < at_copy + 4_000 or bank.looks < 10:
            bank.look()
            assert stream.alive, stream.story()
        writers.stop()
        assert ends.wait_until_equal() == [], stream.story()
        bank.look()
        assert stream.stop()["state"] == "STOPPED"
