"""What becomes of a schema change of the source: statements for the target, or a table that waits for somebody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mainstem.engine.progress import Tracker, now_us
from mainstem.errors import MainstemError
from mainstem.model.change import SchemaChange, SchemaChangeKind
from mainstem.model.event import Level
from mainstem.model.run import RunOptions, TableState
from mainstem.model.stream import SchemaRecord, StreamTable

RESYNC = "copy the table anew (resync)"


class Evolution:
    """The decision about one schema change at a time; used by the writer.

    Attributes:
        tables: as they are from here on; to be saved with the change's transaction.
        records: the lines for the book of schema changes.
        settled: what the stream is told.
    """

    def __init__(self, options: RunOptions, tracker: Tracker) -> None:
        self._options, self._tracker = options, tracker
        self._begin(None)

    def _begin(self, known: StreamTable | None) -> None:
        self.tables: list[StreamTable] = []
        self.records: list[SchemaRecord] = []
        self.settled: StreamTable | None = known

    def decide(self, change: SchemaChange, table: StreamTable | None, position: str) -> Sequence[str]:
        """What is to run on the target before rows of the new shape come; sets the attributes."""
        self._begin(table)
        if table is None:
            return ()
        if change.kind is SchemaChangeKind.COLUMNS and change.columns == table.layout:
            return ()
        self._pause(table, change, position, f"its columns were changed in the source; make {table.plan.target} match")
        return ()

    def refused(self, error: MainstemError) -> None:
        """The target refused a statement: the table waits."""
        self.records = [replace(line, outcome="paused", detail=error.message) for line in self.records]
        self.tables = [self._paused(table, error.message) for table in self.tables]
        self.settled = self.tables[0] if self.tables else self.settled

    def told(self) -> None:
        """The change is durable: tell of it."""
        for line in self.records:
            self._tracker.say(
                f"{line.table}: {line.change}: {line.outcome}: {line.detail}",
                level=Level.WARN if line.outcome == "paused" else Level.INFO, part="source", table=str(line.table),
            )  # fmt: skip
        self.records, self.tables = [], []

    def _pause(self, table: StreamTable, change: SchemaChange, position: str, detail: str) -> None:
        paused = self._paused(table, detail)
        self.tables, self.settled = [paused], paused
        told = change.statement or str(change.kind)
        self.records = [SchemaRecord(table.source, told, position, "paused", f"{detail}; then {RESYNC}", now_us())]

    def _paused(self, table: StreamTable, detail: str) -> StreamTable:
        return replace(table, state=TableState.PAUSED, error=detail, remedy=RESYNC)
