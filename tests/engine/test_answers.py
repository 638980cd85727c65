"""What the writer remembers of its questions, and for how long."""

from __future__ import annotations

import pytest

from mainstem.engine import answers
from mainstem.engine.answers import Answers
from mainstem.engine.evolution import Outcome
from mainstem.model.change import SchemaChange, SchemaChangeKind
from mainstem.model.names import TableId

T, U = TableId("s", "t"), TableId("s", "u")


def test_what_was_decided_is_known_until_the_next_checkpoint() -> None:
    known, change = Answers(), SchemaChange(SchemaChangeKind.CREATED, T)
    other, first, second = SchemaChange(SchemaChangeKind.CREATED, U), Outcome(), Outcome()
    known.keep_outcome("1", change, None, first)
    known.keep_outcome("1", other, None, second)
    assert known.outcome("1", change, None) is first
    assert known.outcome("1", other, None) is second
    assert known.outcome("2", change, None) is None
    known.keep_outcome("2", other, None, second)
    assert known.outcome("2", change, None) is None


def test_a_cause_is_looked_for_again_after_a_while_and_not_within_a_transaction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = Answers()
    assert known.cause("1", T) is None
    known.keep_cause("1", T, "")
    assert (known.cause("1", T), known.cause("2", T), known.cause("1", U)) == ("", "", None)
    monkeypatch.setattr(answers, "FRESH_S", 0.0)
    assert known.cause("1", T) == "", "the transaction comes again: it must not be broken off for ever"
    assert known.cause("2", T) is None
