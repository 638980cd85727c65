"""What the explorer's answers look like."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from mainstem.api.cells import Cell
from mainstem.contract.browse import ObjectKind
from mainstem.model.shown import ShownKind
from mainstem.model.types import Kind


class DatabaseObject(BaseModel):
    """One object of a database."""

    kind: ObjectKind
    schema_name: str = Field(alias="schema")
    name: str
    table: str = Field(description="the one that a trigger is of")
    signature: str = Field(description="a routine's arguments")
    returns: str
    language: str
    comment: str
    estimatedRows: int = Field(description="by the system's statistics; -1 is unknown")
    estimatedSizeBytes: int


class DatabaseObjects(BaseModel):
    """What a database holds."""

    database: str
    schemas: list[str] = Field(description="those in which there is something; empty where the system has no schemas")
    objects: list[DatabaseObject]


class RowColumn(BaseModel):
    """A column of rows that are shown."""

    name: str
    type: str = Field(description="the server's own name for it")
    kind: ShownKind
    logicalType: Kind
    nullable: bool
    default: str | None
    writable: bool = Field(description="values of one's own can be put there")
    automatic: bool = Field(description="the server fills it by itself")
    key: bool
    comment: str
    members: list[str] = Field(description="labels of an enumeration")


class Editability(BaseModel):
    """Whether rows can be changed, and why not."""

    isEditable: bool
    editKeyColumns: list[str]
    editKeyType: Literal["primary", "unique", ""]
    editabilityReason: str


class Rows(Editability):
    """Some rows of a table or view."""

    columns: list[RowColumn]
    rows: list[list[Cell]]
    count: int = Field(description="rows in this answer")
    total_count: int = Field(description="rows in all; -1 when they were not counted")
    total_exact: bool
    limit: int
    offset: int
    order_by: list[str] = Field(description="all that the rows are sorted by, the key last")
    order_dir: list[str]
    first: str | None = Field(description="position of the first row, for `before`; null where there is none")
    last: str | None = Field(description="position of the last row, for `after`")
    truncated: bool = Field(description="the answer grew too large, and holds fewer rows than were asked for")
    took_ms: float
    status: Literal["success"]


class Count(BaseModel):
    """A number of rows."""

    count: int
    exact: bool
    message: str = Field(description="why it is not exact, though that was asked for")
    took_ms: float
    status: Literal["success"]


class StructureIndex(BaseModel):
    """An index."""

    name: str
    columns: list[str]
    isUnique: bool
    isPrimary: bool
    type: str
    condition: str = Field(description="of a partial index")
    include: list[str]


class StructureForeignKey(BaseModel):
    """A foreign key."""

    name: str
    columns: list[str]
    referencedSchema: str
    referencedTable: str
    referencedColumns: list[str]
    onUpdate: str
    onDelete: str


class StructureCheck(BaseModel):
    """A check constraint."""

    name: str
    clause: str


class TableStructure(Editability):
    """All about one table or view."""

    kind: ObjectKind
    schema_name: str = Field(alias="schema")
    name: str
    comment: str
    columns: list[RowColumn]
    primaryKey: list[str]
    indexes: list[StructureIndex]
    foreignKeys: list[StructureForeignKey]
    checks: list[StructureCheck]
    partitionKey: str
    estimatedRows: int
    estimatedSizeBytes: int
    ddl: str


class Definition(BaseModel):
    """The SQL that makes an object."""

    sql: str


class Changed(BaseModel):
    """What was changed; after a dry run, what would be."""

    status: Literal["success"]
    rows: int = Field(description="rows touched")
    inserted: int
    updated: int
    deleted: int
    dryRun: bool
    statements: list[str] = Field(description="the SQL, with its values")


class SummaryBody(BaseModel):
    """How much to look at."""

    samplePercent: float | None = Field(default=None, gt=0, le=100, description="absent is about 100,000 rows")


class SummaryColumn(BaseModel):
    """Figures of a column; null where they make no sense for its type."""

    name: str
    type: str
    count: int = Field(description="values that are not null")
    nulls: int
    nullPercentage: float
    approxUnique: int | None
    min: str | None
    max: str | None
    avg: str | None
    std: str | None
    q25: str | None
    q50: str | None
    q75: str | None
    minLength: int | None
    maxLength: int | None
    avgLength: str | None


class TableSummary(BaseModel):
    """Figures of a table's columns."""

    columns: list[SummaryColumn]
    rowCount: int = Field(description="rows that were looked at")
    columnCount: int
    executionTimeMs: float
    sampled: bool


class TableSize(BaseModel):
    """A table with its size."""

    schema_name: str = Field(alias="schema")
    name: str
    approxRows: int
    sizeBytes: int


class OverviewNote(BaseModel):
    """A remark."""

    severity: Literal["info", "warn", "error"]
    message: str


class ConnectionsUsed(BaseModel):
    """Connections of the server."""

    used: int
    max: int


class LongRunning(BaseModel):
    """Something that has run for more than a minute."""

    id: int
    user: str | None
    state: str
    seconds: int


class Activity(BaseModel):
    """What happens on the server now."""

    connections: ConnectionsUsed
    activeSessions: int
    longRunning: list[LongRunning]


class WalSlot(BaseModel):
    """A replication slot."""

    slot_name: str
    plugin: str | None
    active: bool
    kept: int | None = Field(description="bytes of log that it keeps")


class Wal(BaseModel):
    """PostgreSQL's log."""

    level: str
    slots: list[WalSlot]
    maxReplicationSlots: int
    freeReplicationSlots: int
    maxWalSenders: int


class Binlog(BaseModel):
    """MySQL's binary log."""

    enabled: bool
    format: str
    rowImage: str
    gtidMode: str
    serverId: int


class Health(BaseModel):
    """What replication needs."""

    wal: Wal | None = None
    binlog: Binlog | None = None


class DatabaseOverview(BaseModel):
    """A database at a glance."""

    engine: Literal["postgres", "mysql"]
    version: str
    encoding: str
    collation: str
    counts: dict[str, int]
    sizeBytes: int
    allTablesBySize: list[TableSize]
    allTablesByRows: list[TableSize]
    activity: Activity
    health: Health
    notes: list[OverviewNote]


class MetaColumn(BaseModel):
    """A column in the document of a whole database."""

    name: str
    dataType: str
    columnType: str
    characterSet: str
    collation: str
    enumValues: list[str]
    isUnsigned: bool
    isNullable: bool
    defaultValue: str | None
    isPrimaryKey: bool
    isUnique: bool
    length: int | None
    precision: int | None
    scale: int | None
    comment: str
    autoIncrement: bool


class MetaTable(Editability):
    """A table in the document of a whole database."""

    name: str
    schema_name: str = Field(alias="schema")
    database: str
    columns: list[MetaColumn]
    primaryKeys: list[str]
    foreignKeys: list[StructureForeignKey]
    indexes: list[StructureIndex]
    checkConstraints: list[StructureCheck]
    comment: str
    estimatedRows: int
    estimatedSizeBytes: int
    isPartitioned: bool


class MetaView(BaseModel):
    """A view."""

    name: str
    schema_name: str = Field(alias="schema")
    definition: str
    isMaterialized: bool
    dependsOn: list[str]


class MetaRoutine(BaseModel):
    """A function or procedure."""

    name: str
    schema_name: str = Field(alias="schema")
    routineType: Literal["function", "procedure"]
    signature: str
    returnType: str
    language: str


class MetaTrigger(BaseModel):
    """A trigger."""

    name: str
    schema_name: str = Field(alias="schema")
    table: str


class MetaSequence(BaseModel):
    """A sequence."""

    name: str
    schema_name: str = Field(alias="schema")
    startValue: int
    increment: int
    minValue: int
    maxValue: int
    cacheSize: int
    isCycled: bool
    lastValue: int
    ownerTable: str
    ownerColumn: str


class DatabaseMeta(BaseModel):
    """The structure of a database; maps by name, with the schema in front of names outside the default one."""

    database: str
    schemas: list[str]
    tables: dict[str, MetaTable]
    views: dict[str, MetaView]
    triggers: dict[str, MetaTrigger]
    functions: dict[str, MetaRoutine]
    procedures: dict[str, MetaRoutine]
    sequences: dict[str, MetaSequence]


class MetaStats(BaseModel):
    """How many there are of each kind."""

    counts: dict[str, int]


class MetaSummary(BaseModel):
    """The structure in short: names with estimates."""

    database: str
    schemas: list[str]
    tables: list[TableSize]
    views: list[str]
    stats: MetaStats
