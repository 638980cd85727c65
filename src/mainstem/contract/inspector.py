"""`Inspector`: what the control plane may ask of one system."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from mainstem.contract.dialect import Folding, TargetDialect
from mainstem.model.names import TableId
from mainstem.model.plan import Severity
from mainstem.model.run import RunOptions, TableSelection
from mainstem.model.schema import Catalog, Column


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """What a ping learns. ``flavor``: ``mysql``, ``mariadb``, ``postgresql``; ``tls``: negotiated version or empty."""

    flavor: str
    version: str
    round_trip_ms: float
    tls: str = ""


@dataclass(frozen=True, slots=True)
class DatabaseInfo:
    """A database with its schemas (none where the system has no such floor)."""

    name: str
    schemas: tuple[str, ...] = ()
    system: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of a preflight: a named check (``my.grants``), what was found, and what to do."""

    check: str
    severity: Severity
    message: str
    remedy: str = ""


def failing(check: str, message: str, remedy: str) -> Finding:
    """A finding that is in the run's way."""
    return Finding(check, Severity.ERROR, message, remedy)


def doubtful(check: str, message: str, remedy: str) -> Finding:
    """A finding that may be in its way later."""
    return Finding(check, Severity.WARNING, message, remedy)


def worth_knowing(check: str, message: str, remedy: str = "") -> Finding:
    """A finding that asks for nothing."""
    return Finding(check, Severity.INFO, message, remedy)


@dataclass(frozen=True, slots=True)
class Denial:
    """Why the login cannot read a table whole, and the statement (or the way) that would let it.

    ``check`` is the name of the finding that it makes.
    """

    check: str
    reason: str
    remedy: str


class Role(StrEnum):
    """What a system will be used for."""

    SOURCE = "source"
    TARGET = "target"


@dataclass(frozen=True, slots=True)
class TableStatus:
    """What a target has under a name.

    Attributes:
        columns: their names in order.
        empty: there is not one row.
        computed: generated column → its expression, in the target's SQL.
        part_of: it is a partition of this table, which has its rows, too.
    """

    columns: tuple[str, ...]
    empty: bool
    computed: Mapping[str, str] = field(default_factory=dict)
    part_of: TableId | None = None


@dataclass(frozen=True, slots=True)
class TableSize:
    """What a catalog says of a table's size; no row is looked at.

    Attributes:
        rows: an estimate; None where the system has never counted.
        row_bytes, index_bytes: on disk, of a partitioned table with its partitions.
        columns: how many.
        keyed: has a primary key.
    """

    table: TableId
    rows: int | None
    row_bytes: int
    index_bytes: int
    columns: int
    keyed: bool


class Inspector(AbstractContextManager["Inspector"], Protocol):
    """One open connection for questions. Closed by leaving the context. Not shared between threads.

    Every method raises `LostConnectionError` or `StatementError`; making one raises `ConnectError`.
    """

    def ping(self) -> ServerInfo:
        """Ask for a trivial answer."""
        ...

    def databases(self, *, include_system: bool = False) -> list[DatabaseInfo]:
        """The databases that this login may see, sorted by name."""
        ...

    def create_database(self, name: str) -> None:
        """Make a database; `ConflictError` if it is there already, `InvalidError` for an impossible name."""
        ...

    def schemas(self) -> list[str]:
        """Schemas of the connection's database; empty where the system has none."""
        ...

    def create_schema(self, name: str) -> None:
        """Make a schema; `InvalidError` where the system has none."""
        ...

    def tables(self, schemas: Sequence[str] = (), *, every: bool = False) -> list[TableId]:
        """Base tables of the connection's database or schema, sorted; not partitions.

        Args:
            schemas: those to look into, where the system has schemas; empty is the connection's own, ``*`` is all.
            every: also what is no table and can be read as one (views, foreign tables), when a user names it.
        """
        ...

    def sizes(self, schemas: Sequence[str] = ()) -> list[TableSize]:
        """The size of each of `tables`, in the same order; a few queries, however many tables there are."""
        ...

    def catalog(
        self, tables: Sequence[TableId] | None = None, *, evidence: bool = False, schemas: Sequence[str] = ()
    ) -> Catalog:
        """Everything the database or schema holds; with ``tables`` only these tables, beside all that is no table.

        With ``evidence`` the rows themselves are looked at where a type depends on them (MySQL: tinyint(1) that holds
        only 0 and 1 is BOOLEAN; TIME within a day is TIME, else INTERVAL). Unknown tables raise `NotFoundError`.
        """
        ...

    def query_columns(self, query: str) -> tuple[Column, ...]:
        """Columns that a SELECT would return, without running it to its end; `InvalidError` if it isn't one SELECT."""
        ...

    def table_status(self, tables: Sequence[TableId]) -> dict[TableId, TableStatus]:
        """For each of the tables that exists: its columns, and whether it is empty."""
        ...

    def count(self, table: TableId, null_column: str = "") -> int:
        """Rows of a table; with ``null_column`` those in which that column is null."""
        ...

    def denials(self, tables: Sequence[TableSelection]) -> dict[TableId, Denial]:
        """The tables that this login cannot read whole: rights to them, or to the wanted columns, are missing.

        Args:
            tables: each with its schema in front; what is not there is not told of. No queries.
        """
        ...

    def collisions(self, table: TableId, columns: Sequence[tuple[str, Folding]], where: str) -> int:
        """How many groups of rows have a key in common once it is folded; the whole table is read for it.

        Args:
            columns: of the key, each with what is taken for equal there. A key with a null in it has no equal.
            where: a condition that the rows must meet, or empty.
        """
        ...

    def target_dialect(self) -> TargetDialect | None:
        """The dialect for writing to this very server (flavour, version, extensions); None if it can't be a target."""
        ...

    def preflight(self, role: Role, options: RunOptions) -> list[Finding]:
        """Named checks for the role, each with its remedy. Empty is "nothing to say"."""
        ...
