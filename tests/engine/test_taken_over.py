"""A stream that another process has taken over: this one's run ends, and nobody is told that the stream failed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.engine.memory import apply_event, stream_table
from tests.engine.memory_target import MemoryApplier, MemoryTarget
from tests.engine.test_replication import Stream, put, wait

from mainstem.errors import TakenOverError
from mainstem.model.event import Level
from mainstem.model.run import RunState


@pytest.mark.parametrize("method", ["load", "begin", "apply", "commit"])
def test_a_run_whose_stream_is_taken_over_ends_without_having_failed(method: str) -> None:
    stream = Stream()
    stream.log.add([put("a", 1)])
    stream.target.errors = {method: [TakenOverError("another process has it")]}
    replication = stream.replication()
    with pytest.raises(TakenOverError):
        replication.run()
    assert stream.target.now.tables == {"a": {}, "b": {}}
    assert stream.log.confirmed == []
    assert replication.progress().state is RunState.RUNNING
    assert [line for line in stream.lines if line.level in (Level.ERROR, Level.WARN)] == []


def test_what_the_former_holder_has_applied_until_the_applier_is_opened_is_not_applied_again() -> None:
    class Contested(MemoryTarget):
        """The former holder applies a transaction, and only then lets go of what keeps the applier out."""

        waits = True

        def applier(self, stream_id: str) -> MemoryApplier:
            if self.waits and self.now.stored is not None:
                self.waits = False
                apply_event(self.now.tables, put("a", 1))
                self.now.stored = replace(self.now.stored, checkpoint=replace(self.now.stored.checkpoint, position="1"))
            return super().applier(stream_id)

    stream = Stream()
    stream.target = Contested([stream_table("a"), stream_table("b")])
    stream.log.add([put("a", 1)], [put("a", 2)])
    seen: list[str] = []
    stream.target.refuse = lambda event: seen.append(event[2])  # type: ignore[func-returns-value]
    with stream.running():
        wait(stream.caught_up)
    assert stream.target.now.tables == stream.log.truth()
    assert seen == ["2"]
