"""Tables as the target will hold them: names, types, and what of the source's structure still applies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mainstem.contract.dialect import ColumnType, Dialect, NameRules, NewName, TargetDialect, TargetType, Translate, Use
from mainstem.contract.inspector import TableStatus
from mainstem.ddl.casts import override_for
from mainstem.ddl.expressions import OwnExpressions, TableExpressions, TargetColumn, same_expression
from mainstem.ddl.naming import Names
from mainstem.ddl.overrides import explicit_name, refuse_taken
from mainstem.ddl.selection import Selected
from mainstem.errors import PlanError
from mainstem.model.names import TableId
from mainstem.model.plan import ColumnPlan, ReportItem, Severity, TablePlan
from mainstem.model.run import TableSelection
from mainstem.model.schema import Column, ForeignKey, Index, Table, TableKind
from mainstem.model.types import Kind, LogicalType

# Kinds whose target type depends on more than the value itself: a foreign key needs the same on both sides.
_UNIFIED = frozenset({Kind.BOOLEAN, Kind.INTEGER, Kind.ENUM, Kind.BITS, Kind.SET, Kind.DECIMAL})


@dataclass(slots=True)
class Layout:
    """One table on its way.

    Attributes:
        source: as read.
        target: the same with the target's names and only what is carried over; expressions are the source's.
        names: source column → target column.
        types: by target column.
        there: what the target has already under this name, or None.
    """

    source: Table
    selection: TableSelection
    target: Table
    names: dict[str, str]
    types: dict[str, TargetType] = field(default_factory=dict)
    there: TableStatus | None = None
    report: list[ReportItem] = field(default_factory=list)

    @property
    def partition(self) -> bool:
        """It is a part of another table, whose rows go through that one."""
        return self.target.kind is TableKind.PARTITION

    @property
    def exists(self) -> bool:
        """Whether the target has the table already."""
        return self.there is not None

    def note(self, severity: Severity, code: str, object_: str, message: str, remedy: str = "") -> None:
        """Add to the report."""
        self.report.append(ReportItem(severity, code, object_, message, remedy))

    def translator(self, source: Dialect, target: TargetDialect, sequences: Mapping[TableId, TableId]) -> Translate:
        """`Translate` for this table's expressions."""
        if source.sql_name == target.sql_name:
            return OwnExpressions(target, {column.name: self.names.get(column.name) for column in self.source.columns})
        return self.expressions(source, target, sequences)

    def expressions(
        self, source: Dialect, target: TargetDialect, sequences: Mapping[TableId, TableId]
    ) -> TableExpressions:
        """The translator from one kind of system to another."""
        exact = {
            column.name: TargetColumn(
                self.names[column.name],
                ColumnType(
                    column.type,
                    self.types[self.names[column.name]].sql,
                    column.collation.lower().endswith("_ci"),
                    column.built_in,
                ),
            )
            for column in self.source.columns
            if column.name in self.names
        }
        columns = {name.lower(): column for name, column in exact.items()} | exact
        return TableExpressions(source, target, columns, sequences, self.source.id.schema)

    def _travels(self, column: Column) -> LogicalType:
        """How values go into a table of ours; one that is there may keep text in another way."""
        travels = None if self.exists else self.types[column.name].travels
        return travels or column.type

    def plan(self) -> TablePlan:
        """What the reader and the loader need."""
        columns = tuple(
            ColumnPlan(source, target, self._travels(column), self.types[target].sql, column.nullable, column.native)
            for source, target in self.names.items()
            if (column := self.target.column(target)).generated is None
        )
        keyed = all(name in self.names for name in self.source.primary_key)
        return TablePlan(
            source=self.source.id,
            target=self.target.id,
            columns=columns,
            key=self.source.primary_key if keyed else (),
            rows_estimate=self.source.rows_estimate,
            bytes_estimate=self.source.bytes_estimate,
            where=self.selection.where,
        )


def lay_out(selected: Selected, id_: TableId, rules: NameRules) -> Layout:
    """A table with the target's names, restricted to the wanted columns; types come later."""
    table, columns = selected.table, selected.columns
    names = _column_names(selected, columns, rules)
    target = replace(
        table,
        id=id_,
        columns=tuple(replace(column, name=names[column.name]) for column in columns),
        primary_key=_renamed(table.primary_key, names) or (),
        indexes=tuple(index for index in (_index(index, names) for index in table.indexes) if index is not None),
        foreign_keys=(),
    )
    layout = Layout(table, selected.selection, target, names)
    _tell_renames(layout)
    _tell_losses(layout)
    return layout


def _column_names(selected: Selected, columns: Sequence[Column], rules: NameRules) -> dict[str, str]:
    """Source column → target column: as the user wishes, else its own name, changed where it cannot be one there."""
    wished, new_name = selected.selection.renames, Names(rules, folds=rules.folds_columns)
    what = f"columns of {selected.table.id}"
    if wished:
        names = {column.name: wished.get(column.name, column.name) for column in columns}
        refuse_taken(names, what, folds=rules.folds_columns)
    for name in wished.values():
        new_name.reserve(explicit_name(name, rules, what))
    return {column.name: wished.get(column.name) or new_name(column.name) for column in columns}


def _renamed(columns: Sequence[str], names: Mapping[str, str]) -> tuple[str, ...] | None:
    """The target's names, or None when a column is not carried over."""
    return tuple(names[name] for name in columns) if all(name in names for name in columns) else None


def _index(index: Index, names: Mapping[str, str]) -> Index | None:
    if any(part.column and part.column not in names for part in index.parts):
        return None
    parts = tuple(replace(part, column=names[part.column]) if part.column else part for part in index.parts)
    return replace(index, parts=parts)


def _tell_renames(layout: Layout) -> None:
    wished = layout.selection.renames
    if layout.selection.target:
        layout.note(
            Severity.INFO, "renamed", str(layout.source.id), f"as asked, the table becomes {layout.target.id.name}"
        )
    elif layout.source.id.name != layout.target.id.name:
        layout.note(
            Severity.WARNING, "name_shortened", str(layout.source.id),
            f"the name is too long, taken or not allowed on the target; the table becomes {layout.target.id.name}",
        )  # fmt: skip
    for source, target in layout.names.items():
        if source in wished:
            layout.note(
                Severity.INFO, "renamed", f"{layout.source.id}.{source}", f"as asked, the column becomes {target}"
            )
        elif source != target:
            layout.note(
                Severity.WARNING, "name_shortened", f"{layout.source.id}.{source}",
                f"the name is too long, taken or not allowed on the target; the column becomes {target}",
            )  # fmt: skip


def _tell_losses(layout: Layout) -> None:
    """Keys and indexes that the selection of columns takes away."""
    table = layout.source
    if table.primary_key and not layout.target.primary_key:
        layout.note(
            Severity.WARNING, "primary_key_left_out", str(table.id),
            "the primary key uses columns that are not selected", "select them too",
        )  # fmt: skip
    if not table.primary_key:
        layout.note(
            Severity.INFO, "no_primary_key", str(table.id),
            "the table has no primary key and cannot be updated by key",
        )  # fmt: skip
    kept = {index.name for index in layout.target.indexes}
    for index in table.indexes:
        if index.name not in kept:
            layout.note(
                Severity.WARNING, "index_left_out", f"{table.id}.{index.name}",
                "the index uses columns that are not selected", "select them too",
            )  # fmt: skip


def choose_types(
    layouts: Sequence[Layout],
    target: TargetDialect,
    overrides: Mapping[str, str],
    names: Callable[[str], NewName],
    *,
    own: bool = False,
) -> list[ReportItem]:
    """Give every column its target type, the user's overrides and foreign keys considered; tell of unused overrides.

    Args:
        names: gives out names in a schema of the target.
        own: source and target are systems of one kind.
    """
    used = set()
    for layout in layouts:
        for column in layout.source.columns:
            if column.name not in layout.names:
                continue
            key, override = override_for(column, layout.source.id, overrides)
            used.add(key)
            name = layout.names[column.name]
            try:
                layout.types[name] = target.target_type(
                    layout.target.id, layout.target.column(name), names(layout.target.id.schema), override, own=own
                )
            except PlanError as exc:
                raise PlanError(
                    f"{layout.source.id}: {exc.message}", remedy=exc.remedy, table=str(layout.source.id),
                    column=column.name,
                ) from exc  # fmt: skip
    by_target = {layout.target.id: layout for layout in layouts}
    for layout in layouts:
        whole = by_target.get(layout.target.partition_of) if layout.target.partition_of else None
        if whole is not None:  # which comes before its parts
            layout.types |= {name: whole.types[name] for name in layout.types if name in whole.types}
    for layout in layouts:
        layout.types |= target.fit_types(_with_foreign_keys(layout), layout.types, own=own)
    if not own:
        _unify(layouts)
    return [
        ReportItem(
            Severity.WARNING, "override_unused", key, "no column of the selection has this name or type",
            "correct the key: table.column, or a native type such as tinyint(1)",
        )
        for key in overrides if key not in used
    ]  # fmt: skip


def _with_foreign_keys(layout: Layout) -> Table:
    """The target's table with the source's foreign keys, as far as its columns are carried over."""
    keys = (
        replace(key, columns=columns)
        for key in layout.source.foreign_keys
        if (columns := _renamed(key.columns, layout.names)) is not None
    )
    return replace(layout.target, foreign_keys=tuple(keys))


def _unify(layouts: Sequence[Layout]) -> None:
    """Child columns of foreign keys take their parent's type, transitively."""
    by_source = {layout.source.id: layout for layout in layouts}
    links = [
        ((layout, column), (parent, parent_column))
        for layout in layouts
        for key in layout.source.foreign_keys
        if (parent := by_source.get(key.parent)) is not None
        for column, parent_column in zip(key.columns, key.parent_columns, strict=True)
        if column in layout.names and parent_column in parent.names
    ]
    for _ in range(len(links) + 1):  # each pass carries a type one link further; a circle ends with the bound
        changed = False
        for (child, column), (parent, parent_column) in links:
            wanted = parent.types[parent.names[parent_column]]
            name = child.names[column]
            if _differ(child.target.column(name), child.types[name], wanted):
                # the parent's own checks and types are made with the parent
                child.types[name] = TargetType(wanted.sql)
                changed = True
        if not changed:
            return


def _differ(column: Column, own: TargetType, wanted: TargetType) -> bool:
    return column.type.kind in _UNIFIED and own.sql != wanted.sql and own.sql.split("(")[0] != wanted.sql.split("(")[0]


def settle_parents(layout: Layout, places: Mapping[TableId, TableId]) -> None:
    """The target's names of the tables that it is a part of, or inherits from; without one of these it stands alone."""
    table = layout.target
    if table.kind in (TableKind.VIEW, TableKind.FOREIGN):
        layout.note(
            Severity.INFO, f"{table.kind}_as_table", str(layout.source.id),
            f"a {table.kind}{' table' * (table.kind is TableKind.FOREIGN)} becomes a plain table of its present rows",
        )  # fmt: skip
        table = replace(table, kind=TableKind.TABLE, options="")
    complete = all(parent in places for parent in table.parents)
    layout.target = replace(
        table,
        partition_of=places.get(table.partition_of) if table.partition_of else None,
        parents=tuple(places[parent] for parent in table.parents) if complete else (),
    )


def settle_parts(layouts: Sequence[Layout]) -> None:
    """The parts of a table that is there already are the target's own matter: rows go in through the whole."""
    there = {layout.target.id for layout in layouts if layout.exists}
    for layout in layouts:
        if layout.partition and layout.target.partition_of in there:
            whole = next(item for item in layouts if item.target.id == layout.target.partition_of)
            layout.there = whole.there
            there.add(layout.target.id)


def settle_generated(layout: Layout, translate: Translate, target: TargetDialect) -> None:
    """Generated columns whose expression cannot be said on the target become plain ones, which are copied.

    Raises:
        PlanError: a table that is there computes a column that is a plain one in the source.
    """
    if layout.there is not None:
        columns_there = tuple(_as_there(layout, column, translate, target) for column in layout.target.columns)
        layout.target = replace(layout.target, columns=columns_there)
        return
    columns: list[Column] = []
    for column in layout.target.columns:
        settled = column
        if column.generated is not None:
            try:
                if isinstance(translate, TableExpressions):
                    _refuse_chain(column.generated.expression, translate, columns)
                translate(column.generated.expression, Use.STORED, column.name)
            except PlanError as exc:
                layout.note(
                    Severity.WARNING, "generated_as_plain", f"{layout.source.id}.{column.name}",
                    f"the generated column becomes a plain one whose values are copied: {exc.message}",
                    f"compute it by a trigger; its expression is: {column.generated.expression}",
                )  # fmt: skip
                settled = replace(column, generated=None)
        columns.append(settled)
    layout.target = replace(layout.target, columns=tuple(columns))


def _as_there(layout: Layout, column: Column, translate: Translate, target: TargetDialect) -> Column:
    """A column of a table that the target has: written, or left to the target to compute."""
    computed = layout.there.computed if layout.there is not None else {}
    name = f"{layout.source.id}.{column.name}"
    if column.name in computed and column.generated is None:
        raise PlanError(
            f"table {layout.target.id} is there and computes column {column.name} itself ({computed[column.name]})",
            remedy="leave the column out (excludeColumns), or make it a plain one on the target",
            table=str(layout.target.id),
        )
    if column.generated is None:
        return column
    if column.name in computed:
        if not _says(column, computed[column.name], translate, target):
            layout.note(
                Severity.WARNING, "generated_there", name,
                f"the target computes this column by its own expression, {computed[column.name]}; the source's is"
                f" {column.generated.expression}",
                "compare the two: where they differ, so will the values",
            )  # fmt: skip
        return column
    layout.note(
        Severity.INFO, "generated_as_plain", name, "the column is a plain one on the target; its values are copied"
    )
    return replace(column, generated=None)


def _says(column: Column, there: str, translate: Translate, target: TargetDialect) -> bool:
    """Whether the source's expression, said on the target, is plainly the one that is there."""
    if column.generated is None:
        return False
    try:
        said = translate(column.generated.expression, Use.STORED, column.name)
    except PlanError:
        return False
    return same_expression(said, there, target)


def _refuse_chain(expression: str, translate: TableExpressions, before: Sequence[Column]) -> None:
    generated = {column.name for column in before if column.generated is not None}
    used = {translate.columns[name].name for name in translate.used(expression) if name in translate.columns}
    if used & generated:
        raise PlanError("it uses another generated column")


def keep_foreign_keys(layouts: Sequence[Layout], *, own: bool = False) -> None:
    """Carry over each foreign key whose two sides are; tell of the others."""
    by_source = {layout.source.id: layout for layout in layouts}
    for layout in layouts:
        kept = []
        for key in layout.source.foreign_keys:
            parent = by_source.get(key.parent)
            reason = _why_not(layout, key, parent)
            if reason or parent is None:
                layout.note(
                    Severity.WARNING, "foreign_key_left_out", f"{layout.source.id}.{key.name}",
                    f"the foreign key to {key.parent} is not made: {reason}", "add it by hand once both are there",
                )  # fmt: skip
                continue
            if parent.selection.where:
                layout.note(
                    Severity.WARNING, "foreign_key_filtered", f"{layout.source.id}.{key.name}",
                    f"the foreign key refers to {key.parent}, of which only some rows are copied; it is refused at the"
                    " end if rows lack theirs",
                    "choose the rows of this table likewise (where), or make no foreign keys",
                )  # fmt: skip
            kept.append(
                replace(
                    key if own else _refusing(layout, key),
                    columns=_renamed(key.columns, layout.names) or (),
                    parent=parent.target.id,
                    parent_columns=_renamed(key.parent_columns, parent.names) or (),
                )
            )
        layout.target = replace(layout.target, foreign_keys=tuple(kept))


def _refusing(layout: Layout, key: ForeignKey) -> ForeignKey:
    """SET NULL of columns that may not be null refuses the change, when it comes to that: so does NO ACTION.

    PostgreSQL makes such keys, MySQL does not.
    """
    if all(layout.source.column(name).nullable for name in key.columns):
        return key
    changed = replace(
        key,
        on_update="NO ACTION" if key.on_update == "SET NULL" else key.on_update,
        on_delete="NO ACTION" if key.on_delete == "SET NULL" else key.on_delete,
    )
    if changed != key:
        layout.note(
            Severity.INFO, "foreign_key_changed", f"{layout.source.id}.{key.name}",
            "the foreign key says NO ACTION, not SET NULL, as its column may not be null: either refuses the change",
        )  # fmt: skip
    return changed


def _why_not(layout: Layout, key: ForeignKey, parent: Layout | None) -> str:
    if parent is None:
        return "that table is not selected"
    if any(name not in layout.names for name in key.columns):
        return "it uses columns that are not selected"
    if any(name not in parent.names for name in key.parent_columns):
        return "it refers to columns that are not selected"
    unique = [set(parent.source.primary_key)] + [
        _plain_columns(index) for index in parent.source.indexes if index.unique
    ]
    if set(key.parent_columns) not in unique:
        return "it refers to columns that are not unique"
    return ""


def _plain_columns(index: Index) -> set[str]:
    """The columns of an index that has nothing but whole columns, else nothing."""
    whole = all(part.column and part.prefix_length is None for part in index.parts)
    return {part.column for part in index.parts} if whole else set()


def referenced_uniques(layouts: Iterable[Layout]) -> dict[TableId, list[set[str]]]:
    """By target table: the column sets that kept foreign keys refer to."""
    found: dict[TableId, list[set[str]]] = {}
    for layout in layouts:
        for key in layout.target.foreign_keys:
            found.setdefault(key.parent, []).append(set(key.parent_columns))
    return found
