"""A replication that does what a test tells it, in place of the engine's."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from mainstem.engine.endpoint import Endpoint
from mainstem.engine.replication import Replication
from mainstem.errors import NotFoundError
from mainstem.model.alert import Alert
from mainstem.model.change import Op
from mainstem.model.cutover import CutoverReport, TableCount
from mainstem.model.event import Event
from mainstem.model.names import TableId
from mainstem.model.run import ChangeProgress, Progress, RunOptions, RunState, TableProgress, TableState
from mainstem.model.stream import DeadLetter, SchemaRecord

ORDERS = TableId("shop", "orders")
LETTER = DeadLetter(ORDERS, Op.UPDATE, "id=7", "bin.1:4", "total", "value is out of range", b"", 3)
RECORD = SchemaRecord(ORDERS, "columns", "bin.1:9", "applied", "ALTER TABLE …", 1_700_000_000_000_000)


class Replica(Replication):
    """Streams until it is told to end; the last of a stream is in ``Replica.runs``."""

    runs: dict[str, Replica]

    def __init__(
        self, run_id: str, source: Endpoint, target: Endpoint, options: RunOptions, listen: Callable[[Event], None],
        begun: bool,
    ) -> None:  # fmt: skip
        self.run_id, self.options, self.listen, self.begun = run_id, options, listen, begun
        self.asked: list[str] = []
        self.told: list[Alert] = []
        self._ended = threading.Event()
        self._outcome = RunState.STOPPED
        self._error = ""
        table = TableProgress(
            ORDERS, TableId("public", "orders"), TableState.STREAMING, inserts=5, updates=3, letters=1
        )
        self._progress = Progress(
            RunState.RUNNING, "streaming", [table],
            changes=ChangeProgress("bin.1:4", 0.25, 1000, 2, 8, 1_700_000_000_000_000, 1_700_000_000_100_000, 4096),
        )  # fmt: skip

    def remember(self, alerts: Iterable[Alert]) -> None:
        self.told = list(alerts)

    def run(self) -> Progress:
        self._ended.wait(60)
        code = "position_lost" if self._error else ""
        alerts = list(self.told)
        return replace(self._progress, state=self._outcome, error=self._error, error_code=code, alerts=alerts)

    def end(self, state: RunState, error: str = "") -> None:
        self._outcome, self._error = state, error
        self._ended.set()

    def stop(self) -> None:
        self.asked.append("stop")
        self._ended.set()

    def pause(self) -> None:
        self.asked.append("pause")

    def resume(self) -> None:
        self.asked.append("resume")

    def progress(self) -> Progress:
        return replace(self._progress, alerts=list(self.told))

    def resync(self, tables: Sequence[TableId | str]) -> None:
        if list(tables) != ["orders"]:
            raise NotFoundError(f"the stream has no table {tables[0]}")
        self.asked.append("resync")

    def pause_table(self, name: str) -> None:
        self.asked.append(f"pause {name}")

    def resume_table(self, name: str) -> None:
        self.asked.append(f"resume {name}")

    def cutover(self, deadline_s: float, *, quiet_s: float = 3.0) -> CutoverReport:
        self.asked.append(f"cutover {deadline_s:g} {quiet_s:g}")
        counts = (TableCount(ORDERS, TableId("public", "orders"), 5, 5),)
        return CutoverReport(True, "bin.1:9", 0.5, counts, ("public.orders.id = 6",))

    def letters(self, limit: int = 1000) -> list[DeadLetter]:
        return [LETTER][:limit]

    def replay_letters(self, numbers: Sequence[int] = ()) -> tuple[int, int]:
        self.asked.append(f"replay {list(numbers)}")
        return 1, 0

    def count_letters(self) -> None:
        self.asked.append("count letters")

    def schema_changes(self, limit: int = 1000) -> list[SchemaRecord]:
        return [RECORD][:limit]
