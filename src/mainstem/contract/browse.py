"""`Browser`: what the explorer asks of one system: its objects, rows page by page, changes of rows, figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any, Protocol

from mainstem.errors import StatementError
from mainstem.model.names import TableId
from mainstem.model.shown import ShownCell, ShownKind
from mainstem.model.types import Kind

_SHOWN: dict[Kind, ShownKind] = {
    Kind.BOOLEAN: ShownKind.BOOLEAN,
    **dict.fromkeys((Kind.INTEGER, Kind.DECIMAL, Kind.FLOAT, Kind.YEAR), ShownKind.NUMBER),
    **dict.fromkeys((Kind.DATE, Kind.TIME, Kind.TIMESTAMP, Kind.INSTANT, Kind.INTERVAL), ShownKind.TIME),
    Kind.JSON: ShownKind.JSON,
    **dict.fromkeys((Kind.BINARY, Kind.GEOMETRY), ShownKind.BINARY),
    **dict.fromkeys((Kind.TEXT, Kind.ENUM, Kind.SET), ShownKind.TEXT),
}


class TimeLimitError(StatementError):
    """A question took longer than it may."""

    code = "time_limit"


class Special(Enum):
    """What can be written into a column and is no value."""

    DEFAULT = "default"


Value = str | bytes | None
"""A value on its way to a system: its text as the system prints it, bytes for binary columns, None for NULL."""


class ObjectKind(StrEnum):
    """What a database holds."""

    TABLE = "table"
    PARTITIONED = "partitioned_table"
    FOREIGN = "foreign_table"
    VIEW = "view"
    MATERIALIZED = "materialized_view"
    SEQUENCE = "sequence"
    FUNCTION = "function"
    PROCEDURE = "procedure"
    TRIGGER = "trigger"
    EVENT = "event"


RELATIONS = (ObjectKind.TABLE, ObjectKind.PARTITIONED, ObjectKind.FOREIGN)
VIEWS = (ObjectKind.VIEW, ObjectKind.MATERIALIZED)


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One object of a database.

    Attributes:
        table: the one that a trigger is of.
        rows_estimate: by the system's statistics; -1 where there are none.
        signature: a routine's arguments, by which it is told from others of its name.
    """

    kind: ObjectKind
    id: TableId
    table: str = ""
    rows_estimate: int = -1
    bytes_estimate: int = -1
    comment: str = ""
    signature: str = ""
    returns: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class BrowseColumn:
    """A column of anything that has rows.

    Attributes:
        type: as the system spells it.
        default: SQL of the system, or None.
        writable: values of one's own can be put there (it is neither computed nor GENERATED ALWAYS).
        members: labels of an enumeration.
        base: the type's own name, below domains.
    """

    name: str
    type: str
    kind: Kind
    nullable: bool = True
    default: str | None = None
    writable: bool = True
    automatic: bool = False
    comment: str = ""
    members: tuple[str, ...] = ()
    base: str = ""
    length: int | None = None

    @property
    def binary(self) -> bool:
        """Whether its values are bytes and not text."""
        return self.kind in (Kind.BINARY, Kind.GEOMETRY)

    @property
    def shown(self) -> ShownKind:
        """What it holds, as far as showing it goes."""
        return _SHOWN.get(self.kind, ShownKind.OTHER)


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or view with what the explorer needs for reading and changing its rows.

    Attributes:
        key: the columns that name a row: the primary key, or else a unique key without nulls; empty if there is none.
        key_kind: ``primary``, ``unique`` or empty.
        reason: why its rows cannot be changed; empty when they can.
    """

    id: TableId
    kind: ObjectKind
    columns: tuple[BrowseColumn, ...]
    key: tuple[str, ...] = ()
    key_kind: str = ""
    reason: str = ""
    rows_estimate: int = -1
    bytes_estimate: int = -1
    comment: str = ""

    def column(self, name: str) -> BrowseColumn | None:
        """The column of that name, if there is one."""
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison; the operators are those of `contract.browse_sql`."""

    column: str
    operator: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Conditions that must all hold, or of which one must."""

    every: bool
    parts: tuple[Condition | Group, ...]


@dataclass(frozen=True, slots=True)
class Sorting:
    """A column to sort by."""

    column: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class RowQuery:
    """Which rows, in which order.

    Attributes:
        columns: those to read; empty is all.
        where: a condition in the system's own SQL, beside ``filter``.
        skip: rows to leave out at the beginning, or behind ``after``.
        after: values of all that is sorted by (see `Page.order`); only rows that follow are read.
        backwards: from the end, or from ``after`` towards the beginning. The rows still come in their order.
        key: values of the key of the one row that is wanted.
        max_cell: characters (bytes of a binary column) that are read of a value.
    """

    order: tuple[Sorting, ...] = ()
    filter: Group | None = None
    where: str = ""
    limit: int = 100
    skip: int = 0
    after: tuple[Value, ...] | None = None
    backwards: bool = False
    key: Mapping[str, Value] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    max_cell: int = 1000


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows.

    Attributes:
        order: all that they are sorted by, the key's columns last.
        first, last: values of ``order`` in the first and last row, for going on from there; None where that is not
            possible (no key, values that may be null or have no exact text, no rows).
        full: the answer grew too large, and ends before its last row.
    """

    columns: tuple[BrowseColumn, ...]
    rows: tuple[tuple[ShownCell, ...], ...]
    order: tuple[Sorting, ...] = ()
    first: tuple[Value, ...] | None = None
    last: tuple[Value, ...] | None = None
    full: bool = False


@dataclass(frozen=True, slots=True)
class RowCount:
    """A number of rows; not ``exact`` when it is the planner's guess."""

    rows: int
    exact: bool


class ChangeKind(StrEnum):
    """What is done to a row."""

    DELETE = "delete"
    EDIT = "edit"
    INSERT = "insert"


@dataclass(frozen=True, slots=True)
class RowChange:
    """A change of one row.

    Attributes:
        place: where it stands in the request, ``edits[0]``.
        key: of the row as it is now; empty for an insert.
        values: what is written.
        old: what must still be there, by column.
    """

    kind: ChangeKind
    place: str
    key: Mapping[str, Value] = field(default_factory=dict)
    values: Mapping[str, Value | Special] = field(default_factory=dict)
    old: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ColumnSummary:
    """Figures of a column; None where they make no sense for its type, or the system has no such function."""

    name: str
    type: str
    count: int
    nulls: int
    distinct: int | None = None
    minimum: str | None = None
    maximum: str | None = None
    average: str | None = None
    deviation: str | None = None
    quartiles: tuple[str | None, str | None, str | None] = (None, None, None)
    shortest: int | None = None
    longest: int | None = None
    average_length: str | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """Figures of a table; not ``sampled`` when every row was looked at."""

    rows: int
    sampled: bool
    columns: tuple[ColumnSummary, ...]


@dataclass(frozen=True, slots=True)
class Note:
    """A remark about a database: ``info``, ``warn`` or ``error``."""

    severity: str
    message: str


@dataclass(frozen=True, slots=True)
class Overview:
    """A database at a glance. ``facts`` has the members that only this kind of system has (wal, binlog)."""

    engine: str
    version: str
    encoding: str
    collation: str
    counts: Mapping[str, int]
    size_bytes: int
    tables: tuple[ObjectInfo, ...]
    connections_used: int
    connections_max: int
    active: int
    long_running: tuple[Mapping[str, Any], ...]
    facts: Mapping[str, Any]
    notes: tuple[Note, ...]


class Browser(AbstractContextManager["Browser"], Protocol):
    """One open connection to a database, for one question or a few. Not shared between threads.

    Every method raises `LostConnectionError`, `StatementError` or `TimeLimitError`; making one raises `ConnectError`.
    All of it reads in read-only transactions, but for `apply`.
    """

    def limit(self, seconds: float) -> None:
        """End every statement from now on that takes longer; 0 is no limit."""
        ...

    def objects(self, schemas: Sequence[str] = (), *, include_system: bool = False) -> list[ObjectInfo]:
        """What the database holds, sorted by schema and name.

        Args:
            schemas: those to look into, where the system has schemas; empty is all.
        """
        ...

    def relation(self, id_: TableId) -> Relation:
        """A table or view; `NotFoundError` if there is none."""
        ...

    def definition(self, kind: ObjectKind, id_: TableId, signature: str = "") -> str:
        """The SQL that makes an object, as the system tells it; empty where it does not.

        Raises:
            NotFoundError: there is none.
        """
        ...

    def page(self, relation: Relation, query: RowQuery) -> Page:
        """Some rows; `InvalidError` for columns, operators or values that do not fit."""
        ...

    def rows(self, relation: Relation, query: RowQuery) -> Iterator[tuple[ShownCell, ...]]:
        """All rows of a query, read as they are taken; its ``limit`` of 0 is none."""
        ...

    def cell(self, relation: Relation, query: RowQuery) -> Iterator[bytes]:
        """The whole value of the query's one column in its first row, piece by piece; `NotFoundError` without a row."""
        ...

    def count(self, relation: Relation, query: RowQuery, *, exact: bool) -> RowCount:
        """How many rows the query's conditions let through."""
        ...

    def apply(self, relation: Relation, changes: Sequence[RowChange]) -> None:
        """Make all of the changes in one transaction, or none.

        Raises:
            ConflictError: a row is no longer there, or no longer as it was.
        """
        ...

    def preview(self, relation: Relation, changes: Sequence[RowChange]) -> list[str]:
        """The statements that `apply` would run, with their values."""
        ...

    def summary(self, relation: Relation, sample_rows: int) -> Summary:
        """Figures per column.

        Args:
            sample_rows: about how many rows to look at; 0 is all of them.
        """
        ...

    def overview(self) -> Overview:
        """The database at a glance."""
        ...
