"""A segment's changes by one of three ways: by sets, by sets with rows replaced, or one by one in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import psycopg
from psycopg import pq

from mainstem.connectors.postgres.events import Events, Meaning, Step, in_order
from mainstem.connectors.postgres.merge import Merge, NotBySetsError, Staging
from mainstem.connectors.postgres.pipeline import Call, CallError, Pipeline
from mainstem.connectors.postgres.shape import ACTIONS, ForeignKey, parents_first
from mainstem.connectors.postgres.work import Work, halves
from mainstem.contract.apply import Applied
from mainstem.model.change import Op
from mainstem.model.names import TableId
from mainstem.model.net import moves
from mainstem.model.run import TableState

FEW = 80
"""Events of a table up to which single statements in a pipeline cost less than staging (bench/apply.py)."""

FEW_BYTES = 1024 * 1024
"""Their bytes up to which: a parameter is held several times over."""

MANY = 2000
"""Events from which on a segment that sets won't do for is halved, so that only those in need are taken one by one."""

_STEPS_AT_ONCE = 4000
_OTHERS_ROWS = {"23505", "23503", "23P01"}  # refusals for what other rows are at that moment: order may help


class RefusedError(Exception):
    """The server's error, and what it is about: the source's table, and the event, where that is known."""

    def __init__(self, error: psycopg.Error, table: str, seq: int | None = None) -> None:
        super().__init__(table)
        self.error = error
        self.table = table
        self.seq = seq


class _PutInError(Exception):
    """An UPDATE of a whole row met none: it has to be put in, before what comes after it."""


class Segments:
    """Applies segments on a connection, within a savepoint of the caller's.

    Args:
        replica: triggers and foreign keys are off.
        foreign_keys: of the target.

    Attributes:
        staging: its staging tables.
        stale: prepared statements are of another structure.
    """

    def __init__(
        self, connection: psycopg.Connection[Any], *, replica: bool, foreign_keys: Callable[[], list[ForeignKey]]
    ) -> None:
        self._connection = connection
        self._replica = replica
        self._foreign_keys = foreign_keys
        self._pipeline = Pipeline(connection)
        self.staging = Staging()
        self.stale = False

    def apply(self, works: Sequence[Work], savepoint: str) -> Applied:
        """Apply a segment by the first way that works.

        Args:
            savepoint: where the segment begins.

        Raises:
            RefusedError: some of it may be applied.
            RowError: a value that cannot be written; likewise.
        """
        ways, staging = self._ways(works), self.staging.copy()
        for way in ways:
            applied = Applied()
            try:
                way(applied)
            except (NotBySetsError, _PutInError):
                if way is ways[-1]:
                    raise
            except RefusedError as exc:
                if exc.error.sqlstate not in _OTHERS_ROWS or way is ways[-1]:
                    raise
            else:
                self._count_coerced(works, applied)
                return applied
            self.undo(savepoint, staging)
            self._count_coerced(works, Applied())
        raise NotBySetsError

    def undo(self, savepoint: str, staging: Staging) -> None:
        """Go back to a savepoint, where the staging tables were these. Raises the driver's errors."""
        self.staging = staging.copy()
        if self._connection.info.transaction_status in (pq.TransactionStatus.INERROR, pq.TransactionStatus.INTRANS):
            self._connection.execute(f"ROLLBACK TO SAVEPOINT {savepoint}".encode())

    def _count_coerced(self, works: Sequence[Work], applied: Applied) -> None:
        for work in works:
            coerced = work.target.take_coerced()
            if coerced:
                applied.coerced[work.table.source] = coerced

    def _in_halves(self, works: Sequence[Work], applied: Applied) -> None:
        for number, half in enumerate(halves(works)):
            savepoint = f"half_{sum(work.changes.count for work in half)}_{number}"
            self._connection.execute(f"SAVEPOINT {savepoint}".encode())
            done = self.apply(half, savepoint)
            self._connection.execute(f"RELEASE SAVEPOINT {savepoint}".encode())
            for table, count in done.missing.items():
                applied.missing[table] = applied.missing.get(table, 0) + count
            for table, coerced in done.coerced.items():
                own = applied.coerced.setdefault(table, {})
                for what, count in coerced.items():
                    own[what] = own.get(what, 0) + count

    def _is_parent(self, work: Work) -> bool:
        return any(key.parent == work.plan.target for key in self._foreign_keys())

    def _acts(self, work: Work) -> bool:
        """Whether the target's own keys have to change other tables' rows, each at its moment in the source's order."""
        if self._replica and not work.table.cascades:
            return False
        keys = [key for key in self._foreign_keys() if key.parent == work.plan.target]
        ops = set(work.changes.ops.unique().to_pylist()) if keys else set()
        if Op.DELETE in ops and any(key.on_delete in ACTIONS for key in keys):
            return True
        acting = [key for key in keys if key.on_update in ACTIONS] if Op.UPDATE in ops else []
        names = {work.plan.columns[column].target for column in work.plan.identity}
        return bool(acting) and (
            any(not names >= set(key.parent_columns) for key in acting) or moves(work.changes, work.plan.identity)
        )

    def _ways(self, works: Sequence[Work]) -> list[Callable[[Applied], None]]:
        def one_by_one(*, careful: bool) -> Callable[[Applied], None]:
            return lambda applied: self._one_by_one(works, applied, careful=careful)

        def by_sets(*, replace: bool) -> Callable[[Applied], None]:
            return lambda applied: self._by_sets(works, applied, replace=replace)

        many = sum(work.changes.count for work in works) >= MANY
        acts = any(self._acts(work) for work in works)
        if _are_few(works) or (acts and not many):
            return [one_by_one(careful=False), one_by_one(careful=True)]
        if acts:
            return [lambda applied: self._in_halves(works, applied)]
        ways = [(lambda applied: self._in_halves(works, applied)) if many else one_by_one(careful=True)]
        if self._replica or not any(self._is_parent(work) for work in works):
            ways.insert(0, by_sets(replace=True))
        if not any(work.table.state is TableState.CATCHING_UP for work in works):
            ways.insert(0, by_sets(replace=False))
        return ways

    def _by_sets(self, works: Sequence[Work], applied: Applied, *, replace: bool) -> None:
        few = [work for work in works if _are_few([work])] if self._replica and not replace else []
        many = [work for work in works if work not in few]
        if not self._replica:
            order = parents_first([work.plan.target for work in many], self._foreign_keys())
            many.sort(key=lambda work: order.index(work.plan.target))

        def missing(table: TableId, count: int) -> None:
            applied.missing[table] = applied.missing.get(table, 0) + count

        merge = Merge(self._connection, self.staging, missing, replace=replace)
        try:
            merge.run(many, moves=lambda work: self._replica or not self._is_parent(work))
        except psycopg.Error as exc:
            raise RefusedError(exc, str(merge.table)) from exc
        if few:
            self._one_by_one(few, applied, careful=False)
        self._check_constraints()

    def _one_by_one(self, works: Sequence[Work], applied: Applied, *, careful: bool) -> None:
        tables = [Events(work, careful=careful) for work in works]
        steps: list[Step] = []
        acting = [self._replica and self._acts(work) for work in works]
        for place, event in in_order(tables):
            steps += self._steps(tables[place], works[place], event, acts=acting[place])
            if len(steps) >= _STEPS_AT_ONCE:
                self._make(steps, applied)
                steps.clear()
        self._make(steps, applied)
        self._check_constraints()

    def _steps(self, events: Events, work: Work, event: int, *, acts: bool) -> Iterator[Step]:
        if not acts or events.op(event) is Op.INSERT:
            yield from events.steps(event)
            return
        yield Step(Call("SET LOCAL session_replication_role = origin"), work, event)
        yield from events.steps(event)
        yield Step(Call("SET LOCAL session_replication_role = replica"), work, event)

    def _make(self, steps: Sequence[Step], applied: Applied) -> None:
        if not steps:
            return
        if self.stale:
            self._pipeline.forget()
            self.stale = False
        try:
            results = self._pipeline.run([step.call for step in steps])
        except CallError as exc:
            step = steps[exc.index]
            seq = step.work.changes.seqs[step.event].as_py()
            raise RefusedError(exc.error, str(step.work.table.source), seq) from exc.error
        for step, result in zip(steps, results, strict=True):
            rows = result.command_tuples or 0
            if rows == (1 if step.meaning is Meaning.ADDED else 0) and step.meaning is not Meaning.NOTHING:
                if step.meaning is Meaning.PUT_IN:
                    raise _PutInError
                source = step.work.table.source
                applied.missing[source] = applied.missing.get(source, 0) + 1

    def _check_constraints(self) -> None:
        """Constraints that could be put off have to hold now: at the commit nobody could tell whose fault it is."""
        if not self._replica:
            try:
                self._connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
            except psycopg.Error as exc:
                raise RefusedError(exc, exc.diag.table_name or "") from exc
            self._connection.execute("SET CONSTRAINTS ALL DEFERRED")


def _are_few(works: Sequence[Work]) -> bool:
    count = sum(work.changes.count for work in works)
    return count <= FEW and sum(work.changes.size_bytes for work in works) <= FEW_BYTES
