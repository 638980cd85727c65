"""MySQL and MariaDB as a target: names, types and DDL for one server. Pure; the statements are run elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mainstem.connectors.mysql import alter, create, finish, indexes
from mainstem.connectors.mysql import objects as native_objects
from mainstem.connectors.mysql.dialect import MysqlDialect
from mainstem.connectors.mysql.fitting import fit_types
from mainstem.connectors.mysql.native import check_writable, native_type
from mainstem.connectors.mysql.own import own_type, travels
from mainstem.connectors.mysql.relocate import relocate_catalog
from mainstem.connectors.mysql.traits import Traits
from mainstem.contract.dialect import (
    ColumnType,
    Dialect,
    NameRules,
    NewName,
    Rendered,
    TargetType,
    Translate,
    Unchecked,
    Use,
)
from mainstem.ddl.expressions import rename_columns
from mainstem.ddl.naming import Names
from mainstem.model.names import TableId
from mainstem.model.plan import Phase, Statement, TablePlan
from mainstem.model.schema import Catalog, Column, ForeignKey, NativeObject, Table, View
from mainstem.model.schema import Sequence as SchemaSequence

if TYPE_CHECKING:
    from sqlglot import exp

_MAX_NAME_CHARACTERS = 64
_INDEX_NAMES = NameRules(_MAX_NAME_CHARACTERS, characters=True, folds_columns=True, basic_plane=True)


class MysqlTargetDialect(MysqlDialect):
    """The dialect of a server with these traits."""

    def __init__(self, traits: Traits | None = None) -> None:
        self._traits = traits or Traits()

    @property
    def names(self) -> NameRules:
        """64 characters; whether the case of tables counts is a setting, that of columns never does."""
        return NameRules(
            _MAX_NAME_CHARACTERS,
            characters=True,
            folds_tables=self._traits.folds_tables,
            folds_columns=True,
            basic_plane=True,
        )

    @property
    def unchecked(self) -> Unchecked:
        """Any login may set foreign_key_checks."""
        return Unchecked.ALONE

    def render_expression(self, tree: exp.Expr, use: Use, wanted: ColumnType | None = None) -> str:
        """A neutral expression or query as SQL that the server can run; `PlanError` if it can't be said."""
        from mainstem.connectors.mysql import expressions

        return expressions.render(tree, use, wanted, self._traits)

    # types

    def target_type(
        self, table: TableId, column: Column, new_name: NewName, override: str = "", *, own: bool = False
    ) -> TargetType:
        """The type of a column by itself; see `fit_types` for what keys ask of it."""
        if override:
            check_writable(column, override)
            return TargetType(override)
        if own:
            return TargetType(own_type(column, self._traits).sql, travels(column))
        return TargetType(native_type(column, self._traits).sql)

    def fit_types(self, table: Table, types: dict[str, TargetType], *, own: bool = False) -> dict[str, TargetType]:
        """Text in keys gets a length, and rows wider than the server's limit have text outside of them."""
        return {} if own else fit_types(table, types)

    def raw_format(self, plan: TablePlan, source: Dialect) -> str:
        """None: rows are always decoded."""
        return ""

    # structure of a MySQL or MariaDB

    def relocate(self, catalog: Catalog, names: Mapping[TableId, TableId]) -> Catalog:
        """The catalog with the new names of what its texts name with its database."""
        return relocate_catalog(catalog, names)

    def rename_columns(self, sql: str, names: Mapping[str, str | None]) -> str:
        """An expression with other column names."""
        return rename_columns(sql, names, self)

    def create_object(self, object_: NativeObject, *, needed: bool, only_missing: bool = False) -> Rendered:
        """A trigger, procedure, function or event; no table needs one."""
        return native_objects.create_object(object_, self._traits, only_missing=only_missing)

    def grow_object(self, object_: NativeObject, there: NativeObject) -> Rendered:
        """None: there are no types of users' own."""
        return Rendered()

    def drop_objects(self, objects: Sequence[NativeObject]) -> Rendered:
        """Procedures, functions and events; triggers go with their tables."""
        return native_objects.drop_objects(objects)

    # structure

    def create_schema(self, name: str) -> Rendered:
        """The database unless it exists."""
        sql = f"CREATE DATABASE IF NOT EXISTS {self.quote(name)} CHARACTER SET utf8mb4"
        return Rendered((Statement(Phase.SCHEMA, sql, name),))

    def create_table(self, table: Table, types: dict[str, TargetType], translate: Translate) -> Rendered:
        """The table with its primary key and checks, and comments."""
        making = self._making(table, types, translate)
        return create.create_table(making, self.qualified(table.id))

    def create_keys(
        self, table: Table, types: dict[str, TargetType], translate: Translate, new_name: NewName
    ) -> Rendered:
        """Checks right behind the table (phase TABLES); unique keys and indexes."""
        making = self._making(table, types, translate)
        checks = create.create_checks(making, self.qualified(table.id), new_name)
        making.report.clear()
        made = indexes.create_keys(making, self.qualified(table.id), Names(_INDEX_NAMES, folds=True))
        return Rendered((*checks.statements, *made.statements), (*checks.report, *made.report))

    def create_foreign_key(self, table: TableId, key: ForeignKey, new_name: NewName) -> Rendered:
        """The constraint."""
        return indexes.create_foreign_key(self._traits, self.qualified, table, key, new_name)

    def finish_table(self, table: Table, types: dict[str, TargetType]) -> Rendered:
        """Counter and statistics."""
        return finish.finish_table(table, types, self.qualified(table.id))

    def add_column(self, table: Table, name: str, types: dict[str, TargetType], translate: Translate) -> Rendered:
        """The column."""
        return alter.add_column(self._making(table, types, translate), self.qualified(table.id), name)

    def widen_column(
        self, table: Table, name: str, there: str, types: dict[str, TargetType], translate: Translate
    ) -> Rendered:
        """The column as it is to be."""
        return alter.widen_column(self._making(table, types, translate), self.qualified(table.id), name)

    def retype_column(
        self, table: Table, name: str, there: Table, types: dict[str, TargetType], translate: Translate
    ) -> Rendered:
        """The rows go, the column as it is to be."""
        return alter.retype_column(self._making(table, types, translate), self.qualified(table.id), name)

    def create_sequence(self, sequence: SchemaSequence, *, only_missing: bool = False) -> Rendered:
        """The sequence; its next value is the one that the source would give."""
        return finish.create_sequence(sequence, self.qualified(sequence.id), self._traits, only_missing=only_missing)

    def set_sequence(self, sequence: SchemaSequence) -> Rendered:
        """Its next value."""
        return finish.set_sequence(sequence, self.qualified(sequence.id), self._traits)

    def create_view(self, id_: TableId, query: str, view: View) -> Rendered:
        """The view, with its user's or its owner's rights as in the source."""
        security = "INVOKER" if view.invoker else "DEFINER"
        check = f"\nWITH {view.check_option} CHECK OPTION" if view.check_option else ""
        options = f"{view.options} " if view.options else ""
        sql = f"CREATE {options}SQL SECURITY {security} VIEW {self.qualified(id_)} AS\n{query}{check}"
        return Rendered((Statement(Phase.VIEWS, sql, str(id_), optional=True),))

    def drop_tables(
        self, tables: Sequence[TableId], views: Sequence[TableId] = (), sequences: Sequence[TableId] = ()
    ) -> Rendered:
        """Drop these if they exist; foreign keys do not stand in the way of our sessions."""
        kinds = [("VIEW", views), ("TABLE", tables)]
        if self._traits.sequences:
            kinds.append(("SEQUENCE", sequences))
        return Rendered(
            tuple(
                Statement(
                    Phase.SCHEMA,
                    f"DROP {kind} IF EXISTS {self.qualified(name)}",
                    str(name),
                    name if kind == "TABLE" else None,
                )
                for kind, names in kinds
                for name in names
            )
        )

    def _making(self, table: Table, types: dict[str, TargetType], translate: Translate) -> create.Making:
        return create.Making(table, types, translate, self._traits, translate.own)
