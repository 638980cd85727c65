"""The migration plan: what is created, in which order, how each column travels, and what cannot be carried over."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mainstem.model.names import TableId
from mainstem.model.types import LogicalType


class Severity(StrEnum):
    """How much a report item matters."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class ReportItem:
    """One thing that changes on the way or cannot be carried over.

    Attributes:
        code: stable and machine-readable, ``fulltext_index``, ``trigger_left_out``.
        object: what it is about, ``shop.orders.total`` or an index's name.
        message: what happens and why; ``remedy``: what one can do about it.
    """

    severity: Severity
    code: str
    object: str
    message: str
    remedy: str = ""


class Phase(StrEnum):
    """When a statement runs. Phases run in this order; DATA itself has no statements.

    KEYS (primary keys, unique keys, indexes, checks of one table) may run as soon as that table's rows are in, several
    tables at once; the later phases wait until every table is in.
    """

    SCHEMA = "schema"
    TABLES = "tables"
    KEYS = "keys"
    FOREIGN_KEYS = "foreign_keys"
    SEQUENCES = "sequences"
    VIEWS = "views"
    COMMENTS = "comments"
    ANALYZE = "analyze"


@dataclass(frozen=True, slots=True)
class Statement:
    """One DDL statement in the target's dialect.

    Attributes:
        object: the name of what it makes, for messages.
        table: the target table it belongs to, or None.
        optional: a failure is reported and the run goes on (views, comments, checks); otherwise the table fails.
        index: it makes a secondary index, which ``skipIndexCreation`` leaves out.
        sql: empty: only `against` is looked at.
        against: a query for rows that speak against it, where looking for them first costs less than the server's own
            look at every row. A builder may run the statement unchecked once the query has found none.
    """

    phase: Phase
    sql: str
    object: str
    table: TableId | None = None
    optional: bool = False
    index: bool = False
    against: str = ""


@dataclass(frozen=True, slots=True)
class ColumnPlan:
    """How one column travels: the source column, its target name and type.

    Attributes:
        native: the source's own type text, as `Column.native`.
    """

    source: str
    target: str
    type: LogicalType
    target_type: str
    nullable: bool = True
    native: str = ""


@dataclass(frozen=True, slots=True)
class TablePlan:
    """One table (or query) to be copied.

    Attributes:
        query: a SELECT of the user's, which replaces reading ``source``; its columns are ``columns``.
        where: a condition in the source's SQL that rows must meet, or empty.
        key: names of the source's primary key columns; empty when there is none (or for a query).
        raw: the format in which source and target can pass this table's rows on undecoded, or empty (see
            `contract.dialect.TargetDialect.raw_format`). Rows of a careful attempt are always decoded.
        merge: the target may hold rows of the same keys, which are overwritten; a table that the run makes has none.
        after: the tables whose rows must all be in before this one's: its foreign keys, which are there, name them.
        unchecked: its foreign keys are not checked while rows are written, but behind them, by statements of the plan.
        whole: its rows must be written by one statement.
    """

    source: TableId
    target: TableId
    columns: tuple[ColumnPlan, ...]
    key: tuple[str, ...] = ()
    query: str = ""
    rows_estimate: int = 0
    bytes_estimate: int = 0
    where: str = ""
    raw: str = ""
    merge: bool = False
    after: tuple[TableId, ...] = ()
    unchecked: bool = False
    whole: bool = False

    @property
    def keyed(self) -> bool:
        """Whether the columns hold the source's primary key, by which rows of the log are told apart."""
        return bool(self.key) and set(self.key) <= {column.source for column in self.columns}

    @property
    def identity(self) -> tuple[int, ...]:
        """Indexes of the columns that tell rows apart: the key's in the key's order, or without a key, all."""
        names = [column.source for column in self.columns]
        return tuple(names.index(name) for name in self.key) if self.keyed else tuple(range(len(names)))


@dataclass(frozen=True, slots=True)
class MigrationPlan:
    """The whole: tables to copy, statements by phase in their order, and the report.

    Attributes:
        skipped: the source's tables that were wanted and are left out, each told of in the report.
    """

    tables: tuple[TablePlan, ...]
    statements: tuple[Statement, ...]
    report: tuple[ReportItem, ...] = ()
    skipped: tuple[TableId, ...] = ()

    def phase(self, phase: Phase, table: TableId | None = None) -> tuple[Statement, ...]:
        """The statements of a phase, in order; with ``table`` only those of that target table."""
        return tuple(
            statement
            for statement in self.statements
            if statement.phase is phase and (table is None or statement.table == table)
        )
