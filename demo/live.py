"""The second chapter: the copy is kept equal while customers shop, until somebody asks whether it is safe to switch."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tools.compare import compare

from demo.api import Api
from demo.customers import PER_SECOND, Customers
from demo.stage import Stage
from mainstem.cli.changeview import changes_panel
from mainstem.cli.figures import count
from mainstem.cli.progress import display
from mainstem.cli.stats import view_of_stats
from mainstem.cli.view import RunView
from mainstem.errors import StatementError
from mainstem.model.connection import ConnectionSettings

POLL_S = 0.25
START_DEADLINE_S = 120.0
CUTOVER_S = 60


@dataclass(frozen=True, slots=True)
class Replica:
    """A stream of mode cdc that runs."""

    api: Api
    stage: Stage
    stream: str
    shop: ConnectionSettings

    def view(self) -> RunView:
        """How it stands. Raises `StatementError` when it has ended."""
        view = view_of_stats(self.api.get(f"/streams/{self.stream}/stats"))
        if view.ended:
            raise StatementError(f"the stream ended as {view.state}: {view.error}", remedy=view.remedy)
        return view


def begin(api: Api, stage: Stage, config: dict[str, Any], shop: ConnectionSettings) -> Replica:
    """A second config with the same connections: nobody has written since the copy, so it begins at the log's end."""
    stage.heading("From now on: every change")
    body = {**config, "name": "shop-live", "mode": "cdc", "snapshot": "never"}
    config_id = api.call("POST", "/stream-configs", lambda made: made["id"], body)["id"]
    stream = api.call("POST", f"/stream-configs/{config_id}/start", lambda made: made["id"])["id"]
    replica = Replica(api, stage, stream, shop)
    deadline = time.monotonic() + START_DEADLINE_S
    while replica.view().stage != "streaming":
        if time.monotonic() > deadline:
            raise StatementError("the stream has not begun to stream")
        time.sleep(POLL_S)
    stage.say(f"it streams; customers now make about {PER_SECOND} transactions a second in MariaDB")
    stage.console.print()
    return replica


def watch(replica: Replica, enough: Callable[[float], bool]) -> int:
    """Show lag and rates while customers shop, until ``enough`` says so of the seconds; how much they did."""
    stage = replica.stage
    with Customers(replica.shop) as customers, display(stage.console, quiet=stage.recording) as show:
        started = time.monotonic()
        while not enough(time.monotonic() - started):
            show.update(replica.view())
            time.sleep(POLL_S)
        if stage.recording:
            view = replica.view()
            stage.console.print(changes_panel(view, view.tables))
        customers.leave()
        return customers.transactions


def cut_over(replica: Replica, transactions: int, target: ConnectionSettings) -> None:
    """What a user does when the applications are to move, and a look at both servers apart from Mainstem."""
    stage = replica.stage
    stage.console.print()
    stage.say(f"the customers are gone after {count(transactions)} transactions; may the shop move?")
    body = {"deadlineSeconds": CUTOVER_S, "quietSeconds": 1}
    path = f"/streams/{replica.stream}/cutover"
    report = replica.api.call("POST", path, lambda made: "safe to switch" if made["safe"] else "not safe", body)
    if not report["safe"]:
        raise StatementError(f"it is not safe to switch: {'; '.join(report['problems'])}")
    with stage.step("comparing every value on both servers by SQL") as done:
        results = [result for result in compare(replica.shop, target) if not result.view]
        differing = [result.name for result in results if not result.same]
        if differing:
            raise StatementError(f"these tables differ: {', '.join(differing)}")
        rows = sum(result.source[0] for result in results)
        done.append(f"compared by SQL: {len(results)} tables, {count(rows)} rows, equal on both servers")
    replica.api.call("POST", f"/streams/{replica.stream}/stop", lambda made: made["status"])
