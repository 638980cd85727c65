"""The spans of a run; see `mainstem.tracing`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import wraps
from typing import Protocol, TypeVar

from mainstem import tracing
from mainstem.engine.work import Attempt
from mainstem.model.change import ChangeGroup, Idle
from mainstem.model.run import Progress, RunState
from mainstem.tracing import Kind, Span


class _Run(Protocol):
    run_id: str


Run = TypeVar("Run", bound=_Run)


def whole_run(name: str) -> Callable[[Callable[[Run], Progress]], Callable[[Run], Progress]]:
    """Makes a run's `run` a trace: how it ended, and how much it moved."""

    def of(work: Callable[[Run], Progress]) -> Callable[[Run], Progress]:
        @wraps(work)
        def run(self: Run) -> Progress:
            with tracing.span(name, stream=self.run_id) as span:
                progress = work(self)
                span.note(state=progress.state, rows=progress.rows_written, tables=len(progress.tables))
                if progress.state is RunState.FAILED:
                    span.fail(progress.error_code or "error")
                return progress

        return run

    return of


def reading(attempt: Attempt) -> AbstractContextManager[Span]:
    """Around the reading of a chunk; the one that loads it goes on with the trace."""
    return tracing.span(
        "read chunk", Kind.PRODUCER, table=str(attempt.table.source), chunk=attempt.chunk.number,
        attempt=attempt.number, careful=attempt.careful,
    )  # fmt: skip


def loading(attempt: Attempt, sent_by: str) -> Span:
    """From a chunk's first frame to its commit."""
    return tracing.begin(
        "load chunk", Kind.CONSUMER, parent=sent_by or None, table=str(attempt.table.source),
        chunk=attempt.chunk.number, attempt=attempt.number,
    )  # fmt: skip


def applying(frames: Sequence[ChangeGroup | Idle], traces: list[str]) -> AbstractContextManager[Span]:
    """What goes into the target at once: it belongs to the trace of its first group, and is linked with the others'."""
    sent_by, *others = traces or [""]
    traces.clear()
    if not sent_by:  # nothing but the log's end, or no tracing at all
        return tracing.untraced()
    groups = [frame for frame in frames if isinstance(frame, ChangeGroup)]
    return tracing.span(
        "apply changes", Kind.CONSUMER, parent=sent_by, links=others, groups=len(groups),
        rows=sum(group.rows for group in groups), transactions=sum(group.transactions for group in groups),
    )  # fmt: skip
