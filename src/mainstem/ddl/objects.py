"""What only one kind of system has: made where source and target are of that kind, told of elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from mainstem.contract.dialect import Rendered, TargetDialect
from mainstem.model.names import TableId, listed
from mainstem.model.plan import ReportItem, Severity, Statement
from mainstem.model.schema import Catalog, NativeObject

_BY_HAND = "write it anew for the target, where it is needed"
# What a kind is called, how much its loss matters, and what one can do about it. A kind that is not here is an INFO.
_KINDS: dict[str, tuple[str, Severity, str]] = {
    "trigger": ("triggers", Severity.WARNING, _BY_HAND),
    "function": ("functions", Severity.WARNING, _BY_HAND),
    "procedure": ("procedures", Severity.WARNING, _BY_HAND),
    "routine": ("procedures and functions", Severity.WARNING, _BY_HAND),
    "aggregate": ("aggregate functions", Severity.WARNING, _BY_HAND),
    "event": ("scheduled events", Severity.WARNING, "schedule it outside the database, or by the target's means"),
    "rule": ("rules", Severity.WARNING, _BY_HAND),
    "policy": ("policies of row level security", Severity.WARNING, "restrict who may read the tables by other means"),
    "row_security": ("row level security", Severity.WARNING, "restrict who may read the tables by other means"),
    "domain": ("domains", Severity.INFO, "columns get the base type, and the domain's checks and default"),
    "composite": ("composite types", Severity.INFO, ""),
    "range": ("range types", Severity.INFO, ""),
    "extension": ("extensions", Severity.INFO, ""),
    "collation": ("collations", Severity.INFO, "columns get the collation of the target's choice"),
    "statistics": ("extended statistics", Severity.INFO, ""),
}
_SILENT = frozenset({"enum", "column_setting", "comment", "schema_comment", "replica_identity", "cluster"})
"""Enumerated types, which go with their columns; a system's own settings; comments that the other has no place for."""


def create_objects(
    catalog: Catalog, copied: set[TableId], fresh: set[TableId], target: TargetDialect, *, whole: bool, missing: bool
) -> Rendered:
    """All that the copied tables need; with ``whole`` everything else as well.

    Args:
        copied: tables and views that are there in the end, by the source's names; ``fresh``: those made by this run.
        missing: what the target has already is kept.
    """
    statements: list[Statement] = []
    report: list[ReportItem] = []
    for object_ in wanted(catalog.objects, copied, fresh, whole=whole):
        needed = not fresh.isdisjoint(object_.needed_by)
        rendered = target.create_object(object_, needed=needed, only_missing=missing)
        statements += rendered.statements
        report += rendered.report
    return Rendered(tuple(statements), tuple(report))


def wanted(
    objects: Iterable[NativeObject], copied: set[TableId], fresh: set[TableId], *, whole: bool
) -> Iterator[NativeObject]:
    """What hangs on a table goes with it; what tables need, with them; the rest comes when all is copied."""
    for object_ in objects:
        if object_.table is not None:
            if object_.table in fresh:
                yield object_
        elif whole or not copied.isdisjoint(object_.needed_by):
            yield object_


def moved_bodies(objects: Iterable[NativeObject]) -> Iterator[ReportItem]:
    """Functions whose bodies may name what is called otherwise on the target, in ways that cannot be followed."""
    names = [str(object_.id) for object_ in objects if object_.kind in ("function", "procedure")]
    if names:
        message = (
            f"names have changed in the bodies of {len(names)} functions where these write them with their schema;"
            f" names that a body puts together, or finds by its search path, stay: {listed(names)}"
        )
        yield ReportItem(Severity.INFO, "functions_moved", names[0], message, "look through these functions")


def left_out(objects: Sequence[NativeObject], copied: set[TableId], *, whole: bool) -> Iterator[ReportItem]:
    """One report item for each kind that a target of another kind cannot have."""
    by_kind: dict[str, list[str]] = {}
    for object_ in wanted(objects, copied, copied, whole=whole):
        if object_.kind not in _SILENT:
            table = f"{object_.table.name}." if object_.table and object_.table != object_.id else ""
            by_kind.setdefault(object_.kind, []).append(f"{object_.id.schema}.{table}{object_.id.name}")
    for kind, names in by_kind.items():
        called, severity, remedy = _KINDS.get(kind, (f"objects of the kind {kind}", Severity.INFO, ""))
        count = f"{len(names)} {called} are" if len(names) > 1 else "it is"
        message = f"{count} left out, as the target has no equal for {called}: {listed(names)}"
        yield ReportItem(severity, f"{kind}_left_out", names[0], message, remedy)
