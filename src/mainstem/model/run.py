"""One run of a stream config: its options, states, progress and outcome. All of it can be written as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from mainstem.model.alert import Alert
from mainstem.model.names import TableId
from mainstem.model.plan import ReportItem

MAX_PARTITIONS = 16
"""So many connections of a stream may apply changes at once."""
ALL_SCHEMAS = "*"
"""In `RunOptions.source_schemas`: every schema of the database."""


class RunState(StrEnum):
    """The states of a stream, as the API spells them."""

    READY = "READY"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    STOPPED = "STOPPED"
    TIME_LIMIT_REACHED = "TIME_LIMIT_REACHED"
    EVENT_LIMIT_REACHED = "EVENT_LIMIT_REACHED"


class TableState(StrEnum):
    """The states of one table within a run.

    The last three are those of a table that was under way, or waited, when the run ended for that reason (STOPPED also
    when the run failed for a reason that is not this table's).
    """

    PENDING = "pending"
    COPYING = "copying"
    INDEXING = "indexing"
    FINISHED = "finished"
    FAILED = "failed"
    SKIPPED = "skipped"
    STOPPED = "stopped"
    TIME_LIMIT_REACHED = "time_limit_reached"
    EVENT_LIMIT_REACHED = "event_limit_reached"
    CATCHING_UP = "catching_up"
    STREAMING = "streaming"
    PAUSED = "paused"


ACTIVE = (TableState.CATCHING_UP, TableState.STREAMING)
"""The log is read for tables in these states, and only changes of these are applied."""


class Mode(StrEnum):
    """Once, or continuously from the transaction log."""

    CONVERT = "convert"
    CDC = "cdc"


class SnapshotPolicy(StrEnum):
    """Which tables of a replication are copied first. AUTO: those that the target lacks, or has without rows."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class ChangeErrorPolicy(StrEnum):
    """What a change that the target refuses does: it is put aside, or its table stops, or the whole stream."""

    QUARANTINE = "quarantine"
    STOP_TABLE = "stop_table"
    STOP_STREAM = "stop_stream"


class SchemaChangePolicy(StrEnum):
    """What to do about a change of a table's columns.

    APPLY carries over what is safe and additive, and pauses the table at the rest; PAUSE pauses it at any; IGNORE
    goes on with the columns that there were as long as they are there.
    """

    APPLY = "apply"
    PAUSE = "pause"
    IGNORE = "ignore"


class SchemaPolicy(StrEnum):
    """What to do about tables that the target has already.

    CREATE_MISSING keeps what is there and creates the rest; VALIDATE creates nothing and checks the columns.
    """

    FAIL_IF_EXISTS = "fail_if_exists"
    VALIDATE = "validate_existing"
    CREATE_MISSING = "create_missing_only"
    DROP_AND_RECREATE = "drop_and_recreate"


class WriteMode(StrEnum):
    """What to do about rows that a target table has already."""

    FAIL_IF_NOT_EMPTY = "fail_if_not_empty"
    APPEND = "append"
    TRUNCATE = "truncate_and_load"
    UPSERT = "upsert"


class RowErrorPolicy(StrEnum):
    """What to do with a row that the target cannot hold."""

    FAIL = "fail"
    QUARANTINE = "quarantine"


class ZeroDatePolicy(StrEnum):
    """What to do with dates that hold a zero month or day (``0000-00-00``)."""

    ERROR = "error"
    NULL = "null"
    EPOCH = "epoch"


class NulPolicy(StrEnum):
    """What to do with NUL characters in text."""

    ERROR = "error"
    STRIP = "strip"
    REPLACE = "replace"


class SpecialValuePolicy(StrEnum):
    """What to do with values that the source can hold and the target cannot: NaN, infinities, BC, years past 9999."""

    ERROR = "error"
    NULL = "null"


class DeniedPolicy(StrEnum):
    """What to do about a table that the source's login may not read."""

    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class StructureOptions:
    """Which parts of the structure are made on the target."""

    tables: bool = True
    indexes: bool = True
    foreign_keys: bool = True
    checks: bool = True
    views: bool = True


@dataclass(frozen=True, slots=True)
class TableSelection:
    """One table (or query) of the selection.

    Attributes:
        name: as the user writes it: ``table`` or ``schema.table``; for a query, the name of the target table.
        query: a full SELECT, or empty.
        columns: source columns to carry over; empty is all.
        exclude_columns: source columns to leave out.
        where: a condition in the source's SQL, or empty.
        target: the table's name on the target; empty is the same.
        renames: source column → target column, for those that get another name.
    """

    name: str
    query: str = ""
    columns: tuple[str, ...] = ()
    where: str = ""
    skip_indexes: bool = False
    exclude_columns: tuple[str, ...] = ()
    target: str = ""
    renames: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChangeOptions:
    """What shapes a replication beside `RunOptions`.

    Attributes:
        position: where to begin, as a user writes it (``16/B374D848``, ``binlog.000002:154``, a GTID set); empty is
            now.
        operations: ``insert``, ``update``, ``delete``, ``truncate``: those that are applied.
        table_operations: ``table`` or ``schema.table`` → the same for one table.
        soft_delete: the name of a column of the target that is set to the time of a DELETE, which keeps its row; empty
            is "rows are deleted".
        slot, publication: names to use in a PostgreSQL source; empty is one of our own.
        server_id: to be known by in a MySQL source; 0 is one of our own.
        max_lag_s, max_silence_s: from when on an alert tells of lag, and of no progress while there is some; 0 is
            never.
        alert_url: a webhook that alerts are sent to, or empty.
        lock_timeout_s: for how long a change waits for a lock on the target before it is tried again; 0 is for ever,
            and 30 seconds with several partitions.
        partitions: so many groups of tables, at most, are applied at once, each in transactions of its own. 1 keeps the
            source's transactions whole.
    """

    snapshot: SnapshotPolicy = SnapshotPolicy.AUTO
    position: str = ""
    operations: tuple[str, ...] = ("insert", "update", "delete", "truncate")
    table_operations: dict[str, tuple[str, ...]] = field(default_factory=dict)
    soft_delete: str = ""
    row_errors: ChangeErrorPolicy = ChangeErrorPolicy.STOP_TABLE
    schema_changes: SchemaChangePolicy = SchemaChangePolicy.APPLY
    slot: str = ""
    publication: str = ""
    server_id: int = 0
    max_lag_s: int = 300
    max_silence_s: int = 300
    alert_url: str = ""
    lock_timeout_s: int = 30
    partitions: int = 1


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Everything that shapes a run, resolved from whichever config shape the user sent.

    Attributes:
        tables: empty is every base table of the source's database or schema.
        source_schemas: the schemas to read, where the source has schemas; empty is the connection's own, ``*`` is all.
        schema_names: source schema → target schema, for those that get another name.
        renames: ``table`` or ``table.column`` of the source → its name on the target; a table may be written with its
            schema, here and in the next two.
        exclude_columns: ``table.column``, left out.
        filters: ``table`` → a condition in the source's SQL that its rows must meet.
        batch_rows: at most so many rows in one batch (the API's ``dataBundleSize`` is a hint, see docs/configuration).
        max_rows, max_seconds: limits; 0 is unlimited.
        row_error_limit: rows that may be quarantined in one run before it fails.
        jobs: pairs of reader and writer.
        memory_bytes: bound of what the hub may hold.
        reporting_interval_s: seconds between progress lines in the log; 0 is none.
        retry_seconds: for how long a lost connection is tried again without any progress before the run fails.
        token: by which the systems tell this process of the run from earlier ones, whose tokens are lower (see
            `contract.target`); nobody's setting. 0 is a process that knows of no other.
        closing: an earlier process of the run had done all but to forget its ledger: if that is gone, the run is
            finished; nobody's setting either.
    """

    tables: tuple[TableSelection, ...] = ()
    exclude: tuple[str, ...] = ()
    source_schemas: tuple[str, ...] = ()
    schema_names: dict[str, str] = field(default_factory=dict)
    renames: dict[str, str] = field(default_factory=dict)
    exclude_columns: tuple[str, ...] = ()
    filters: dict[str, str] = field(default_factory=dict)
    structure: StructureOptions = StructureOptions()
    schema_policy: SchemaPolicy = SchemaPolicy.FAIL_IF_EXISTS
    write_mode: WriteMode = WriteMode.FAIL_IF_NOT_EMPTY
    skip_data: bool = False
    batch_rows: int = 0
    max_rows: int = 0
    max_seconds: int = 0
    row_errors: RowErrorPolicy = RowErrorPolicy.FAIL
    row_error_limit: int = 1000
    zero_dates: ZeroDatePolicy = ZeroDatePolicy.ERROR
    nul_text: NulPolicy = NulPolicy.ERROR
    special_values: SpecialValuePolicy = SpecialValuePolicy.ERROR
    denied: DeniedPolicy = DeniedPolicy.FAIL
    type_overrides: dict[str, str] = field(default_factory=dict)
    target_schema: str = ""
    jobs: int = 2
    memory_bytes: int = 32 * 1024 * 1024
    reporting_interval_s: int = 3
    retry_seconds: float = 60.0
    mode: Mode = Mode.CONVERT
    changes: ChangeOptions = ChangeOptions()
    token: int = 0
    closing: bool = False


@dataclass(slots=True)
class TableProgress:
    """Counters of one table; the worker writes them, anyone may read a copy.

    Attributes:
        inserts, updates, deletes, truncates: change events applied; ``missing``: those whose row the target did not
            have; ``letters``: those put aside; ``dropped``: those that came while the table was paused or failed.
        applied_us: when the last one was, UTC microseconds since 1970.
    """

    source: TableId
    target: TableId
    state: TableState = TableState.PENDING
    rows_estimate: int = 0
    bytes_estimate: int = 0
    rows_read: int = 0
    rows_written: int = 0
    rows_rejected: int = 0
    bytes_read: int = 0
    chunks_done: int = 0
    chunks_total: int = 0
    coerced: dict[str, int] = field(default_factory=dict)
    error: str = ""
    seconds: float = 0.0
    inserts: int = 0
    updates: int = 0
    deletes: int = 0
    truncates: int = 0
    missing: int = 0
    letters: int = 0
    dropped: int = 0
    remedy: str = ""
    applied_us: int = 0

    @property
    def changes(self) -> int:
        """Change events applied."""
        return self.inserts + self.updates + self.deletes + self.truncates


@dataclass(slots=True)
class ChangeProgress:
    """How a replication stands.

    Attributes:
        position: what is durable in the target.
        lag_s: age of the oldest transaction that is read and not applied, or of the last applied one's wait; 0 when the
            stream is at the end of the log.
        lag_bytes: of the source's log what is not read, and of what is read and not applied the size of its rows; None
            if the source does not say. ``lag_transactions``: read and not applied.
        committed_us: when the source committed the last transaction that was applied; ``applied_us``: when that was.
        held_bytes: log that the source keeps for the stream, if it says.
    """

    position: str = ""
    lag_s: float = 0.0
    lag_bytes: int | None = None
    lag_transactions: int = 0
    transactions: int = 0
    committed_us: int = 0
    applied_us: int = 0
    held_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that was put aside: where it was and why, never what it held besides its key."""

    table: TableId
    key: str
    column: str
    reason: str


@dataclass(slots=True)
class Progress:
    """A snapshot of a run: what the UI, the CLI and the log show.

    Attributes:
        stage: ``planning``, ``structure``, ``data``, ``indexes``, ``foreign_keys``, ``finishing``, ``done``; of a
            replication, after those, ``streaming``.
        changes: of a replication once it streams; ``alerts``: its alerts that are not over.
        started_at_us, finished_at_us: UTC microseconds since 1970; 0 is "not yet".
        elapsed_s: running time without pauses.
        source_wait_s, target_wait_s: time in which readers were blocked by the source and writers by the target, over
            all lanes that have ended; ``lane_s`` is how long these were open.
    """

    state: RunState = RunState.READY
    stage: str = "planning"
    tables: list[TableProgress] = field(default_factory=list)
    report: list[ReportItem] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    error: str = ""
    remedy: str = ""
    error_code: str = ""
    started_at_us: int = 0
    finished_at_us: int = 0
    elapsed_s: float = 0.0
    source_wait_s: float = 0.0
    target_wait_s: float = 0.0
    lane_s: float = 0.0
    changes: ChangeProgress | None = None
    alerts: list[Alert] = field(default_factory=list)

    @property
    def rows_read(self) -> int:
        """Rows over all tables."""
        return sum(table.rows_read for table in self.tables)

    @property
    def rows_written(self) -> int:
        """Rows over all tables."""
        return sum(table.rows_written for table in self.tables)

    @property
    def rows_rejected(self) -> int:
        """Rows over all tables."""
        return sum(table.rows_rejected for table in self.tables)

    @property
    def bytes_read(self) -> int:
        """Bytes over all tables."""
        return sum(table.bytes_read for table in self.tables)
