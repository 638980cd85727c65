"""`Dialect` and `TargetDialect`: how a system spells names, types and DDL. Pure: no connection is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from mainstem.model.names import TableId
from mainstem.model.plan import ReportItem, Statement, TablePlan
from mainstem.model.schema import Catalog, Column, ForeignKey, NativeObject, Table, View
from mainstem.model.schema import Sequence as SchemaSequence
from mainstem.model.types import LogicalType

if TYPE_CHECKING:
    from sqlglot import exp


@dataclass(frozen=True, slots=True)
class TargetType:
    """A column's type on the target.

    Attributes:
        sql: the type as written in CREATE TABLE.
        travels: how values travel, where that is not as the column's own type: text as the bytes that it is stored in.
        prerequisites: statements that must run before the table's (CREATE TYPE).
        drops: what undoes the prerequisites, for a target that is to be made anew.
        checks: conditions to add to the table, in the target's SQL (a SET's members).
        report: what widens or changes.
    """

    sql: str
    travels: LogicalType | None = None
    prerequisites: tuple[Statement, ...] = ()
    drops: tuple[Statement, ...] = ()
    checks: tuple[str, ...] = ()
    report: tuple[ReportItem, ...] = ()


class Unchecked(StrEnum):
    """Whether a login may write rows without the target's foreign keys being checked.

    ALONE: the keys and nothing else is passed over. WITH_TRIGGERS: triggers do not fire then either.
    """

    NEVER = "never"
    ALONE = "alone"
    WITH_TRIGGERS = "with_triggers"


@dataclass(frozen=True, slots=True)
class Rendered:
    """Statements, and what could not be said."""

    statements: tuple[Statement, ...] = ()
    report: tuple[ReportItem, ...] = ()


class Use(StrEnum):
    """What an expression is for, which decides what may stand in it.

    VALUE yields a value when a row is written. CONDITION must be a truth value. STORED is kept (generated columns,
    index expressions), so it must give the same result for ever.
    """

    VALUE = "value"
    CONDITION = "condition"
    STORED = "stored"


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A column within an expression: what it was, and its type on the target (empty if unknown).

    ``folds``: its text compares without regard to case in the source. ``native``: the source's own type text.
    `ddl.expressions` hangs it on every column node that it knows, as ``node.meta[ColumnType.META]``.
    """

    type: LogicalType
    sql: str = ""
    folds: bool = False
    native: str = ""

    META = "column_type"


@dataclass(frozen=True, slots=True)
class Folding:
    """What a column takes for equal beside equal text: either case of a letter, accents, spaces at the end.

    Attributes:
        collation: the owner's name for it, or empty.
    """

    case: bool = False
    accents: bool = False
    spaces: bool = False
    collation: str = ""


PRIMARY_KEY = "primary_key"
"""`meta` of a table node within a query: the names of its primary key's columns on the target, if it has one."""


@dataclass(frozen=True, slots=True)
class NameRules:
    """What may be a name.

    Attributes:
        longest: of a name, in bytes of UTF-8 or in characters.
        characters: whether ``longest`` counts characters.
        folds_tables, folds_columns: two names that differ only in case are one.
        basic_plane: characters past U+FFFF, and spaces at the end, cannot stand in a name.
    """

    longest: int
    characters: bool = False
    folds_tables: bool = False
    folds_columns: bool = False
    basic_plane: bool = False


class Translate(Protocol):
    """Turns an expression of the source's dialect into the target's.

    ``own``: both are systems of one kind, so that definitions, too, are understood as they are.
    """

    @property
    def own(self) -> bool:
        """Whether both sides are systems of one kind."""
        ...

    def __call__(self, expression: str, use: Use = Use.VALUE, column: str = "") -> str:
        """The expression; with ``column`` its result must fit that column of the table. `PlanError` when it can't."""
        ...


class NewName(Protocol):
    """Gives out names in the target schema: the wanted one, shortened or numbered where it must be."""

    def __call__(self, wanted: str, space: str = "") -> str:
        """A name. ``space``: what the name is for, where that has names of its own; empty is relations."""
        ...


class Dialect(Protocol):
    """What `ddl` needs to know of either side."""

    @property
    def sql_name(self) -> str:
        """The dialect's name in sqlglot."""
        ...

    @property
    def labels_by_name(self) -> bool:
        """Whether the log tells an enum's labels by their names, so that rows are read well with more of them."""
        ...

    def quote(self, name: str) -> str:
        """A name as an identifier, quoted; `InvalidError` for one that cannot be written (NUL, empty)."""
        ...

    def qualified(self, table: TableId) -> str:
        """Schema and name, both quoted."""
        ...

    def folding(self, sql: str, collation: str) -> Folding:
        """What a column of this type takes for equal.

        Args:
            sql: the type's text, which may hold a collation of its own.
            collation: the column's, where it is known; empty otherwise.
        """
        ...

    def neutral_expression(self, tree: exp.Expr) -> exp.Expr:
        """An expression as parsed from this dialect, without what only this system knows; `PlanError` if it can't."""
        ...


class TargetDialect(Dialect, Protocol):
    """What `ddl` needs to know of a target."""

    @property
    def names(self) -> NameRules:
        """What may be a name; `ddl.naming` changes the others."""
        ...

    @property
    def unchecked(self) -> Unchecked:
        """Whether this login may write rows without foreign keys being checked."""
        ...

    def target_type(
        self, table: TableId, column: Column, new_name: NewName, override: str = "", *, own: bool = False
    ) -> TargetType:
        """The native type for a logical one, or the user's own choice; `PlanError` when that cannot be written to.

        Args:
            own: the source is a system of this kind, so that `Column.native` is a type that is known here.
        """
        ...

    def fit_types(self, table: Table, types: dict[str, TargetType], *, own: bool = False) -> dict[str, TargetType]:
        """The columns' types once keys, indexes and the whole row are looked at; only those that change.

        Overridden types are among them and may be changed only where the table could not be made at all.
        """
        ...

    def raw_format(self, plan: TablePlan, source: Dialect) -> str:
        """A format in which this source's rows can go into this target's table undecoded; empty if there is none."""
        ...

    def render_expression(self, tree: exp.Expr, use: Use, wanted: ColumnType | None = None) -> str:
        """A neutral expression or query as this system's SQL; `PlanError` if it can't be said.

        What a query computes may get its `ColumnType` in the tree, for views that use this one.
        """
        ...

    def relocate(self, catalog: Catalog, names: Mapping[TableId, TableId]) -> Catalog:
        """A catalog of a system of this kind whose expressions, definitions and types name what is on the target.

        Only texts change: every ``id`` stays the source's.

        Args:
            names: source → target, for all that gets another name or schema, whatever it is.
        """
        ...

    def rename_columns(self, sql: str, names: Mapping[str, str | None]) -> str:
        """A definition of a system of this kind with other column names; `PlanError` if it uses one that has none."""
        ...

    def create_object(self, object_: NativeObject, *, needed: bool, only_missing: bool = False) -> Rendered:
        """What a system of this kind had, and only such a one has.

        Args:
            needed: a table that is copied needs it, so that a refusal ends the run.
            only_missing: one of that name may be there, and is kept.

        Raises:
            PlanError: this server cannot make it, and it is needed.
        """
        ...

    def grow_object(self, object_: NativeObject, there: NativeObject) -> Rendered:
        """Phase SCHEMA: have a type of this kind hold all that the source's holds, where that only takes adding to it.

        Args:
            object_: the source's, with texts that name what is on the target.
            there: the target's own.

        Raises:
            PlanError: it takes more than that; the remedy is what people run.
        """
        ...

    def create_schema(self, name: str) -> Rendered:
        """CREATE SCHEMA unless it exists."""
        ...

    def create_table(self, table: Table, types: dict[str, TargetType], translate: Translate) -> Rendered:
        """Phase SCHEMA and TABLES: the table with columns, defaults and identity; no keys."""
        ...

    def create_keys(
        self, table: Table, types: dict[str, TargetType], translate: Translate, new_name: NewName
    ) -> Rendered:
        """Phase KEYS: primary key, unique keys, indexes, checks."""
        ...

    def create_foreign_key(self, table: TableId, key: ForeignKey, new_name: NewName) -> Rendered:
        """Phase FOREIGN_KEYS."""
        ...

    def finish_table(self, table: Table, types: dict[str, TargetType]) -> Rendered:
        """Phases SEQUENCES, VIEWS, COMMENTS and ANALYZE: counters, ON UPDATE triggers, comments, statistics."""
        ...

    def add_column(self, table: Table, name: str, types: dict[str, TargetType], translate: Translate) -> Rendered:
        """Phase TABLES: a column that the table on the target lacks, as `create_table` would make it.

        Rows that are there get its default.
        """
        ...

    def widen_column(
        self, table: Table, name: str, there: str, types: dict[str, TargetType], translate: Translate
    ) -> Rendered:
        """Phase TABLES: give a column its type in ``types``, which holds all that its present one holds.

        It takes nulls afterwards if the table's column does.

        Args:
            there: the type that it has on the target.
        """
        ...

    def retype_column(
        self, table: Table, name: str, there: Table, types: dict[str, TargetType], translate: Translate
    ) -> Rendered:
        """For people: give a column its type in ``types``, whatever its present one is; its values go, and come anew.

        Run in their order, by one session that is a table's owner, they go through also where rows are there. None: it
        needs nothing.

        Args:
            there: the table as it is on the target.
        """
        ...

    def create_sequence(self, sequence: SchemaSequence, *, only_missing: bool = False) -> Rendered:
        """Phase TABLES: a stand-alone sequence with its next value; one that is there may be left as it is."""
        ...

    def set_sequence(self, sequence: SchemaSequence) -> Rendered:
        """Phase SEQUENCES: have a sequence that is there give the next value of this one; nothing where it cannot."""
        ...

    def create_view(self, id_: TableId, query: str, view: View) -> Rendered:
        """Phase VIEWS: the view over a query that `render_expression` made."""
        ...

    def drop_objects(self, objects: Sequence[NativeObject]) -> Rendered:
        """Phase SCHEMA: drop these, if they exist and nothing needs them any more."""
        ...

    def drop_tables(
        self, tables: Sequence[TableId], views: Sequence[TableId] = (), sequences: Sequence[TableId] = ()
    ) -> Rendered:
        """Phase SCHEMA: drop these, and what hangs on them, if they exist."""
        ...
