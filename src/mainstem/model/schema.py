"""Schema objects as read from a system: tables with all that hangs on them, views, sequences.

Names are as the owner spells them; expressions are SQL in the owner's dialect.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from mainstem.model.names import TableId
from mainstem.model.plan import Phase
from mainstem.model.types import LogicalType


class DefaultKind(StrEnum):
    """How a column default is to be read.

    NOW is the statement's time; its text is the number of fractional digits. HIDDEN is one that the owner does not
    show as it is.
    """

    LITERAL = "literal"
    NOW = "now"
    EXPRESSION = "expression"
    HIDDEN = "hidden"


@dataclass(frozen=True, slots=True)
class Default:
    """A column default: a literal's text cell (unquoted; see `model.types`), the time, or SQL in the owner's dialect.

    The literals of two kinds are not the text cell: BITS is written in the digits 0 and 1, BINARY in hex. ``sql`` is
    what the owner itself writes, for a system of its kind.
    """

    kind: DefaultKind
    text: str
    sql: str = ""


@dataclass(frozen=True, slots=True)
class Generated:
    """A generated column: its expression, and whether it is stored (else computed when read)."""

    expression: str
    stored: bool


@dataclass(frozen=True, slots=True)
class Domain:
    """What a column's domain says beside its name.

    Attributes:
        base: the built-in type below it, as the owner spells it.
        conditions: SQL of the owner about ``VALUE``, by the constraint's name.
    """

    base: str
    conditions: tuple[tuple[str, str], ...] = ()
    nullable: bool = True
    default: Default | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes:
        native: the owner's own type text, e.g. ``int(10) unsigned``.
        identity: filled by the server from a counter (auto_increment, identity, serial).
        always: an identity that refuses values of one's own (GENERATED ALWAYS).
        user_type: the type's name where it is not built in (a domain, an enum, a composite), or an array's elements'.
        counter: the sequence behind an identity, where the owner has one for it. A serial column is an identity too,
            and has its ``nextval`` as its default beside.
        not_null: the owner's NOT NULL constraint where it says more than that (a name of its own), as its own SQL;
            None where it comes with a table that this one inherits from.
        inherited: it comes from a table that this one inherits from, and is not declared here.
        mark: tells it from any other column that may come to have its names, also of another table: its owner's own
            text, or empty where the owner knows none. Columns are equal whatever it is.
        on_update: SQL that the owner runs on each UPDATE (``current_timestamp(3)``), or empty.
        collation: the owner's collation name, or empty for non-text.
    """

    name: str
    type: LogicalType
    native: str
    nullable: bool = True
    default: Default | None = None
    generated: Generated | None = None
    identity: bool = False
    on_update: str = ""
    comment: str = ""
    charset: str = ""
    collation: str = ""
    invisible: bool = False
    always: bool = False
    user_type: TableId | None = None
    counter: Sequence | None = None
    not_null: str | None = ""
    inherited: bool = False
    domain: Domain | None = None
    mark: str = field(default="", compare=False)

    @property
    def built_in(self) -> str:
        """The type's own text; a domain's, that of the type below it."""
        return self.domain.base if self.domain is not None else self.native


@dataclass(frozen=True, slots=True)
class IndexPart:
    """One part of an index: a column, or an expression in the owner's dialect."""

    column: str = ""
    expression: str = ""
    descending: bool = False
    prefix_length: int | None = None


class IndexMethod(StrEnum):
    """What an index is for."""

    BTREE = "btree"
    HASH = "hash"
    FULLTEXT = "fulltext"
    SPATIAL = "spatial"
    GIN = "gin"
    GIST = "gist"
    SPGIST = "spgist"
    BRIN = "brin"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Index:
    """A secondary index or unique key (the primary key stands in `Table.primary_key`).

    Attributes:
        where: the condition of a partial index, in the owner's dialect.
        include: columns that are only stored in it.
        constraint: it is a unique constraint rather than an index.
        deferrable: ``DEFERRABLE``, ``DEFERRABLE INITIALLY DEFERRED`` or empty.
        nulls_distinct: False where two nulls count as equal.
        definition: what the owner itself writes behind ``ON table``, or the constraint's body.
        invisible: the owner's optimizer does not use it.
        part_of: the index of the partitioned table that this one, of a partition, belongs to.
    """

    name: str
    parts: tuple[IndexPart, ...]
    unique: bool = False
    method: IndexMethod = IndexMethod.BTREE
    comment: str = ""
    where: str = ""
    include: tuple[str, ...] = ()
    constraint: bool = False
    deferrable: str = ""
    nulls_distinct: bool = True
    definition: str = ""
    invisible: bool = False
    part_of: TableId | None = None


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A foreign key; actions are upper-case SQL (``CASCADE``, ``SET NULL``, ``NO ACTION`` …).

    Attributes:
        match_full: a key of several columns may be null only as a whole.
        deferrable: as `Index.deferrable`.
        validated: False where the owner has not checked the rows that are there.
        definition: the constraint's body as the owner writes it, where the other attributes do not say all of it.
    """

    name: str
    columns: tuple[str, ...]
    parent: TableId
    parent_columns: tuple[str, ...]
    on_update: str = "NO ACTION"
    on_delete: str = "NO ACTION"
    match_full: bool = False
    deferrable: str = ""
    validated: bool = True
    definition: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """A check constraint; the expression is in the owner's dialect.

    Attributes:
        column: the column that it is declared with, where that makes a difference to the owner.
    """

    name: str
    expression: str
    validated: bool = True
    inherited: bool = True
    column: str = ""


class TableKind(StrEnum):
    """What a relation is. A PARTITIONED table's rows lie in its partitions; a PARTITION belongs to one."""

    TABLE = "table"
    PARTITIONED = "partitioned"
    PARTITION = "partition"
    FOREIGN = "foreign"
    VIEW = "view"


@dataclass(frozen=True, slots=True)
class Table:
    """A base table.

    Attributes:
        constraints: those that no other attribute holds (exclusion), as the owner's own SQL.
        primary_key_name: the primary key constraint's own name, where it has one.
        primary_key_definition: the constraint's body as the owner writes it.
        primary_key_part_of: as `Index.part_of`.
        partition_key: ``RANGE (day)``, of a PARTITIONED table, in the owner's SQL.
        partition_of, partition_bound: of a PARTITION: its parent and ``FOR VALUES …`` (it may be PARTITIONED itself).
        parents: tables that it inherits from.
        options: the owner's own storage options, written behind the table's definition.
        unlogged: its rows do not outlive a crash.
        charset, collation: what text columns of the table get when they name none.
        rows_estimate: from the owner's statistics; may be far off.
        bytes_estimate: data without indexes, from the owner's statistics.
        identity_next: the next value of the identity column's counter, or None.
        memo: what a stream of the table is to know of it, in the owner's own text (`StreamTable.memo`).
    """

    id: TableId
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    indexes: tuple[Index, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    checks: tuple[Check, ...] = ()
    comment: str = ""
    rows_estimate: int = 0
    bytes_estimate: int = 0
    identity_next: int | None = None
    kind: TableKind = TableKind.TABLE
    constraints: tuple[Check, ...] = ()
    primary_key_name: str = ""
    primary_key_definition: str = ""
    primary_key_part_of: TableId | None = None
    partition_key: str = ""
    partition_of: TableId | None = None
    partition_bound: str = ""
    parents: tuple[TableId, ...] = ()
    options: str = ""
    unlogged: bool = False
    charset: str = ""
    collation: str = ""
    memo: str = field(default="", compare=False)

    def column(self, name: str) -> Column:
        """The column of that name; KeyError if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class View:
    """A view.

    Attributes:
        definition: its SELECT in the owner's dialect; empty if it may not be seen.
        check_option: LOCAL, CASCADED or empty: which rows may be written through it.
        invoker: it runs with the rights of its user, not of its owner.
        materialized: its rows are stored; ``indexes`` are then those on them.
        populated: a materialized one holds rows, and is to be filled.
        options: the owner's own, written before AS.
        uses: the tables and views that it names, where the owner knows. Views come after those that they use.
    """

    id: TableId
    definition: str
    check_option: str = ""
    invoker: bool = False
    materialized: bool = False
    indexes: tuple[Index, ...] = ()
    comment: str = ""
    populated: bool = True
    options: str = ""
    uses: tuple[TableId, ...] = ()


@dataclass(frozen=True, slots=True)
class Sequence:
    """A sequence that is an object of its own; the counter of an identity column is not.

    Attributes:
        owner: the table and column that it goes with (serial), or None. The owner's kind of system alone makes it.
        native: its integer type as the owner spells it.
    """

    id: TableId
    start: int
    increment: int
    minimum: int
    maximum: int
    next_value: int
    cycle: bool = False
    owner: TableId | None = None
    owner_column: str = ""
    native: str = ""
    cache: int = 1


@dataclass(frozen=True, slots=True)
class OtherObject:
    """Something that is known to exist and is not translated: a trigger, a routine, an event.

    Attributes:
        kind: machine-readable, ``trigger``.
        table: the name of the table that it belongs to, or empty.
    """

    kind: str
    id: TableId
    table: str = ""


@dataclass(frozen=True, slots=True)
class NativeObject:
    """Something that only a system of the owner's kind has (a domain, an extension, a function), as its own DDL.

    Attributes:
        kind: machine-readable: ``extension``, ``enum``, ``domain``, ``composite``, ``function``, ``trigger`` …
        statements: what makes it, in order.
        phase: when; within a phase the catalog's order holds.
        table: the table that it hangs on, which must be copied for it to be made; None for one that stands alone.
        optional: a refusal is reported, and the run goes on.
        needed_by: the tables that cannot be made without it, or cannot do what they do.
        parts: of a type what it consists of, each with its name: labels, attributes, checks.
    """

    kind: str
    id: TableId
    statements: tuple[str, ...]
    phase: Phase
    table: TableId | None = None
    optional: bool = True
    needed_by: frozenset[TableId] = frozenset()
    parts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Catalog:
    """All that a selection of one database or schema holds.

    ``objects`` are made on a target of the same kind; ``others`` are not made anywhere.
    """

    tables: tuple[Table, ...]
    views: tuple[View, ...] = ()
    sequences: tuple[Sequence, ...] = ()
    others: tuple[OtherObject, ...] = ()
    objects: tuple[NativeObject, ...] = ()
