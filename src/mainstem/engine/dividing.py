"""Asks both systems which tables of a stream may be applied apart, and tells what is done."""

from __future__ import annotations

from collections.abc import Sequence

from mainstem.contract.inspector import Inspector
from mainstem.engine.division import bonds, divided
from mainstem.engine.endpoint import Endpoint
from mainstem.engine.progress import Tracker
from mainstem.model.names import TableId
from mainstem.model.plan import ReportItem, Severity
from mainstem.model.schema import Catalog
from mainstem.model.stream import StreamTable

APART, WHOLE = "changes_apart", "changes_not_apart"
_ALWAYS = (" ENABLE ALWAYS TRIGGER ", " ENABLE REPLICA TRIGGER ")
_DISABLED = " DISABLE TRIGGER "
_LISTED = 10

Parts = tuple[tuple[TableId, ...], ...]


def parts_of(
    source: Endpoint, target: Endpoint, tables: Sequence[StreamTable], wanted: int, tracker: Tracker, *, fires: bool
) -> Parts:
    """The parts that the tables are applied in; none: all together.

    Args:
        wanted: `ChangeOptions.partitions`.
        fires: see `contract.apply.Applier.fires_triggers`. What a trigger writes into another part's table would wait
            for that part, which waits for the trigger.
    """
    if wanted < 2 or len(tables) < 2:
        return ()
    there = _catalog(target, [table.plan.target for table in tables], every=True)
    triggers = sorted(_firing(there, {table.plan.target for table in tables}, fires=fires))
    if triggers:
        _tell(
            tracker, Severity.WARNING, WHOLE,
            f"changes are applied table by table in one order: triggers of the target fire for them, and may write into"
            f" any table: {_listed(triggers)}",
            "drop or disable these triggers, or set partitions to 1",
        )  # fmt: skip
        return ()
    here = _catalog(source, [table.source for table in tables])
    parts = divided(tables, bonds(tables, here.tables, there.tables), wanted)
    if len(parts) < 2:
        told = "changes are applied in one order: foreign keys hold all tables together"
        _tell(tracker, Severity.INFO, WHOLE, told, "set partitions to 1")
        return ()
    told = "; ".join(_listed([str(table) for table in part]) for part in parts)
    _tell(
        tracker, Severity.INFO, APART,
        f"changes are applied in {len(parts)} parts, each in transactions of its own, so that what the source committed"
        f" at once may be seen at different times: {told}",
        "set partitions to 1 where readers of the target need whole transactions",
    )  # fmt: skip
    return parts


def _catalog(end: Endpoint, tables: Sequence[TableId], *, every: bool = False) -> Catalog:
    """What an end has of these tables, or of all tables beside them."""
    schemas = sorted({table.schema for table in tables}) if end.spec.has_schemas else ()
    with end.spec.inspector(end.settings) as inspector:
        return inspector.catalog(_present(inspector, schemas, None if every else set(tables)))


def _present(inspector: Inspector, schemas: Sequence[str], wanted: set[TableId] | None) -> list[TableId]:
    return [table for table in inspector.tables(schemas) if wanted is None or table in wanted]


def _firing(there: Catalog, tables: set[TableId], *, fires: bool) -> set[str]:
    """Triggers that fire for changes that are applied to the tables."""
    found = set()
    for item in there.objects:
        if item.kind == "trigger" and item.table in tables:
            disabled = any(_DISABLED in sql for sql in item.statements)
            always = any(word in sql for sql in item.statements for word in _ALWAYS)
            if always or (fires and not disabled):
                found.add(f"{item.table}.{item.id.name}")
    return found


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_LISTED]) + " …" * (len(names) > _LISTED)


def _tell(tracker: Tracker, severity: Severity, code: str, message: str, remedy: str) -> None:
    tracker.report(ReportItem(severity, code, "partitions", message, remedy))
