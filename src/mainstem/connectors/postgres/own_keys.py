"""From PostgreSQL to PostgreSQL: keys, indexes and constraints, by the definitions that the source itself writes.

Each part of a partitioned table gets its own, under its own name, which is then attached to the whole's.
"""

from __future__ import annotations

from collections.abc import Iterator

from mainstem.connectors.postgres.features import check_known
from mainstem.connectors.postgres.keys import Names
from mainstem.connectors.postgres.literals import string
from mainstem.contract.dialect import NewName, Rendered, Translate, Use
from mainstem.errors import PlanError
from mainstem.model.names import TableId
from mainstem.model.plan import Phase, ReportItem, Severity, Statement
from mainstem.model.schema import Check, Index, Table, TableKind

_PARTS = (TableKind.PARTITIONED, TableKind.PARTITION)


def create_keys(names: Names, table: Table, translate: Translate, new_name: NewName, version: int) -> Rendered:
    """Phase KEYS; what cannot be made is in the report."""
    statements: list[Statement] = []
    report: list[ReportItem] = []
    if table.primary_key:
        try:
            check_known(table.primary_key_definition, version)
            statements.append(_primary_key(names, table, translate, new_name))
        except PlanError as exc:
            report.append(_left_out("primary_key", table, table.primary_key_name, exc))
    for index in sorted(table.indexes, key=lambda index: not index.unique):
        try:
            check_known(index.definition, version)
            statements += create_index(names, table, index, translate, new_name)
        except PlanError as exc:
            report.append(_left_out("index", table, index.name, exc))
    for check in table.checks:
        try:
            body = f"CHECK ({translate(check.expression, Use.CONDITION)}){'' if check.inherited else ' NO INHERIT'}"
            statements.append(_constraint(names, table, check, f"{body}{'' if check.validated else ' NOT VALID'}"))
        except PlanError as exc:
            report.append(_left_out("check", table, check.name, exc))
    for other in table.constraints:
        try:
            check_known(other.expression, version)
            statements.append(_constraint(names, table, other, translate(other.expression)))
        except PlanError as exc:
            report.append(_left_out("constraint", table, other.name, exc))
    return Rendered(tuple(statements), tuple(report))


def _constraint(names: Names, table: Table, check: Check, body: str) -> Statement:
    sql = f"ALTER TABLE {names.qualified(table.id)} ADD CONSTRAINT {names.quote(check.name)} {body}"
    return Statement(Phase.KEYS, sql, f"{table.id}.{check.name}", table.id, optional=True)


def _primary_key(names: Names, table: Table, translate: Translate, new_name: NewName) -> Statement:
    name = new_name(table.primary_key_name or f"{table.id.name}_pkey")
    columns = ", ".join(names.quote(column) for column in table.primary_key)
    body = translate(table.primary_key_definition) if table.primary_key_definition else f"PRIMARY KEY ({columns})"
    sql = f"ALTER TABLE {_only(table)}{names.qualified(table.id)} ADD CONSTRAINT {names.quote(name)} {body}"
    sql += _attach(names, table, name, table.primary_key_part_of)
    return Statement(Phase.KEYS, sql, f"{table.id} primary key", table.id, index=_leaf(table))


def _only(table: Table) -> str:
    return "ONLY " if table.kind in _PARTS else ""


def _leaf(table: Table) -> bool:
    """A partition that holds rows: its indexes take time, and may be built side by side."""
    return table.kind is TableKind.PARTITION and not table.partition_key


def _attach(names: Names, table: Table, name: str, part_of: TableId | None) -> str:
    if part_of is None or table.kind is not TableKind.PARTITION:
        return ""
    return (
        f";\nALTER INDEX {names.qualified(part_of)} ATTACH PARTITION {names.qualified(TableId(table.id.schema, name))}"
    )


def create_index(
    names: Names, table: Table, index: Index, translate: Translate, new_name: NewName, phase: Phase = Phase.KEYS
) -> Iterator[Statement]:
    """An index or unique constraint, with its comment. `PlanError` if it uses what is not copied."""
    name = new_name(index.name)
    quoted, qualified = names.quote(name), names.qualified(table.id)
    body, object_ = translate(index.definition, Use.STORED), f"{table.id}.{index.name}"
    if index.constraint:
        sql = f"ALTER TABLE {_only(table)}{qualified} ADD CONSTRAINT {quoted} {body}"
    else:
        sql = f"CREATE {'UNIQUE ' * index.unique}INDEX {quoted} ON {_only(table)}{qualified} {body}"
    sql += _attach(names, table, name, index.part_of)
    whole = table.kind in _PARTS and not _leaf(table)
    yield Statement(phase, sql, object_, table.id, optional=not index.unique, index=not whole)
    if index.comment and not index.constraint:
        comment = f"COMMENT ON INDEX {names.qualified(TableId(table.id.schema, name))} IS {string(index.comment)}"
        yield Statement(Phase.COMMENTS, comment, object_, table.id, optional=True, index=True)


def _left_out(what: str, table: Table, name: str, exc: PlanError) -> ReportItem:
    return ReportItem(
        Severity.WARNING,
        f"{what}_left_out",
        f"{table.id}.{name}",
        f"the {what.replace('_', ' ')} is not made: {exc.message}",
        exc.remedy or "make it by hand afterwards",
    )
