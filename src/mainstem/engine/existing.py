"""What a plan must know of the tables that the target has already, and of keys that it folds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from mainstem.contract.dialect import Dialect, TargetDialect, Unchecked
from mainstem.contract.inspector import Inspector
from mainstem.ddl.collisions import FoldedKey, folded_keys
from mainstem.ddl.narrowing import loses
from mainstem.errors import PlanError
from mainstem.model.names import TableId
from mainstem.model.plan import ColumnPlan, MigrationPlan, ReportItem, Severity, TablePlan
from mainstem.model.run import RowErrorPolicy, RunOptions, SchemaPolicy, WriteMode
from mainstem.model.schema import Catalog, Column, Table

COLLISION, NARROWER, TRIGGER = "key_collision", "existing_column_narrower", "existing_trigger"
SKIPPED_TRIGGER, REQUIRED = "trigger_skipped", "existing_column_required"
# As both servers print the definitions of triggers.
_ON_INSERT = re.compile(r"\b(?:BEFORE|AFTER) INSERT\b")
_ON_CHANGE = re.compile(r"\b(?:BEFORE|AFTER) (?:INSERT|UPDATE|DELETE OR UPDATE)\b")
_DISABLED = " DISABLE TRIGGER "
_REMEDY = "give the target's column a collation (or type) that tells them apart, or change these rows at the source"


def kept(inspector: Inspector, tables: Iterable[TableId], options: RunOptions) -> Catalog:
    """The target's own tables among these that the run keeps, with what hangs on them; views are not among them."""
    if options.schema_policy is SchemaPolicy.DROP_AND_RECREATE and options.structure.tables:
        return Catalog(())
    named = set(tables)
    there = [table for table in inspector.tables() if table in named] if named else []
    return inspector.catalog(there) if there else Catalog(())


def triggers(plan: MigrationPlan, there: Catalog, options: RunOptions, target: TargetDialect) -> Iterator[ReportItem]:
    """What the target's own triggers will do to the rows, which nobody can know, and those that will not fire."""
    fires = _ON_CHANGE if options.write_mode is WriteMode.UPSERT else _ON_INSERT
    targets = {table.target for table in plan.tables}
    silent = {table.target for table in plan.tables if table.unchecked and target.unchecked is Unchecked.WITH_TRIGGERS}
    for object_ in there.objects:
        if object_.kind != "trigger" or object_.table not in targets or options.skip_data:
            continue
        disabled = any(_DISABLED in sql for sql in object_.statements)
        if disabled or not any(fires.search(sql) for sql in object_.statements):
            continue
        if object_.table in silent:
            yield ReportItem(
                Severity.WARNING, SKIPPED_TRIGGER, f"{object_.table}.{object_.id.name}",
                "the target's table has a trigger that does not fire for the rows that are written: foreign keys by"
                " which the table refers to itself, or in a circle to others, can only be kept unchecked together with"
                " triggers",
                "do by hand what the trigger would have done",
            )  # fmt: skip
        else:
            yield ReportItem(
                Severity.WARNING, TRIGGER, f"{object_.table}.{object_.id.name}",
                "the target's table has a trigger that fires for every row that is written: it may change these, or"
                " other tables",
                "drop or disable the trigger until the rows are in, unless it shall see them",
            )  # fmt: skip


def fitted(
    plan: MigrationPlan, there: Mapping[TableId, Table], source: Dialect, target: TargetDialect
) -> MigrationPlan:
    """The plan with the types that the target's own columns have, and what they would round or cut in its report.

    Bytes meant for another type of the same width would be taken for one of its values.
    """
    tables = tuple(_fitted(table, there.get(table.target), source, target) for table in plan.tables)
    kept_ones = [(table, there[table.target]) for table in tables if table.target in there]
    report = (item for pair in kept_ones for item in (*_narrower(*pair), *_required(*pair)))
    return replace(plan, tables=tables, report=(*plan.report, *report))


def _fitted(plan: TablePlan, there: Table | None, source: Dialect, target: TargetDialect) -> TablePlan:
    if there is None:
        return plan
    types = {column.name.lower(): column.native for column in there.columns}
    columns = tuple(
        replace(column, target_type=types.get(column.target.lower(), column.target_type)) for column in plan.columns
    )
    plan = replace(plan, columns=columns)
    plan = replace(plan, raw=target.raw_format(plan, source))
    if not plan.raw:
        for column in columns:
            _check_writable(plan, column, target)
    return plan


def _check_writable(plan: TablePlan, column: ColumnPlan, target: TargetDialect) -> None:
    """`PlanError` for a type that the column's values cannot be written as, before anything is touched."""
    native = column.native or column.target_type
    if native == column.target_type:
        return
    try:
        own = Column(column.target, column.type, native, column.nullable)
        target.target_type(plan.target, own, _same_name, column.target_type)
    except PlanError as exc:
        raise PlanError(
            f"table {plan.target} is there already: {exc.message}",
            remedy="change the column's type on the target, or leave the column out",
            table=str(plan.source),
            column=column.source,
        ) from exc


def _same_name(wanted: str, space: str = "") -> str:
    return wanted  # no type is made for a column that is there


def _narrower(plan: TablePlan, there: Table) -> Iterator[ReportItem]:
    own = {column.name.lower(): column for column in there.columns}
    pairs = [(column, own.get(column.target.lower())) for column in plan.columns]
    names = [f"{column.target} ({at.native})" for column, at in pairs if at and loses(column.type, at.type)]
    if names:
        yield ReportItem(
            Severity.WARNING, NARROWER, str(plan.target),
            f"columns that the target has already hold less than the source's, so that values may be rounded or cut:"
            f" {', '.join(names)}",
            "widen these columns on the target",
        )  # fmt: skip


def _required(plan: TablePlan, there: Table) -> Iterator[ReportItem]:
    """Columns of the target alone that every new row would have to fill."""
    filled = {column.target.lower() for column in plan.columns}
    names = [
        column.name
        for column in there.columns
        if column.name.lower() not in filled
        and not (column.nullable or column.default or column.generated or column.identity)
    ]
    if names:
        yield ReportItem(
            Severity.WARNING, REQUIRED, str(plan.target),
            f"columns that only the target has, and that must not be NULL: {', '.join(names)}; new rows are refused,"
            " unless a trigger of the target fills them",
            "give these columns a default, or let them be NULL",
        )  # fmt: skip


def suspects(
    plan: MigrationPlan,
    sources: Sequence[Table],
    there: Mapping[TableId, Table],
    source: Dialect,
    target: TargetDialect,
) -> list[FoldedKey]:
    """The keys that the source must be asked about: the target takes more of their values for equal."""
    return folded_keys(plan.tables, {table.id: table for table in sources}, there, source, target)


def collisions(inspector: Inspector, keys: Sequence[FoldedKey], options: RunOptions) -> list[ReportItem]:
    """Ask the source how many rows of each key would become equal.

    Raises:
        PlanError: there are some, and the run does not put rows aside.
    """
    found = list(_asked(inspector, keys))
    if found and options.row_errors is RowErrorPolicy.FAIL:
        raise PlanError(
            "; ".join(f"{key}: {count:,} keys of different rows are equal on the target" for key, count in found),
            remedy=_REMEDY,
            table=str(found[0][0].table.source),
        )
    return [
        ReportItem(
            Severity.WARNING, COLLISION, str(key.table.source),
            f"{key}: {count:,} keys of different rows are equal on the target; all but one of each are put aside",
            _REMEDY,
        )
        for key, count in found
    ]  # fmt: skip


def _asked(inspector: Inspector, keys: Sequence[FoldedKey]) -> Iterator[tuple[FoldedKey, int]]:
    for key in keys:
        count = inspector.collisions(key.table.source, key.columns, key.table.where)
        if count:
            yield key, count
