"""Plans survive the ledger."""

from mainstem.engine.planjson import plan_from_json, plan_to_json
from mainstem.model.names import TableId
from mainstem.model.plan import ColumnPlan, MigrationPlan, Phase, ReportItem, Severity, Statement, TablePlan
from mainstem.model.types import Kind, LogicalType


def test_a_plan_read_back_is_the_plan_that_was_written() -> None:
    table = TableId("public", 'täble "x"')
    plan = MigrationPlan(
        tables=(
            TablePlan(
                TableId("shop", "täble \"x\""), table,
                (ColumnPlan("e", "e", LogicalType(Kind.ENUM, members=("a", "b'\\", "😀")), "text", nullable=False),),
                key=("e",), rows_estimate=2**63, where="e > 'a'",
            ),
        ),
        statements=(Statement(Phase.TABLES, 'CREATE TABLE "täble" ()', "täble", table, optional=True, index=True),),
        report=(ReportItem(Severity.WARNING, "code", "object", "message", "remedy"),),
    )  # fmt: skip
    assert plan_from_json(plan_to_json(plan)) == plan
