"""Structure and rows of one plan, by one ledger: what a conversion and the first part of a replication have in common.

One `Copying` is one try: it goes on where the ledger says, and ends at the first lost connection to the target.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from mainstem.contract.opened import noting
from mainstem.contract.source import Source
from mainstem.contract.target import Builder, Ledger
from mainstem.engine.cuts import Rounds
from mainstem.engine.data import DataPhase
from mainstem.engine.means import Means
from mainstem.engine.structure import LAST_PHASES, KeyBuilder, apply_all, check_there
from mainstem.errors import MainstemError, PlanError, RowError, StatementError, TargetChangedError
from mainstem.model.names import TableId
from mainstem.model.plan import MigrationPlan, Phase, ReportItem, Severity, Statement
from mainstem.model.run import RowErrorPolicy, TableState, WriteMode
from mainstem.tasks import ThreadGroup

REFUSED, BROKEN = "foreign_key_refused", "foreign_key_broken"
_FOREIGN_KEY_REMEDY = "all rows are in: correct those references in the target, then resume, or add the key by hand"


class Copying:
    """One try at a plan.

    Args:
        source: where rows come from.
        fresh: whether a target table holds nothing but what this run writes.
        rounds: what becomes of half-copied tables when the snapshot is another one.
        aside: a stream runs meanwhile, whose stage the run is in.
        planned: the plan was made just now, by a look at the target as it is.
    """

    def __init__(
        self,
        run_id: str,
        plan: MigrationPlan,
        source: Source,
        means: Means,
        fresh: Callable[[TableId], bool],
        rounds: Rounds,
        *,
        aside: bool = False,
        planned: bool = False,
    ) -> None:
        self._run_id, self._plan, self._source, self._means = run_id, plan, source, means
        self._fresh, self._rounds, self._aside, self._planned = fresh, rounds, aside, planned
        self._control, self._tracker, self._options = means.control, means.tracker, means.options

    def copy(self, ledger: Ledger, builder: Builder) -> None:
        """Make tables, copy their rows, make their keys. Tables that fail are told of by the tracker."""
        self._prepare(builder)
        if not self._planned:
            self._check_target(ledger)
        if not self._aside:
            self._tracker.stage("data")
        if not self._options.skip_data:
            self._copy_rows()
        else:
            self._build_keys(None, KeyBuilder(self._plan, self._tracker, lambda _: False))

    def finish(self, builder: Builder, *, partial: bool, strict: bool = True) -> None:
        """Foreign keys, counters, views, comments, statistics.

        Args:
            partial: rows are missing, so that foreign keys are left out.
            strict: a foreign key that is refused fails the run, unless it puts rows aside.
        """
        for phase in LAST_PHASES:
            statements = self._plan.phase(phase)
            if partial and phase is Phase.FOREIGN_KEYS and statements:
                self._tracker.report(
                    ReportItem(
                        Severity.WARNING, "foreign_keys_left_out", "foreign keys",
                        "a limit ended the copy, so that rows may lack their parents; no foreign keys were made",
                    )
                )  # fmt: skip
            elif phase is Phase.FOREIGN_KEYS:
                self._make_foreign_keys(builder, self._checked(phase), strict=strict)
            else:
                apply_all(builder, self._checked(phase), self._tracker)

    def _prepare(self, builder: Builder) -> None:
        for phase in (Phase.SCHEMA, Phase.TABLES):
            apply_all(builder, self._checked(phase), self._tracker)
        if self._options.write_mode is WriteMode.TRUNCATE:
            builder.truncate([table.target for table in self._plan.tables])

    def _check_target(self, ledger: Ledger) -> None:
        """Tables that somebody has dropped or emptied since this run made them or wrote to them fail, before the rest.

        Rows that were added or deleted show when a table is counted (`KeyBuilder`).
        """
        end, tables = self._means.end, self._plan.tables
        with end.spec.inspector(end.settings) as inspector:
            found = inspector.table_status([table.target for table in tables])
        for table in tables:
            written = sum(line.rows_written for line in ledger.chunks(table.source))
            try:
                check_there(table.target, found.get(table.target), written)
            except TargetChangedError as exc:
                self._tracker.table_failed(table.source, exc)

    def _checked(self, phase: Phase) -> Iterator[Statement]:
        for statement in self._plan.phase(phase):
            self._control.check_stopped()
            yield statement

    def _copy_rows(self) -> None:
        keys = KeyBuilder(self._plan, self._tracker, self._fresh)
        data = DataPhase(self._run_id, self._source, self._plan, self._means, self._rounds, keys.ready)
        self._means.interrupts.add(data.interrupt)
        self._build_keys(data, keys)

    def _build_keys(self, data: DataPhase | None, keys: KeyBuilder) -> None:
        """Copy rows, and build keys of each table behind them."""
        interrupts, target = self._means.interrupts, self._means.target

        def cancel() -> None:
            keys.cancel()
            opened.end_soon()
            if data is not None:
                data.interrupt()

        interrupts.add(keys.cancel)
        with noting() as opened, ThreadGroup(cancel) as group:
            for number in range(self._options.jobs):
                group.start(
                    f"keys-{number}",
                    lambda: keys.run(target, self._run_id, lambda builder: interrupts.add(builder.interrupt)),
                )
            try:
                if data is not None:
                    data.run()
                else:
                    self._ready_all(keys)
            finally:
                if data is not None and self._control.limit is not None:
                    self._ready_all(keys)  # tables that lack rows get their keys all the same
                keys.finish()

    def _ready_all(self, keys: KeyBuilder) -> None:
        for table in self._plan.tables:
            if self._tracker.table(table.source).state not in (TableState.FAILED, TableState.SKIPPED):
                keys.ready(table)

    def _make_foreign_keys(self, builder: Builder, statements: Iterable[Statement], *, strict: bool) -> None:
        """All that the rows allow; the others are in the report, and may fail the run.

        Rows without their parent may be put aside themselves, or come from a source that did not check.
        """
        refused: list[str] = []
        skipped = self._tracker.skipped_targets()
        for statement in statements:
            if statement.table in skipped:
                continue
            try:
                builder.apply(statement)
            except (StatementError, RowError) as exc:
                refused.append(f"{statement.object}: {exc.message}")
                self._tell_refused(statement, exc)
        # the parent may be among the tables that were left out
        if strict and refused and not skipped and self._options.row_errors is RowErrorPolicy.FAIL:
            raise PlanError(
                f"{len(refused)} foreign keys were refused: {'; '.join(refused[:10])}", remedy=_FOREIGN_KEY_REMEDY
            )

    def _tell_refused(self, statement: Statement, error: MainstemError) -> None:
        told = f"the foreign key was not made: {error.message}" if statement.sql else error.message
        code, remedy = (REFUSED, _FOREIGN_KEY_REMEDY) if statement.sql else (BROKEN, error.remedy)
        item = ReportItem(Severity.WARNING, code, statement.object, told, remedy)
        self._tracker.report(item)
