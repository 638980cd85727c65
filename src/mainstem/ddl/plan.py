"""From a catalog and the user's options to the migration plan: statements in their order, and what can't come along."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mainstem.contract.dialect import Dialect, Rendered, TargetDialect, Translate
from mainstem.ddl import remarks
from mainstem.ddl.layout import (
    Layout,
    choose_types,
    keep_foreign_keys,
    lay_out,
    referenced_uniques,
    settle_generated,
)
from mainstem.ddl.naming import Names
from mainstem.ddl.overrides import explicit_name, refuse_taken, with_overrides
from mainstem.ddl.selection import Selected, select
from mainstem.errors import InvalidError, PlanError
from mainstem.model.names import TableId
from mainstem.model.plan import MigrationPlan, Phase, ReportItem, Statement, TablePlan
from mainstem.model.run import RunOptions, SchemaPolicy, TableSelection
from mainstem.model.schema import Catalog, Column, Table
from mainstem.model.schema import Sequence as SchemaSequence

_PHASES = tuple(Phase)
_ALWAYS = (Phase.SEQUENCES, Phase.ANALYZE)


@dataclass(slots=True)
class _Parts:
    """Statements and report items as they come up."""

    statements: list[Statement] = field(default_factory=list)
    report: list[ReportItem] = field(default_factory=list)

    def add(self, rendered: Rendered, keep: Callable[[Statement], bool] = lambda statement: True) -> None:
        self.statements += [statement for statement in rendered.statements if keep(statement)]
        self.report += rendered.report


def build_plan(
    catalog: Catalog,
    options: RunOptions,
    source: Dialect,
    target: TargetDialect,
    target_schema: str,
    queries: Mapping[str, tuple[Column, ...]] | None = None,
    existing: Mapping[TableId, tuple[str, ...]] | None = None,
) -> MigrationPlan:
    """Plan a migration. Pure: everything that must be asked of either side is in the arguments.

    Args:
        catalog: of the source; may hold more than is selected.
        queries: for each selection that is a query, by its name, the columns that it returns.
        existing: tables (and views) that the target has and keeps, with their columns. No structure is made for
            them, only their counters are set and their statistics taken. Leave out what the policy will drop.

    Raises:
        NotFoundError: a selected table or column that is not in the catalog.
        PlanError: an existing table lacks columns, or a type override cannot be written to.
        InvalidError: two selections of one name, or a query without columns.
    """
    existing = {} if options.schema_policy is SchemaPolicy.DROP_AND_RECREATE else (existing or {})
    new_name = Names(target.names, folds=target.names.folds_tables)
    layouts = _lay_out(catalog, options, target, target_schema, queries or {}, existing, new_name)
    sequences = _sequence_names(catalog, layouts, options, target_schema, new_name)
    view_ids = {view.id: TableId(target_schema, new_name(view.id.name)) for view in catalog.views}
    own = source.sql_name == target.sql_name
    parts = _Parts(report=choose_types(layouts, target, options.type_overrides, new_name, own=own))
    for layout in layouts:
        settle_generated(layout, layout.translator(source, target, sequences))
    keep_foreign_keys(layouts)
    _check_existing(layouts, existing)

    makes = options.structure.tables and options.schema_policy is not SchemaPolicy.VALIDATE
    if makes:
        parts.add(target.create_schema(target_schema))
        if options.schema_policy is SchemaPolicy.DROP_AND_RECREATE:
            _drop(parts, layouts, [*view_ids.values()] if options.structure.views else [], sequences, target)
        only_missing = options.schema_policy is SchemaPolicy.CREATE_MISSING
        for sequence in catalog.sequences:
            if sequence.id in sequences:
                renamed = replace(sequence, id=sequences[sequence.id])
                parts.add(target.create_sequence(renamed, only_missing=only_missing))
    uniques = referenced_uniques(layouts)
    for layout in layouts:
        translate = layout.translator(source, target, sequences)
        _add_table(parts, layout, options, target, translate, new_name, uniques.get(layout.target.id, []))
    if catalog.views and options.structure.views and options.schema_policy is not SchemaPolicy.VALIDATE:
        from mainstem.ddl import views

        known = {layout.source.id: layout for layout in layouts}
        rendered = views.create_views(catalog.views, known, view_ids, source, target, whole=not options.tables)
        there = {str(id_) for id_ in existing}
        parts.add(rendered, lambda statement: statement.object not in there)
    parts.report += remarks.remarks(catalog, layouts, whole=not options.tables, own=own)
    return MigrationPlan(
        tables=tuple(_table_plan(layout, options, source, target) for layout in layouts),
        statements=tuple(sorted(parts.statements, key=lambda statement: _PHASES.index(statement.phase))),
        report=tuple(dict.fromkeys([item for layout in layouts for item in layout.report] + parts.report)),
    )


def _lay_out(
    catalog: Catalog,
    options: RunOptions,
    target: TargetDialect,
    schema: str,
    queries: Mapping[str, tuple[Column, ...]],
    existing: Mapping[TableId, tuple[str, ...]],
    new_name: Names,
) -> list[Layout]:
    chosen = select(catalog.tables, options)
    chosen += [Selected(_query_table(selection, queries), selection) for selection in options.tables if selection.query]
    _refuse_doubles(selected.table.id.name for selected in chosen)
    chosen = with_overrides(chosen, options)
    _reserve_wished(chosen, target, new_name)
    layouts = []
    for selected in chosen:
        id_ = TableId(schema, selected.selection.target or new_name(selected.table.id.name))
        layout = lay_out(selected, id_, target.names)
        layout.exists = id_ in existing
        layouts.append(layout)
    return layouts


def _reserve_wished(chosen: Sequence[Selected], target: TargetDialect, new_name: Names) -> None:
    """Keep the names that the user gives to tables; `InvalidError` for one that another table would have."""
    if any(selected.selection.target for selected in chosen):
        names = {str(item.table.id): item.selection.target or item.table.id.name for item in chosen}
        refuse_taken(names, "tables", folds=target.names.folds_tables)
    for item in chosen:
        if item.selection.target:
            new_name.reserve(explicit_name(item.selection.target, target.names, str(item.table.id)))


def _query_table(selection: TableSelection, queries: Mapping[str, tuple[Column, ...]]) -> Table:
    """A query's result as a table: its columns, and nothing else."""
    columns = queries.get(selection.name, ())
    if not columns:
        raise InvalidError(
            f"the query for table {selection.name} returns no columns", fields={"tables": "a query without columns"}
        )
    _refuse_doubles(column.name for column in columns)
    return Table(TableId("", selection.name), tuple(replace(column, identity=False) for column in columns))


def _refuse_doubles(names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InvalidError(
                f"the name {name} occurs twice",
                fields={"tables": f"{name} occurs twice"},
                remedy="give one of the two another name",
            )
        seen.add(name)


def _sequence_names(
    catalog: Catalog, layouts: Sequence[Layout], options: RunOptions, schema: str, new_name: Names
) -> dict[TableId, TableId]:
    """Target names of the sequences: of all when the whole source is copied, else of those that defaults use."""
    texts = [
        column.default.text for layout in layouts for column in layout.source.columns if column.default is not None
    ]

    def wanted(sequence: SchemaSequence) -> bool:
        return not options.tables or any(f"`{sequence.id.name}`" in text or sequence.id.name in text for text in texts)

    return {
        sequence.id: TableId(schema, new_name(sequence.id.name)) for sequence in catalog.sequences if wanted(sequence)
    }


def _check_existing(layouts: Sequence[Layout], existing: Mapping[TableId, tuple[str, ...]]) -> None:
    for layout in layouts:
        if not layout.exists:
            continue
        there = set(existing[layout.target.id])
        missing = [column.target for column in layout.plan().columns if column.target not in there]
        if missing:
            raise PlanError(
                f"table {layout.target.id} exists and lacks the column{'s'[: len(missing) > 1]} {', '.join(missing)}",
                remedy="add them, select fewer columns, or choose the schema policy drop_and_recreate",
                table=str(layout.target.id),
            )


def _drop(
    parts: _Parts,
    layouts: Sequence[Layout],
    view_ids: Sequence[TableId],
    sequences: Mapping[TableId, TableId],
    target: TargetDialect,
) -> None:
    parts.add(target.drop_tables([layout.target.id for layout in layouts], view_ids, list(sequences.values())))
    for layout in layouts:
        for type_ in layout.types.values():
            parts.statements += type_.drops


def _add_table(
    parts: _Parts,
    layout: Layout,
    options: RunOptions,
    target: TargetDialect,
    translate: Translate,
    new_name: Names,
    referenced: Sequence[set[str]],
) -> None:
    table, structure = layout.target, options.structure
    fresh = not layout.exists and options.schema_policy is not SchemaPolicy.VALIDATE
    if fresh and structure.tables:
        made = table if structure.checks else replace(table, checks=())
        parts.add(target.create_table(made, layout.types, translate))
    if fresh:
        indexes = structure.indexes and not layout.selection.skip_indexes
        keyed = replace(
            table,
            # without tables of ours there is no saying whether they have a primary key
            primary_key=table.primary_key if structure.tables else (),
            indexes=tuple(index for index in table.indexes if indexes or remarks.needed(index, referenced)),
            checks=table.checks if structure.checks else (),
        )
        parts.report += remarks.skipped_indexes(table, keyed)
        parts.add(target.create_keys(keyed, layout.types, translate, new_name))
        if structure.foreign_keys:
            for key in table.foreign_keys:
                parts.add(target.create_foreign_key(table.id, key, new_name))
    everything = fresh and structure.tables
    parts.add(target.finish_table(table, layout.types), lambda statement: everything or statement.phase in _ALWAYS)


def _table_plan(layout: Layout, options: RunOptions, source: Dialect, target: TargetDialect) -> TablePlan:
    plan = layout.plan()
    if layout.selection.query:
        plan = replace(plan, query=layout.selection.query, where="")
    if options.max_rows:  # raw rows cannot be cut off at a limit
        return plan
    return replace(plan, raw=target.raw_format(plan, source))
