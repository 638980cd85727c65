"""What the report says of a plan beside what came up while it was made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mainstem.ddl import objects
from mainstem.ddl.layout import Layout
from mainstem.errors import PlanError
from mainstem.model.plan import ReportItem, Severity
from mainstem.model.schema import Catalog, Index, OtherObject, Table, View
from mainstem.model.types import Kind

_BY_HAND = "make it by hand, where it is needed"
_OTHERS: dict[str, tuple[Severity, str, str]] = {
    "system_versioning": (
        Severity.WARNING,
        "only the present rows of a system-versioned table are copied, not their history",
        "copy the history by a query with FOR SYSTEM_TIME ALL",
    ),
    "period": (
        Severity.WARNING,
        "a period becomes a check that its start is before its end; keys WITHOUT OVERLAPS let overlapping rows in",
        "make the period and its keys by hand (PostgreSQL: an exclusion constraint), where they are needed",
    ),
    "hidden_structure": (
        Severity.WARNING,
        "the table has foreign keys or checks that the source does not show to this user; they are not made",
        "GRANT SHOW VIEW ON the database TO the user",
    ),
    "unenforced_check": (Severity.INFO, "a check that the source does not enforce is not made", ""),
    "foreign_table": (
        Severity.WARNING,
        "a foreign table needs its server and is not made",
        "name it among the tables to copy its rows into a plain table",
    ),
    "sequence_value": (
        Severity.WARNING,
        "the source does not show this user where the sequence stands; it begins anew",
        "GRANT SELECT ON the sequence TO the user",
    ),
    "operator": (Severity.WARNING, "operators of one's own are not made", _BY_HAND),
    "operator_class": (Severity.WARNING, "operator classes of one's own are not made", _BY_HAND),
    "conversion": (Severity.WARNING, "conversions of encodings are not made", _BY_HAND),
    "text_search": (Severity.WARNING, "dictionaries and configurations of text search are not made", _BY_HAND),
    "event_trigger": (Severity.WARNING, "triggers of events are not made", _BY_HAND),
    "publication": (Severity.WARNING, "publications are not made", _BY_HAND),
}

_UNMAPPED = "unmapped_characters"


def remarks(catalog: Catalog, layouts: Sequence[Layout], *, whole: bool, own: bool = False) -> list[ReportItem]:
    """One pass over what was selected.

    Args:
        whole: the entire source is copied, so objects of no table count too.
        own: source and target are systems of one kind, so that less is lost.
    """
    names = {layout.source.id.name for layout in layouts}
    copied = {layout.source.id for layout in layouts}
    others = [other for other in catalog.others if other.kind != _UNMAPPED]
    others = [other for other in others if other.kind != "foreign_table" or other.id not in copied]
    report = [_other(other) for other in others if other.table in names or (whole and not other.table)]
    if not own:
        report += [_no_columns(table) for table in catalog.tables if whole and not table.columns]
        report += objects.left_out(catalog.objects, copied, whole=whole)
    for layout in layouts:
        if not layout.exists and not own:
            report += _collations(layout)
            report += _invisible(layout)
            report += _parsed(layout)
            report += _shapes(layout)
    return report


def refuse_lost_characters(catalog: Catalog, layouts: Sequence[Layout]) -> None:
    """`PlanError` for text whose characters the source cannot say in Unicode: it would send question marks."""
    lost = {(other.table, other.id.name) for other in catalog.others if other.kind == _UNMAPPED}
    for layout in layouts:
        for column in layout.names:
            if (layout.source.id.name, column) in lost and layout.source.id.schema:
                raise PlanError(
                    f"{layout.source.id}.{column} holds characters of its character set that Unicode does not have;"
                    " they would arrive as question marks",
                    remedy="leave the column out (excludeColumns), or read its bytes by a query, CAST(x AS BINARY)",
                    table=str(layout.source.id),
                    column=column,
                )


def _no_columns(table: Table) -> ReportItem:
    return ReportItem(Severity.WARNING, "table_left_out", str(table.id), "a table without columns cannot be made")


def _shapes(layout: Layout) -> Iterable[ReportItem]:
    """What a table is beside its columns."""
    table = layout.source
    told = {
        "partitioning_left_out": ("a partitioned table becomes one plain table", bool(table.partition_key)),
        "inheritance_left_out": ("a table that inherits becomes a plain table", bool(table.parents)),
    }
    for code, (message, true) in told.items():
        if true:
            yield ReportItem(Severity.INFO, code, str(table.id), message)
    for other in table.constraints:
        yield ReportItem(
            Severity.WARNING,
            "constraint_left_out",
            f"{table.id}.{other.name}",
            f"the target has no constraint of this kind: {other.expression}",
            "keep to it by other means",
        )


def _other(other: OtherObject) -> ReportItem:
    severity, message, remedy = _OTHERS.get(other.kind, (Severity.WARNING, f"a {other.kind} is not translated", ""))
    object_ = f"{other.id.schema}.{other.table}.{other.id.name}" if other.table not in ("", other.id.name) else other.id
    return ReportItem(severity, f"{other.kind}_left_out", str(object_), message, remedy)


def _collations(layout: Layout) -> Iterable[ReportItem]:
    table = layout.source
    keyed = {*table.primary_key, *(part.column for index in table.indexes if index.unique for part in index.parts)}
    keyed |= {name for key in table.foreign_keys for name in key.columns}
    names = [
        column.name
        for column in table.columns
        if column.name in keyed and column.type.kind is Kind.TEXT and column.collation.lower().endswith("_ci")
    ]
    if names:
        yield ReportItem(
            Severity.INFO,
            "collation_case_insensitive",
            str(table.id),
            f"keys compare without case in the source and with case in the target: {', '.join(names)}",
            "use citext, or a unique index on lower(column), where the difference matters",
        )


def _invisible(layout: Layout) -> Iterable[ReportItem]:
    for column in layout.source.columns:
        if column.invisible and column.name in layout.names:
            yield ReportItem(
                Severity.INFO,
                "invisible_column",
                f"{layout.source.id}.{column.name}",
                "the column is invisible in the source (SELECT * does not show it) and ordinary in the target",
            )


def _parsed(layout: Layout) -> Iterable[ReportItem]:
    """JSON that the source keeps as the text that it was given (MariaDB), and the target as its meaning."""
    names = [
        column.name
        for column in layout.source.columns
        if column.type.kind is Kind.JSON
        and column.native.startswith("longtext")
        and column.name in layout.names
        and layout.types[layout.names[column.name]].sql == "jsonb"
    ]
    if names:
        yield ReportItem(
            Severity.INFO,
            "json_parsed",
            str(layout.source.id),
            "the JSON becomes jsonb, which keeps neither spaces nor the order of keys, and of equal keys the last:"
            f" {', '.join(names)}",
            "choose the type json for these columns (typeOverrides, --type) to keep the text as it is",
        )


def materialized(views: Iterable[View]) -> Iterable[ReportItem]:
    """Views that only PostgreSQL has."""
    for view in views:
        if view.materialized:
            yield ReportItem(
                Severity.WARNING,
                "materialized_view_left_out",
                str(view.id),
                "the target has no materialized views",
                "name it among the tables: its rows are then copied into a plain table",
            )


def needed(index: Index, referenced: Sequence[set[str]]) -> bool:
    """Whether a foreign key refers to this unique index, so that it can't be skipped."""
    return index.unique and {part.column for part in index.parts} in referenced


def skipped_indexes(table: Table, kept: Table) -> Iterable[ReportItem]:
    """What the user's wish to have no indexes leaves out."""
    left = [index.name for index in table.indexes if index not in kept.indexes]
    if left:
        unique = [index.name for index in table.indexes if index.unique and index not in kept.indexes]
        warning = f"; of these, {', '.join(unique)} would have kept values unique" if unique else ""
        yield ReportItem(
            Severity.WARNING if unique else Severity.INFO,
            "indexes_skipped",
            str(table.id),
            f"as asked, these indexes are not made: {', '.join(left)}{warning}",
        )
