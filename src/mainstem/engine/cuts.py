"""How tables were cut, in which snapshot, and whether a later snapshot can go on with that."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from mainstem.contract.source import Snapshot
from mainstem.contract.target import ChunkRecord, Ledger
from mainstem.engine.progress import Tracker
from mainstem.errors import ConflictError, NotFoundError, StatementError
from mainstem.model.event import Level
from mainstem.model.frame import Chunk
from mainstem.model.names import TableId
from mainstem.model.plan import MigrationPlan, Phase, ReportItem, Severity, TablePlan
from mainstem.model.run import RunOptions, WriteMode

RENEWED = "snapshot_renewed"
_NOTE = "cut:"  # a note of this beginning: which cut of the table, its schema and name, the snapshot's position


def filled_by_us(plan: MigrationPlan, options: RunOptions) -> Callable[[TableId], bool]:
    """Whether a target table holds nothing but what this run writes: it has made it, or emptied it first."""
    made = {statement.table for statement in plan.statements if statement.phase is Phase.TABLES}
    return lambda table: table in made or options.write_mode is WriteMode.TRUNCATE


class Rounds(Protocol):
    """What becomes of half-copied tables when a round begins with a new snapshot.

    Attributes:
        renewed: what the report says of rounds.
    """

    renewed: ReportItem

    def begin(self, tables: Sequence[TablePlan], snapshot: Snapshot, ledger: Ledger) -> bool:
        """A round begins; of the tables, which are not finished, some may be forgotten, to be cut anew.

        Returns whether any was, or failed; they are to be queued again.
        """
        ...

    def cuts(self, ledger: Ledger, position: str) -> Cuts:
        """What writes down how tables are cut in a snapshot at this position."""
        ...


class MovedRounds:
    """For one copy at about one time: what is copied stays, unless its rows may have moved.

    Args:
        ours: see `filled_by_us`; a table that holds other rows too cannot be emptied, and fails.
    """

    renewed = ReportItem(
        Severity.WARNING, RENEWED, "snapshot",
        "the copy was interrupted and went on from a new snapshot: chunks copied before and after it are"
        " of different points in time",
        "if the source was written to meanwhile and that matters, run again with drop_and_recreate",
    )  # fmt: skip

    def __init__(self, tracker: Tracker, ours: Callable[[TableId], bool]) -> None:
        self._tracker, self._ours = tracker, ours

    def begin(self, tables: Sequence[TablePlan], snapshot: Snapshot, ledger: Ledger) -> bool:
        """See `forget_moved`."""
        return forget_moved(tables, snapshot, ledger, self._tracker, self._ours)

    def cuts(self, ledger: Ledger, position: str) -> Cuts:
        """See `Rounds`."""
        return Cuts(ledger, position)


class Cuts:
    """Writes down how tables are cut in one snapshot. Used by several threads.

    Args:
        position: the snapshot's.
    """

    def __init__(self, ledger: Ledger, position: str) -> None:
        self._ledger, self._position = ledger, position
        self._lock = threading.Lock()
        self._earlier = _earlier(ledger)

    def plan(self, table: TableId, chunks: Sequence[Chunk]) -> None:
        """Write a table's chunks down; of one that was really cut also when, as an earlier cut is forgotten."""
        number, _ = self._earlier.get(table, (0, ""))
        with self._lock:
            if len(chunks) > 1 or any(chunk.part for chunk in chunks):
                self._ledger.note(_NOTE + json.dumps([number + 1, table.schema, table.name, self._position]))
            self._ledger.plan(table, chunks)


def _earlier(ledger: Ledger) -> dict[TableId, tuple[int, str]]:
    """For each table that was cut: the number of its last cut, and the position of the snapshot."""
    found: dict[TableId, tuple[int, str]] = {}
    for note in ledger.notes():
        if note.startswith(_NOTE):
            number, schema, name, position = json.loads(note.removeprefix(_NOTE))
            table = TableId(schema, name)
            found[table] = max(found.get(table, (0, "")), (number, position))
    return found


def forget_moved(
    tables: Sequence[TablePlan],
    snapshot: Snapshot,
    ledger: Ledger,
    tracker: Tracker,
    ours: Callable[[TableId], bool],
) -> bool:
    """Have the tables cut anew whose rows may have moved from chunks that are done to others, or back.

    Args:
        tables: those that are not finished.
        ours: see `filled_by_us`; a table that holds other rows too cannot be emptied, and fails.
    Returns:
        Whether there was any; they are to be queued again.
    """
    since = _earlier(ledger)
    changed = False
    for table in tables:
        if table.source not in since:  # it is one chunk, or was not cut yet
            continue
        known = ledger.chunks(table.source)
        if not _mixed(known):
            continue
        try:
            _, position = since[table.source]
            if not snapshot.moved(table, [record.chunk for record in known], position):
                continue
            if not ours(table.target):
                raise ConflictError(
                    f"rows of {table.source} were written since it was cut, and may now lie in other chunks",
                    remedy=f"remove this run's rows from {table.target} and start a new run",
                    table=str(table.source),
                )
            ledger.forget(table.source, table.target)
            _tell(table, tracker)
        except (ConflictError, NotFoundError, StatementError) as exc:
            tracker.table_failed(table.source, exc)
        changed = True
    return changed


def _mixed(known: Sequence[ChunkRecord]) -> bool:
    """Whether some chunks are done and others are not; those of parts must also be all that there are."""
    left = [record for record in known if not record.done]
    return bool(left) and (len(left) < len(known) or any(record.chunk.part for record in known))


def _tell(table: TablePlan, tracker: Tracker) -> None:
    message = (
        "was written to in the source while the copy was interrupted; its rows are copied once more from the start"
    )
    tracker.report(ReportItem(Severity.WARNING, "table_cut_anew", str(table.source), message))
    tracker.say(f"{table.source} {message}", level=Level.WARN, part="source", table=str(table.source))
