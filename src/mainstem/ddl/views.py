"""Views: which can come along, in which order, and their queries on the target.

Import it only when there are views: it brings all of sqlglot with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from graphlib import TopologicalSorter

from sqlglot import exp
from sqlglot.optimizer.scope import traverse_scope

from mainstem.contract.dialect import PRIMARY_KEY, ColumnType, Dialect, Rendered, TargetDialect, Use
from mainstem.ddl.expressions import TargetColumn, parse
from mainstem.ddl.layout import Layout
from mainstem.errors import PlanError
from mainstem.model.names import TableId
from mainstem.model.plan import ReportItem, Severity, Statement
from mainstem.model.schema import View
from mainstem.model.types import Kind

_REMEDY = "create it by hand once the tables are there"


@dataclass(frozen=True, slots=True)
class _Relation:
    """A table or view that a query may name.

    Attributes:
        columns: by the source's name, or by it in lower case.
        key: the primary key's columns on the target; empty if unknown.
    """

    target: TableId
    columns: Mapping[str, TargetColumn]
    key: tuple[str, ...] = ()


def create_views(
    views: Sequence[View],
    layouts: Mapping[TableId, Layout],
    names: Mapping[TableId, TableId],
    source: Dialect,
    target: TargetDialect,
    *,
    whole: bool,
) -> Rendered:
    """The views that use nothing but what is copied, each after those that it uses itself.

    Args:
        layouts: what is copied, by the source's name.
        names: the views' names on the target.
        whole: the entire source is copied, so that a view that can't come along is a loss and not the user's wish.
    """
    known = {id_: _table(layout, source, target) for id_, layout in layouts.items()}
    statements: list[Statement] = []
    report: list[ReportItem] = []
    for view, tree in _parsed(views, source, report):
        try:
            rendered, relation = _create_view(view, tree, names[view.id], known, source, target)
        except PlanError as exc:
            severity = Severity.WARNING if whole else Severity.INFO
            message = f"the view is not made: {exc.message}"
            report.append(ReportItem(severity, "view_left_out", str(view.id), message, exc.remedy or _REMEDY))
            continue
        known[view.id] = relation
        statements += rendered.statements
        report += rendered.report
    return Rendered(tuple(statements), tuple(report))


def _table(layout: Layout, source: Dialect, target: TargetDialect) -> _Relation:
    columns = layout.expressions(source, target, {}).columns
    return _Relation(layout.target.id, columns, () if layout.exists else layout.target.primary_key)


def _parsed(views: Sequence[View], source: Dialect, report: list[ReportItem]) -> Iterable[tuple[View, exp.Expr]]:
    """The views that are understood, each after those that it uses."""
    trees: dict[TableId, exp.Expr] = {}
    for view in views:
        try:
            trees[view.id] = _parse(view, source)
        except PlanError as exc:
            message = f"the view is not made: {exc.message}"
            report.append(ReportItem(Severity.WARNING, "view_left_out", str(view.id), message, exc.remedy or _REMEDY))
    by_id = {view.id: view for view in views}
    order = TopologicalSorter({id_: _used(id_, tree) & trees.keys() for id_, tree in trees.items()})
    return [(by_id[id_], trees[id_]) for id_ in order.static_order()]


def _parse(view: View, source: Dialect) -> exp.Expr:
    if not view.definition:
        raise PlanError("its definition is hidden from this user", remedy="grant the user SHOW VIEW on the database")
    tree = parse(view.definition, source)
    if not isinstance(tree, exp.Query):
        raise PlanError("its definition is not a query")
    return tree


def _used(view: TableId, tree: exp.Expr) -> set[TableId]:
    return {_named(table, view.schema) for table in tree.find_all(exp.Table)} - {view}


def _named(table: exp.Table, schema: str) -> TableId:
    return TableId(table.db or schema, table.name)


def _create_view(
    view: View,
    tree: exp.Expr,
    id_: TableId,
    known: Mapping[TableId, _Relation],
    source: Dialect,
    target: TargetDialect,
) -> tuple[Rendered, _Relation]:
    _resolve(tree, view.id.schema, known)
    folded = _folded(tree)
    neutral = source.neutral_expression(tree)
    query = target.render_expression(neutral, Use.VALUE)
    columns = {name.lower(): column for name, column in _outputs(neutral).items()}
    rendered = target.create_view(id_, query, view)
    if folded:
        rendered = replace(rendered, report=(*rendered.report, _compares_without_case(id_, folded)))
    return rendered, _Relation(id_, columns)


def _folded(tree: exp.Expr) -> list[str]:
    """The columns that are compared, grouped or sorted as text without regard to case in the source."""
    names = {
        column.name: None
        for node in tree.find_all(exp.Predicate, exp.Group, exp.Distinct)
        for column in node.find_all(exp.Column)
        if (known := column.meta.get(ColumnType.META)) and known.folds and known.type.kind is Kind.TEXT
    }
    return list(names)


def _compares_without_case(view: TableId, columns: Sequence[str]) -> ReportItem:
    return ReportItem(
        Severity.INFO,
        "view_collation",
        str(view),
        f"the view compares text without regard to case in the source, and with it here: {', '.join(columns)}",
        "use citext for these columns, or compare lower(column), where the difference matters",
    )


def _outputs(query: exp.Expr) -> dict[str, TargetColumn]:
    """The columns that a resolved query returns; their type is known where they are plain columns."""
    outputs = {}
    for projection in query.selects if isinstance(query, exp.Query) else []:
        type_: ColumnType | None = projection.unalias().meta.get(ColumnType.META)
        outputs[projection.alias_or_name] = TargetColumn(projection.alias_or_name, type_)
    return outputs


def _resolve(tree: exp.Expr, schema: str, known: Mapping[TableId, _Relation]) -> None:
    """Give tables and columns the target's names, and columns their types; `PlanError` for one that is not copied."""
    done: set[int] = set()
    tables: list[tuple[exp.Table, _Relation]] = []
    of_select: dict[int, Mapping[str, Mapping[str, TargetColumn]]] = {}
    for scope in traverse_scope(tree):
        sources: dict[str, Mapping[str, TargetColumn]] = {}
        for name, (_, origin) in scope.selected_sources.items():
            if isinstance(origin, exp.Table):
                relation = _relation(origin, schema, known)
                tables.append((origin, relation))
                sources[name] = relation.columns
            else:
                sources[name] = {key.lower(): column for key, column in _scope_outputs(origin.expression).items()}
        of_select[id(scope.expression)] = sources
        for column in scope.columns:
            name = column.table or _only(sources, column)
            if id(column) not in done and name in sources:
                done.add(id(column))
                _settle_column(column, sources[name])
    for table, relation in tables:
        _settle_table(table, relation)
    for column in list(tree.find_all(exp.Column)):
        if id(column) not in done:
            _settle_unscoped(column, of_select)


def _settle_unscoped(column: exp.Column, of_select: Mapping[int, Mapping[str, Mapping[str, TargetColumn]]]) -> None:
    """A name without a table behind the SELECT list (HAVING, ORDER BY): of the list, or a column of the one table."""
    select = column.find_ancestor(exp.Select)
    sources = of_select.get(id(select), {})
    name = _only(sources, column) if not column.table else ""
    listed = select is not None and column.name in {projection.alias for projection in select.selects}
    if name and listed and not isinstance(column.parent, exp.Ordered):
        raise PlanError(f"it uses {column.name}, which is both a column and a name of the SELECT list")
    if name and not listed:
        _settle_column(column, sources[name])
    else:
        _settle_alias(column)


def _only(sources: Mapping[str, Mapping[str, TargetColumn]], column: exp.Column) -> str:
    """The one table of a query, which a column without a table is of, unless it is a name of the SELECT list."""
    if len(sources) != 1:
        return ""
    name, columns = next(iter(sources.items()))
    order = column.parent.parent if isinstance(column.parent, exp.Ordered) else None
    select = order.parent if order is not None else None
    named = isinstance(select, exp.Query) and column.name in {item.alias for item in select.selects}
    return name if not named and (column.name in columns or column.name.lower() in columns) else ""


def _scope_outputs(query: exp.Expr) -> dict[str, TargetColumn]:
    """What a derived table or a common table expression returns, under the names that it declares for its columns."""
    outputs = _outputs(query)
    holder = query.parent
    declared = holder.args["alias"].columns if isinstance(holder, exp.CTE) and holder.args.get("alias") else []
    return {
        name.name: TargetColumn(name.name, column.type)
        for name, column in zip(declared, outputs.values(), strict=False)
    } or outputs


def _relation(table: exp.Table, schema: str, known: Mapping[TableId, _Relation]) -> _Relation:
    id_ = _named(table, schema)
    if id_ not in known:
        raise PlanError(f"it uses {id_}, which is not copied")
    return known[id_]


def _settle_column(column: exp.Column, columns: Mapping[str, TargetColumn]) -> None:
    found = columns.get(column.name) or columns.get(column.name.lower())
    if found is None:
        raise PlanError(f"it uses column {column.name} of {column.table}, which is not copied")
    column.set("this", exp.to_identifier(found.name, quoted=True))
    column.set("db", None)
    column.set("catalog", None)
    column.meta[ColumnType.META] = found.type


def _settle_table(table: exp.Table, relation: _Relation) -> None:
    """The target's name; the query goes on to call it what it did."""
    if not table.alias and table.name != relation.target.name:
        table.set("alias", exp.TableAlias(this=exp.to_identifier(table.name, quoted=True)))
    table.set("this", exp.to_identifier(relation.target.name, quoted=True))
    table.set("db", exp.to_identifier(relation.target.schema, quoted=True))
    table.meta[PRIMARY_KEY] = relation.key


def _settle_alias(column: exp.Column) -> None:
    """A name of the SELECT list: what stands there, as only ORDER BY takes such names everywhere, and only alone."""
    select = column.find_ancestor(exp.Query)
    projections = {projection.alias: projection for projection in select.selects} if select is not None else {}
    if column.table or column.name not in projections:
        raise PlanError(f"it uses column {column.name}, which is not known")
    if not isinstance(column.parent, exp.Ordered):
        inner = projections[column.name].unalias().copy()
        column.replace(exp.paren(inner) if isinstance(inner, (exp.Binary, exp.Unary)) else inner)
