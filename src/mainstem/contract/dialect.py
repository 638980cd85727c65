"""`Dialect` and `TargetDialect`: how a system spells names, types and DDL. Pure: no connection is needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from mainstem.model.names import TableId
from mainstem.model.plan import ReportItem, Statement
from mainstem.model.schema import Column, ForeignKey, Table, View
from mainstem.model.schema import Sequence as SchemaSequence


@dataclass(frozen=True, slots=True)
class TargetType:
    """A column's type on the target.

    Attributes:
        sql: the type as written in CREATE TABLE.
        prerequisites: statements that must run before the table's (CREATE TYPE).
        checks: conditions to add to the table, in the target's SQL (a SET's members).
        report: what widens or changes.
    """

    sql: str
    prerequisites: tuple[Statement, ...] = ()
    checks: tuple[str, ...] = ()
    report: tuple[ReportItem, ...] = ()


@dataclass(frozen=True, slots=True)
class Rendered:
    """Statements, and what could not be said."""

    statements: tuple[Statement, ...] = ()
    report: tuple[ReportItem, ...] = ()


Translate = Callable[[str], str]
"""Turns an expression of the source's dialect into the target's; raises `PlanError` when it can't."""


class Dialect(Protocol):
    """What `ddl` needs to know of either side."""

    @property
    def sql_name(self) -> str:
        """The dialect's name in sqlglot."""
        ...

    def quote(self, name: str) -> str:
        """A name as an identifier, quoted; `InvalidError` for one that cannot be written (NUL, empty)."""
        ...

    def qualified(self, table: TableId) -> str:
        """Schema and name, both quoted."""
        ...


class TargetDialect(Dialect, Protocol):
    """What `ddl` needs to know of a target."""

    @property
    def max_identifier_bytes(self) -> int:
        """Longer names are shortened by `ddl.naming`."""
        ...

    def target_type(self, table: TableId, column: Column) -> TargetType:
        """The native type for a logical one."""
        ...

    def create_schema(self, name: str) -> Rendered:
        """CREATE SCHEMA unless it exists."""
        ...

    def create_table(self, table: Table, types: dict[str, TargetType], translate: Translate) -> Rendered:
        """Phase SCHEMA and TABLES: the table with columns, defaults and identity; no keys."""
        ...

    def create_keys(self, table: Table, types: dict[str, TargetType], translate: Translate) -> Rendered:
        """Phase KEYS: primary key, unique keys, indexes, checks."""
        ...

    def create_foreign_key(self, table: TableId, key: ForeignKey) -> Rendered:
        """Phase FOREIGN_KEYS."""
        ...

    def finish_table(self, table: Table) -> Rendered:
        """Phases SEQUENCES, COMMENTS and ANALYZE: counters, comments, ON UPDATE triggers, statistics."""
        ...

    def create_sequence(self, sequence: SchemaSequence) -> Rendered:
        """Phase TABLES: a stand-alone sequence with its next value."""
        ...

    def create_view(self, view: View, translate: Translate) -> Rendered:
        """Phase VIEWS."""
        ...

    def drop_tables(self, tables: Sequence[TableId]) -> Rendered:
        """Phase SCHEMA: drop these tables, and what hangs on them, if they exist."""
        ...
