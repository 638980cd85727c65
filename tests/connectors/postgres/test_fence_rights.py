"""A former holder's sessions that may not be ended: it commits nothing, and what they keep locked is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from mainstem.connectors.postgres import apply as module
from mainstem.connectors.postgres.apply import PostgresChangeTarget
from mainstem.connectors.postgres.load import PostgresTarget
from mainstem.errors import TakenOverError, TransientError
from mainstem.model.connection import ConnectionSettings
from mainstem.model.run import RunOptions
from tests.connectors.fencing import CHUNK, FAR_APART, ID, SOURCE, Place, batch_of, postgres_place

PLAIN = "plain_fence"


@pytest.fixture
def place(postgres15_db: ConnectionSettings) -> Iterator[Place]:
    """A target whose former holder was a superuser."""
    made = postgres_place(postgres15_db)
    made.run(f"CREATE ROLE {PLAIN} LOGIN PASSWORD 'plain'")
    yield made
    made.run(f"DROP OWNED BY {PLAIN}; DROP ROLE {PLAIN}")


def test_who_may_not_end_a_session_goes_on_where_nothing_is_locked(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOCK_WAIT_S", 1)
    place.begin_stream(1)
    with ExitStack() as stack:
        ledger = stack.enter_context(place.target(1).ledger(ID))
        ledger.open("{}")
        ledger.plan(SOURCE, [CHUNK])
        loader = stack.enter_context(place.target(1).loader(ID))
        loader.begin(place.plan, CHUNK, quarantine=None)
        loader.write(batch_of([1]))
        stack.enter_context(place.changes(1).applier(ID))
        place.run(f"GRANT ALL ON SCHEMA mainstem TO {PLAIN}; GRANT ALL ON ALL TABLES IN SCHEMA mainstem TO {PLAIN}")
        other = replace(place.settings, username=PLAIN, password="plain")
        options = RunOptions(token=2 * FAR_APART)
        with PostgresTarget(other, options).ledger(ID) as taken:
            assert taken.known_plan() == "{}"
        with pytest.raises(TakenOverError):
            loader.commit(1)
        with pytest.raises(TransientError, match="could not be ended") as told:
            PostgresChangeTarget(other, options).applier(ID)
        assert "pg_terminate_backend" in told.value.remedy
    with PostgresChangeTarget(other, options).applier(ID) as applier:  # they have gone
        applier.begin()
    assert place.rows() == []
