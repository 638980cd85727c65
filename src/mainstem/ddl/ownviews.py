"""Views between two systems of one kind: as the source writes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mainstem.contract.dialect import Rendered, TargetDialect
from mainstem.ddl.layout import Layout
from mainstem.errors import PlanError
from mainstem.model.names import TableId
from mainstem.model.plan import ReportItem, Severity, Statement
from mainstem.model.schema import View

_REMEDY = "create it by hand once what it uses is there"


def own_views(
    views: Iterable[View],
    layouts: Mapping[TableId, Layout],
    names: Mapping[TableId, TableId],
    target: TargetDialect,
    *,
    whole: bool,
) -> tuple[Rendered, set[TableId]]:
    """The views that use nothing but what is copied, in the catalog's order, and which they are.

    Args:
        layouts: what is copied, by the source's name; ``names``: the views' names on the target.
        whole: the entire source is copied, so that a view that can't come along is a loss and not the user's wish.
    """
    statements: list[Statement] = []
    report: list[ReportItem] = []
    made: set[TableId] = set()
    for view in views:
        try:
            _check(view, layouts, made)
            rendered = target.create_view(names[view.id], view.definition, view)
        except PlanError as exc:
            severity = Severity.WARNING if whole else Severity.INFO
            message = f"the view is not made: {exc.message}"
            report.append(ReportItem(severity, "view_left_out", str(view.id), message, exc.remedy or _REMEDY))
            continue
        made.add(view.id)
        statements += rendered.statements
        report += rendered.report
    return Rendered(tuple(statements), tuple(report)), made


def _check(view: View, layouts: Mapping[TableId, Layout], made: set[TableId]) -> None:
    if not view.definition:
        raise PlanError("its definition is hidden from this user")
    missing = [str(id_) for id_ in view.uses if id_ not in made and id_ not in layouts]
    if missing:
        raise PlanError(f"it uses {', '.join(missing)}, which is not copied")
    changed = [str(id_) for id_ in view.uses if id_ in layouts and _changed(layouts[id_])]
    if changed:
        raise PlanError(f"it uses {', '.join(changed)}, whose columns have other names or are not all copied")


def _changed(layout: Layout) -> bool:
    return any(layout.names.get(column.name) != column.name for column in layout.source.columns)
