"""What the monitor's answers and events look like; see `models` for the conventions."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from mainstem.api.models import (
    AlertLine,
    ChangeStats,
    LogLine,
    RejectedRow,
    ReportLine,
    Stream,
    TableStats,
    Totals,
)
from mainstem.model.run import RunState, TableState


class End(BaseModel):
    """A side of a stream, as far as it is still known."""

    id: str
    name: str = Field(description="of the connection; empty when it was deleted")
    type: str
    database: str


class Brief(BaseModel):
    """Numbers of a run on one line."""

    stage: str
    elapsed: float = Field(description="seconds of running, without pauses")
    tables: int
    tablesDone: int = Field(description="finished, or streaming")
    tablesFailed: int = Field(description="failed, or paused until somebody acts")
    rowsEstimate: int
    rowsRead: int
    rowsWritten: int
    rowsRejected: int
    bytes: int
    changesApplied: int
    deadLetters: int
    rowsPerSecond: float
    changesPerSecond: float
    bytesPerSecond: float
    remainingSeconds: float | None
    lagSeconds: float | None
    alerts: list[AlertLine]


class Overview(BaseModel):
    """A config with its newest run."""

    id: str
    name: str
    mode: str
    created: int = Field(description="seconds since 1970; 0 when the config was deleted")
    deleted: bool = Field(description="the config is gone, and only its runs are left")
    source: End
    target: End
    runs: int
    newest: Stream | None
    brief: Brief | None = Field(description="of the newest run")


class Watched(BaseModel):
    """Event ``stats``: how a stream stands.

    The first has every table. Later ones have the tables that changed, and of each only its name and what changed.
    """

    full: bool
    at: float = Field(description="seconds since 1970")
    stream: Stream
    stage: str
    elapsed: float
    totals: Totals
    changes: ChangeStats | None
    alerts: list[AlertLine]
    counts: dict[TableState, int] = Field(description="tables by their state")
    tables: list[TableStats]


class Lines(BaseModel):
    """Event ``log``: lines of the stream's log, in their order; the event's id is the last one's number."""

    missed: bool = Field(description="lines that came before these are no longer kept")
    lines: list[LogLine]


class Moved(BaseModel):
    """Event ``state``: the stream is in another state."""

    before: RunState
    now: RunState
    message: str


class Timeline(BaseModel):
    """Throughput and lag as columns, oldest first; also event ``points``, with the newest seconds."""

    everySeconds: float
    at: list[float] = Field(description="seconds since 1970")
    rows: list[float] = Field(description="read per second")
    bytes: list[float] = Field(description="read per second")
    inserts: list[float] = Field(description="applied per second")
    updates: list[float]
    deletes: list[float]
    lagSeconds: list[float | None]
    lagBytes: list[float | None]
    heldBytes: list[float | None]


class Trouble(BaseModel):
    """Something that went wrong, or may; lines of the log that differ only in numbers are one."""

    kind: Literal["stream", "table", "alert", "log"]
    level: Literal["warn", "error"]
    open: bool = Field(description="it is so now")
    subject: str = Field(description="the table, or empty")
    message: str
    remedy: str
    code: str
    first: str = Field(description="when it was told first; empty when that is not known")
    last: str
    count: int


class RunNotes(BaseModel):
    """What a run has put aside and what changes on the way."""

    rejected: list[RejectedRow]
    report: list[ReportLine]


class RunSide(BaseModel):
    """One of two runs that are compared."""

    stream: Stream
    brief: Brief


class TableSide(BaseModel):
    """A table in one of two runs."""

    status: TableState
    seconds: float
    rows: int
    rejected: int
    changes: int
    bytes: int
    rowsPerSecond: float
    error: str


class ComparedTable(BaseModel):
    """A table in both runs; null where a run did not have it."""

    name: str
    left: TableSide | None
    right: TableSide | None


class SettingChange(BaseModel):
    """A setting that differs between two runs, as JSON; empty where it was not set."""

    setting: str
    left: str
    right: str


class Comparison(BaseModel):
    """Two runs side by side."""

    left: RunSide
    right: RunSide
    settings: list[SettingChange]
    tables: list[ComparedTable]
