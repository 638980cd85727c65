"""Tables that the source's login may not read: an error, or left out and told of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from mainstem.contract.inspector import Denial, Inspector
from mainstem.ddl.selection import matches
from mainstem.errors import DeniedError
from mainstem.model.names import TableId, listed
from mainstem.model.plan import MigrationPlan, ReportItem, Severity
from mainstem.model.run import DeniedPolicy, RunOptions, TableSelection

SKIPPED = "table_skipped"


def denied(inspector: Inspector, tables: Sequence[TableId], options: RunOptions) -> dict[TableId, Denial]:
    """The tables among these that the source's login cannot read whole.

    Raises:
        DeniedError: there are some, and the policy is not to skip them.
    """
    found = inspector.denials(list(wanted(tables, options).values()))
    there = {table: found[table] for table in tables if table in found}
    if there and options.denied is DeniedPolicy.FAIL:
        table, first = next(iter(there.items()))
        raise DeniedError(
            f"{told(there)}", remedy=f"{first.remedy}; or leave such tables out (denied: skip)", table=str(table)
        )
    return there


def told(denials: Mapping[TableId, Denial]) -> str:
    """Which tables, and why the first of them."""
    first = next(iter(denials.values()))
    return f"the source's user cannot read {listed(list(denials))}: {first.reason}"


def wanted(tables: Iterable[TableId], options: RunOptions) -> dict[TableId, TableSelection]:
    """What is wanted of each table, under its full name: the columns named at it and beside it."""
    named = {item.name: item for item in options.tables if not item.query}
    found = {}
    for table in tables:
        selection = named.get(str(table)) or named.get(table.name) or TableSelection(table.name)
        starts = (f"{table.name}.", f"{table.schema}.{table.name}.")
        beside = [
            key.removeprefix(start) for key in options.exclude_columns for start in starts if key.startswith(start)
        ]
        found[table] = replace(selection, name=str(table), exclude_columns=(*selection.exclude_columns, *beside))
    return found


def without(plan: MigrationPlan, denials: Mapping[TableId, Denial]) -> MigrationPlan:
    """The plan, saying which tables were left out."""
    report = [skipped_item(table, denial.reason, denial.remedy) for table, denial in denials.items()]
    return replace(plan, report=(*plan.report, *report), skipped=tuple(denials))


def skipped_item(table: TableId, reason: str, remedy: str) -> ReportItem:
    """What the report says of a table that was left out."""
    return ReportItem(Severity.WARNING, SKIPPED, str(table), f"the table is not copied: {reason}", remedy)


def left(options: RunOptions, denials: Mapping[TableId, Denial]) -> RunOptions:
    """The options without what they say of tables that are left out."""
    if not denials:
        return options
    names = {name for table in denials for name in (table.name, str(table))}

    def about(key: str) -> bool:
        return key in names or any(key.startswith(f"{name}.") for name in names)

    def is_left(item: TableSelection) -> bool:
        return bool(item.query) or not any(matches(table, item.name) for table in denials)

    return replace(
        options,
        tables=tuple(filter(is_left, options.tables)),
        renames={key: name for key, name in options.renames.items() if not about(key)},
        exclude_columns=tuple(key for key in options.exclude_columns if not about(key)),
        filters={key: condition for key, condition in options.filters.items() if not about(key)},
    )


def only(options: RunOptions, tables: Sequence[TableId]) -> RunOptions:
    """The options with these tables selected, and what they say of them."""
    names = {name for table in tables for name in (table.name, str(table))}

    def about(key: str) -> bool:
        return key in names or any(key.startswith(f"{name}.") for name in names)

    chosen = wanted(tables, options)
    return replace(
        options,
        tables=tuple(chosen.values()),
        exclude=(),
        renames={key: name for key, name in options.renames.items() if about(key)},
        exclude_columns=(),  # the selections have them
        filters={key: condition for key, condition in options.filters.items() if about(key)},
    )
