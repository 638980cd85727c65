"""From a catalog and the user's options to the migration plan: statements in their order, and what can't come along."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mainstem.contract.dialect import Dialect, NewName, Rendered, TargetDialect, Translate
from mainstem.contract.inspector import TableStatus
from mainstem.ddl import objects, remarks
from mainstem.ddl.domains import without_domains
from mainstem.ddl.layout import (
    Layout,
    choose_types,
    keep_foreign_keys,
    lay_out,
    referenced_uniques,
    settle_generated,
    settle_parents,
    settle_parts,
)
from mainstem.ddl.ownviews import own_views
from mainstem.ddl.placement import Placement
from mainstem.ddl.places import choose, places, relocated
from mainstem.errors import PlanError
from mainstem.model.names import TableId
from mainstem.model.plan import MigrationPlan, Phase, ReportItem, Statement, TablePlan
from mainstem.model.run import RunOptions, SchemaPolicy, WriteMode
from mainstem.model.schema import Catalog, Column, NativeObject
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
    existing: Mapping[TableId, TableStatus] | None = None,
    source_schema: str = "",
    apart: bool = False,
) -> MigrationPlan:
    """Plan a migration. Pure: everything that must be asked of either side is in the arguments.

    Args:
        catalog: of the source; may hold more than is selected.
        queries: for each selection that is a query, by its name, the columns that it returns.
        existing: tables (and views) that the target has and keeps. No structure is made for
            them, only their counters are set and their statistics taken. Leave out what the policy will drop.
        source_schema: the one that goes into ``target_schema``, if the source has schemas.
        apart: both sides have schemas, so that the others keep their names.

    Raises:
        NotFoundError: a selected table or column that is not in the catalog.
        PlanError: an existing table lacks columns, a type override cannot be written to, or the target lacks an
            extension that a table needs.
        InvalidError: two selections of one name, or a query without columns.
    """
    existing = {} if options.schema_policy is SchemaPolicy.DROP_AND_RECREATE else (existing or {})
    own = source.sql_name == target.sql_name
    catalog = catalog if own else without_domains(catalog, source.quote)
    placement = Placement(target.names, target_schema, source_schema, options.schema_names, apart)
    chosen = choose(catalog, options, queries or {}, source_schema, own=own)
    found = places(catalog, chosen, options, placement, own=own)
    if own:
        catalog, chosen = relocated(catalog, chosen, found, placement, target)
    layouts = [lay_out(selected, found[selected.table.id], target.names) for selected in chosen]
    for layout in layouts:
        layout.there = existing.get(layout.target.id)
        settle_parents(layout, found)
    settle_parts(layouts)
    planner = _Planner(catalog, options, source, target, placement, found, layouts, existing, own)
    return planner.plan()


def sequences_there(
    catalog: Catalog,
    options: RunOptions,
    source: Dialect,
    target: TargetDialect,
    target_schema: str,
    source_schema: str = "",
    apart: bool = False,
) -> list[SchemaSequence]:
    """The source's sequences that stand alone, under the names that a plan gives them on the target.

    Args: as of `build_plan`.
    """
    own = source.sql_name == target.sql_name
    placement = Placement(target.names, target_schema, source_schema, options.schema_names, apart)
    chosen = choose(catalog, options, {}, source_schema, own=own)
    found = places(catalog, chosen, options, placement, own=own)
    return [replace(item, id=found[item.id]) for item in catalog.sequences if item.id in found and item.owner is None]


@dataclass(slots=True)
class _Planner:
    """What the steps of a plan share; ``found`` are the places on the target by the source's names."""

    catalog: Catalog
    options: RunOptions
    source: Dialect
    target: TargetDialect
    placement: Placement
    found: Mapping[TableId, TableId]
    layouts: list[Layout]
    existing: Mapping[TableId, TableStatus]
    own: bool
    parts: _Parts = field(default_factory=_Parts)

    def plan(self) -> MigrationPlan:
        """The whole."""
        options, layouts, parts = self.options, self.layouts, self.parts
        whole = not options.tables
        sequences = {item.id: self.found[item.id] for item in self.catalog.sequences if item.id in self.found}
        overrides = options.type_overrides
        parts.report += choose_types(layouts, self.target, overrides, self.placement.names, own=self.own)
        for layout in layouts:
            settle_generated(layout, layout.translator(self.source, self.target, sequences), self.target)
        if not self.own:
            remarks.refuse_lost_characters(self.catalog, layouts)
        keep_foreign_keys(layouts, own=self.own)
        _check_existing(layouts, self.existing)
        if options.structure.tables and options.schema_policy is not SchemaPolicy.VALIDATE:
            self._begin(sequences)
        self._add_tables(sequences)
        views = self._add_views()
        if self.own:
            self._add_objects(views, whole=whole)
        parts.report += remarks.remarks(self.catalog, layouts, whole=whole, own=self.own)
        return MigrationPlan(
            tables=tuple(self._table_plan(layout) for layout in layouts if not layout.partition),
            statements=tuple(sorted(parts.statements, key=lambda statement: _PHASES.index(statement.phase))),
            report=tuple(dict.fromkeys([item for layout in layouts for item in layout.report] + parts.report)),
        )

    def _begin(self, sequences: Mapping[TableId, TableId]) -> None:
        """Schemas, what is to go first, and sequences."""
        parts, target, policy = self.parts, self.target, self.options.schema_policy
        for schema in self._schemas(sequences):
            parts.add(target.create_schema(schema))
        if policy is SchemaPolicy.DROP_AND_RECREATE:
            views = [view.id for view in self.catalog.views if view.id not in {item.source.id for item in self.layouts}]
            dropped = [self.found[id_] for id_ in views] if self.options.structure.views else []
            _drop(parts, self.layouts, dropped, sequences, target)
            if self.own:
                parts.add(target.drop_objects(list(self._wanted(set(self._fresh())))))
        owners = {layout.source.id: layout for layout in self.layouts}
        for sequence in self.catalog.sequences:
            if sequence.id in sequences:
                owner = owners.get(sequence.owner) if sequence.owner else None
                parts.add(
                    target.create_sequence(
                        replace(
                            sequence,
                            id=sequences[sequence.id],
                            # a table that is kept, perhaps somebody else's, has counters of its own
                            owner=owner.target.id
                            if owner and not owner.exists and sequence.owner_column in owner.names
                            else None,
                            owner_column=owner.names.get(sequence.owner_column, "") if owner else "",
                        ),
                        only_missing=policy is SchemaPolicy.CREATE_MISSING,
                    )
                )

    def _schemas(self, sequences: Mapping[TableId, TableId]) -> Iterable[str]:
        """The target's schemas in which something is made."""
        used = [layout.target.id.schema for layout in self.layouts] + [id_.schema for id_ in sequences.values()]
        if not self.options.tables:
            used += [id_.schema for id_ in self.found.values()]
            used += [self.placement.schema(item.id.schema) for item in self.catalog.objects if item.kind != "extension"]
        return dict.fromkeys([self.placement.target_schema] if not self.placement.apart else [], True) | dict.fromkeys(
            used, True
        )

    def _add_tables(self, sequences: Mapping[TableId, TableId]) -> None:
        uniques = referenced_uniques(self.layouts)
        roots: dict[TableId, TableId] = {}
        for layout in self.layouts:
            parts = _Parts()
            translate = layout.translator(self.source, self.target, sequences)
            names: NewName = self.placement.names(layout.target.id.schema)
            _add_table(
                parts, layout, self.options, self.target, translate, names, _as_it_is if self.own else names,
                uniques.get(layout.target.id, []),
            )  # fmt: skip
            if layout.partition and layout.target.partition_of is not None:
                # what is done for a part is done for its whole, which the rows go through
                parent = layout.target.partition_of
                root = roots[layout.target.id] = roots.get(parent, parent)
                parts.statements = [replace(item, table=root) if item.table else item for item in parts.statements]
            self.parts.add(Rendered(tuple(parts.statements), tuple(parts.report)))

    def _add_views(self) -> set[TableId]:
        """The views that are made, by the source's names."""
        catalog, options = self.catalog, self.options
        layouts = {layout.source.id: layout for layout in self.layouts}
        candidates = [view for view in catalog.views if view.id not in layouts]
        if not candidates or not options.structure.views or options.schema_policy is SchemaPolicy.VALIDATE:
            return set()
        whole = not options.tables
        if self.own:
            rendered, made = own_views(candidates, layouts, self.found, self.target, whole=whole)
        else:
            from mainstem.ddl import views

            self.parts.report += remarks.materialized(candidates)
            candidates = [view for view in candidates if not view.materialized]
            rendered = views.create_views(candidates, layouts, self.found, self.source, self.target, whole=whole)
            made = set()
        there = {str(id_) for id_ in self.existing}
        self.parts.add(rendered, lambda statement: statement.object not in there)
        return {id_ for id_ in made if self.found[id_] not in self.existing}

    def _fresh(self) -> Iterable[TableId]:
        return (layout.source.id for layout in self.layouts if not layout.exists)

    def _wanted(self, fresh: set[TableId]) -> Iterable[NativeObject]:
        copied = {layout.source.id for layout in self.layouts}
        return objects.wanted(self.catalog.objects, copied, fresh, whole=not self.options.tables)

    def _add_objects(self, views: set[TableId], *, whole: bool) -> None:
        """What only such a system has."""
        options = self.options
        if not options.structure.tables or options.schema_policy is SchemaPolicy.VALIDATE:
            return
        copied = {layout.source.id for layout in self.layouts}
        fresh = {*self._fresh(), *views}
        missing = options.schema_policy in (SchemaPolicy.CREATE_MISSING, SchemaPolicy.DROP_AND_RECREATE)
        self.parts.add(
            objects.create_objects(self.catalog, copied | views, fresh, self.target, whole=whole, missing=missing)
        )
        if any(source != place for source, place in self.found.items() if source.schema):
            self.parts.report += objects.moved_bodies(self._wanted(fresh))

    def _table_plan(self, layout: Layout) -> TablePlan:
        plan = layout.plan()
        if layout.selection.query:
            plan = replace(plan, query=layout.selection.query, where="")
        upsert = self.options.write_mode is WriteMode.UPSERT
        plan = replace(plan, merge=upsert and layout.exists and bool(plan.key))
        if self.options.max_rows:  # raw rows cannot be cut off at a limit
            return plan
        return replace(plan, raw=self.target.raw_format(plan, self.source))


def _as_it_is(wanted: str, space: str = "") -> str:
    """Names of constraints of a system of the same kind: unique where they must be."""
    return wanted


def _check_existing(layouts: Sequence[Layout], existing: Mapping[TableId, TableStatus]) -> None:
    for layout in layouts:
        if not layout.exists or layout.partition:
            continue
        there = set(existing[layout.target.id].columns)
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
    new_name: NewName,
    constraint_name: NewName,
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
                parts.add(target.create_foreign_key(table.id, key, constraint_name))
    everything = fresh and structure.tables
    parts.add(target.finish_table(table, layout.types), lambda statement: everything or statement.phase in _ALWAYS)
