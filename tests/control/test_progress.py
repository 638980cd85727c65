"""What is told of a run that goes on, on top of what its earlier start has done."""

from __future__ import annotations

from mainstem.control.progress import carried
from mainstem.model.names import TableId
from mainstem.model.plan import ReportItem, Severity
from mainstem.model.run import Progress, Rejected, TableProgress, TableState

T, U = TableId("s", "t"), TableId("s", "u")
ROW, OTHER = (Rejected(table, "id=1", "c", "does not fit") for table in (T, U))
ITEM = ReportItem(Severity.INFO, "renamed", "t", "is called v")


def copied(table: TableId, rows: int, *, chunks: int = 1, inserts: int = 0) -> TableProgress:
    return TableProgress(
        table, table, TableState.STREAMING, rows_read=rows + 1, rows_written=rows, rows_rejected=1, chunks_done=chunks,
        chunks_total=chunks, inserts=inserts,
    )  # fmt: skip


def test_what_a_first_copy_has_done_and_put_aside_is_told_after_a_restart() -> None:
    before = Progress(tables=[copied(T, 100, inserts=3), copied(U, 7)], report=[ITEM], rejected=[ROW, OTHER])
    now = Progress(tables=[TableProgress(T, T, TableState.STREAMING, inserts=2), TableProgress(U, U)])
    told = carried(before, now)
    assert (told.rows_read, told.rows_written, told.rows_rejected) == (109, 107, 2)
    assert (told.tables[0].inserts, told.report, told.rejected) == (5, [ITEM], [ROW, OTHER])


def test_a_copy_that_the_run_makes_itself_counts_instead() -> None:
    before = Progress(tables=[copied(T, 100), copied(U, 7)], rejected=[ROW, OTHER])
    told = carried(before, Progress(tables=[copied(T, 40), TableProgress(U, U)], rejected=[]))
    assert (told.rows_written, told.rejected) == (47, [OTHER])
