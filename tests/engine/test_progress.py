from __future__ import annotations

from mainstem.engine.control import RunControl
from mainstem.engine.progress import Tracker
from mainstem.model.event import Event
from mainstem.model.names import TableId
from mainstem.model.plan import MigrationPlan, ReportItem, Severity, TablePlan
from mainstem.model.run import TableState

TABLE = TableId("shop", "orders")


def test_a_snapshot_stays_as_it_was_when_the_run_goes_on() -> None:
    events: list[Event] = []
    tracker = Tracker(RunControl(0, 0), events.append)
    item = ReportItem(Severity.INFO, "code", "shop.orders", "said")
    tracker.plan(MigrationPlan((TablePlan(TABLE, TABLE, ()),), (), (item, item)))
    before = tracker.snapshot()
    counter = tracker.table(TABLE)
    counter.rows_written += 5
    counter.coerced["d: zero_date_null"] = 1
    tracker.table_state(TABLE, TableState.COPYING)
    tracker.report(ReportItem(Severity.INFO, "other", "shop.orders", "said later"))
    assert (before.tables[0].rows_written, before.tables[0].coerced) == (0, {})
    assert (before.tables[0].state, before.report) == (TableState.PENDING, [item])
    after = tracker.snapshot()
    assert (after.tables[0].rows_written, len(after.report)) == (5, 2)
