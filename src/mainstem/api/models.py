"""What answers look like: the models behind /openapi.json, and with it behind generated clients.

Names of members are those of the documented API where it has them; the rest is ours. Members that may be absent have a
default here and are left out where they do not apply.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from mainstem.model.alert import AlertKind
from mainstem.model.run import RunState, TableState


class Problem(BaseModel):
    """Every error."""

    error: str
    message: str
    status: Literal["error"]
    code: str
    fields: dict[str, str] = Field(default={}, description="each wrong field with what is wrong")
    field: str = Field(default="", description="the first of them")
    remedy: str = ""
    details: dict[str, Any] = {}


class Ssl(BaseModel):
    """TLS of a connection; the files themselves are never returned."""

    mode: str
    has_ca: bool = False
    has_client_cert: bool = False
    has_client_key: bool = False


class Address(BaseModel):
    """Where a connection goes."""

    model_config = ConfigDict(populate_by_name=True)

    host: str
    port: int
    username: str
    database: str
    schema_name: str = Field(default="", alias="schema")


class Spec(BaseModel):
    """The same, as later clients read it."""

    database: Address


class Connection(Address):
    """A saved connection, without its secrets."""

    id: str
    created: int = Field(description="seconds since 1970")
    name: str
    type: str
    flavor: str = Field(default="", description="the relative that it was made as, such as mariadb")
    readOnly: bool = Field(default=False, description="SQL that users write must change nothing there")
    ssl: Ssl | None = None
    spec: Spec | None = None


class Page(BaseModel):
    """The later form of a list."""

    total: int
    filtered: int
    search: str
    limit: int
    offset: int


class ConnectionPage(Page):
    """Connections in the later form of a list."""

    items: list[Connection]


class Ping(BaseModel):
    """What a ping found."""

    ping: Literal["ok", "failed"]
    version: str = ""
    flavor: str = ""
    round_trip_ms: float = 0.0
    tls: str = Field(default="", description="the negotiated version, or empty")
    error: str = ""
    code: str = Field(
        default="", description="host_not_found, refused, timeout, tls, login, no_database or connect_failed"
    )
    remedy: str = ""


class SchemaName(BaseModel):
    """A schema, as later clients read it."""

    name: str
    isSystem: bool = False


class Database(BaseModel):
    """A database."""

    name: str
    schemas: list[str] | list[SchemaName] = []
    isSystem: bool = False


class Made(BaseModel):
    """Something was made on a database server."""

    status: Literal["success"]
    name: str


class Config(BaseModel):
    """A stream config: what was sent, in the shape that was sent (see EarlyConfig and LaterConfig), and these."""

    model_config = ConfigDict(extra="allow")

    id: str
    name: str
    created: int
    mode: str
    warnings: list[str] = []


class ConfigPage(Page):
    """Stream configs in the later form of a list."""

    items: list[Config]


class Stream(BaseModel):
    """A run of a config."""

    id: str
    configId: str
    name: str
    mode: str
    source: str
    target: str
    status: RunState
    created: int
    started: int
    finished: int
    message: str
    error: str
    code: str
    remedy: str
    allowed: list[str] = Field(description="what may be requested now: pause, resume, stop")


class StreamPage(Page):
    """Streams in the later form of a list."""

    items: list[Stream]


class Started(BaseModel):
    """A stream that was started by posting its config."""

    status: Literal["success"]
    id: str
    configId: str
    data: Stream


class HistoryLine(BaseModel):
    """A run in its config's history."""

    id: str
    configId: str
    streamId: str
    timestamp: str
    durationMs: int
    status: RunState
    dataSize: int
    rowsInserted: int
    rowsSkipped: int
    errorMessage: str


class NodeStat(BaseModel):
    """Counters of one side; sizes in bytes, ``duration`` in nanoseconds, ``avgRate`` in bytes per second."""

    counter: int
    failedCounter: int
    sumDataSize: int
    prevDataSize: int
    reportingInterval: int
    start: str
    duration: int
    avgRate: float
    status: RunState


class Node(BaseModel):
    """One side of a stream."""

    id: str
    type: Literal["source", "target"]
    stat: NodeStat
    counter: int
    failedCounter: int
    sumDataSize: int
    avgRate: float
    status: RunState


class Side(BaseModel):
    """One side of a stream, in the oldest form."""

    counter: int
    elapsed: str
    started: str
    status: RunState
    sumDataSize: int


class OperationRates(BaseModel):
    """Changes applied per second, in mode cdc."""

    insert: float
    update: float
    delete: float


class Operations(BaseModel):
    """Changes applied, in mode cdc."""

    insert: int
    update: int
    delete: int
    truncate: int


class Rates(BaseModel):
    """Of the last seconds while a stream runs, else of its whole time."""

    rowsPerSecond: float
    bytesPerSecond: float
    remainingSeconds: float | None = Field(description="an estimate; null when it cannot be told")
    operationsPerSecond: OperationRates


class Totals(Rates):
    """Over all tables."""

    rowsEstimate: int
    rowsRead: int
    rowsWritten: int
    rowsRejected: int
    bytes: int
    operations: Operations


class TableStats(Totals):
    """One table."""

    name: str
    target: str
    status: TableState
    bytesEstimate: int
    elapsed: float
    chunksDone: int
    chunksTotal: int
    coerced: dict[str, int] = Field(description="values changed by a policy, counted: column: policy")
    error: str
    remedy: str
    missing: int = Field(description="changes whose row the target did not have")
    deadLetters: int = Field(description="changes that were put aside")
    appliedAt: str = Field(description="when the last change was applied; empty for never")


class ChangeStats(BaseModel):
    """How a replication stands; null until it streams, and in mode convert."""

    position: str = Field(description="of the source's log: all up to here is durable in the target")
    lagSeconds: float = Field(description="0 at the end of the log", examples=[0.03])
    lagBytes: int | None = Field(description="of the source's log; null where the source does not say")
    lagTransactions: int = Field(description="read and not yet applied")
    transactions: int = Field(description="applied since the stream began")
    committedAt: str = Field(description="when the source committed the last transaction that was applied")
    appliedAt: str = Field(description="when it became durable in the target")
    heldBytes: int | None = Field(description="log that the source keeps for the stream; null where it does not say")


class AlertLine(BaseModel):
    """What somebody should be told of a stream."""

    alert: AlertKind
    message: str
    remedy: str
    subject: str = Field(description="the table that it is about, or empty")


class RejectedRow(BaseModel):
    """A row that was put aside."""

    table: str
    key: str
    column: str
    reason: str


class ReportLine(BaseModel):
    """Something that changes on the way or is left out."""

    severity: Literal["info", "warning", "error"]
    code: str
    object: str
    message: str
    remedy: str


class Stats(BaseModel):
    """Counters of a stream in every form that known clients read; times are seconds since 1970."""

    id: str
    configId: str
    name: str
    mode: str
    status: RunState
    created: int
    started: int
    finished: int
    message: str
    error: str
    code: str
    remedy: str
    allowed: list[str]
    configID: str
    streamID: str
    stage: str
    elapsed: float
    nodes: list[Node]
    source: Side
    target: Side
    totals: Totals
    changes: ChangeStats | None
    alerts: list[AlertLine] = Field(description="those that are not over")
    tables: list[TableStats]
    rejected: list[RejectedRow]
    report: list[ReportLine]


class LogLine(BaseModel):
    """A line of a stream's log; members beside these depend on its category."""

    model_config = ConfigDict(extra="allow")

    number: int
    streamId: str
    level: str
    timestamp: str
    message: str
    type: str
    category: str


class CountedTable(BaseModel):
    """Rows of a table on both sides at a cut-over; null where they were not counted."""

    table: str
    target: str
    sourceRows: int | None
    targetRows: int | None
    same: bool
    note: str


class Cutover(BaseModel):
    """What a cut-over found. Only with ``safe`` should writers be moved to the target."""

    safe: bool
    position: str
    waitedSeconds: float
    problems: list[str] = Field(description="why it is not safe; empty when it is")
    counters: list[str] = Field(description="identities and the like that were set past the highest value in use")
    tables: list[CountedTable]


class DeadLetterLine(BaseModel):
    """A change that the target refused and that was put aside."""

    number: int
    table: str
    operation: Literal["insert", "update", "delete"]
    key: str
    position: str
    column: str
    reason: str


class Replayed(BaseModel):
    """How many letters went in, and how many were refused again."""

    applied: int
    refused: int


class SchemaChangeLine(BaseModel):
    """A schema change of the source, and what became of it."""

    table: str
    change: str
    position: str
    outcome: str = Field(description="applied, ignored or paused", examples=["applied"])
    detail: str = Field(description="the statements that ran on the target, or what one has to do")
    at: str


class PlannedColumn(BaseModel):
    """How a column travels."""

    source: str
    target: str
    type: str


class PlannedTable(BaseModel):
    """How a table travels."""

    source: str
    target: str
    rowsEstimate: int
    bytesEstimate: int
    columns: list[PlannedColumn]


class PlannedStatement(BaseModel):
    """A statement that will run on the target."""

    phase: str
    object: str
    sql: str


class FindingLine(BaseModel):
    """What a check of one side found."""

    role: Literal["source", "target"]
    check: str
    severity: Literal["info", "warning", "error"]
    message: str
    remedy: str


class Plan(BaseModel):
    """What a start would do."""

    findings: list[FindingLine]
    tables: list[PlannedTable]
    statements: list[PlannedStatement]
    report: list[ReportLine]


class UserConfigs(BaseModel):
    """Everything saved."""

    status: Literal["success"]
    connections: list[Connection]
    streamConfigs: list[Config]


class Member(BaseModel):
    """A process that uses the store."""

    id: str
    roles: list[Literal["api", "reader", "writer"]]
    host: str
    pid: int
    version: str
    address: str
    started: str
    seen: str
    streams: list[str]
    answers: bool
