"""What a run comes to, as Markdown."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from statistics import median

from tools.fleet.run import Record, Route
from tools.fleet.stage import TAKEN_OVER_S

from mainstem.control.supervisor import LET_GO
from mainstem.testing.fleet import Fleet

_COUNTED = {
    "messages": "messages through the hub",
    "bytes": "bytes through the hub",
    "redelivered": "messages that came once more and were passed over",
    "deduplicated": "messages that were offered once more and stored once",
    "full": "times that a message found no room and waited",
}


def page(routes: Sequence[Route], counts: Counter[str], fleet: Fleet) -> str:
    """The whole report."""
    records = [record for route in routes for record in route.records]
    killed = sum(record.fault.startswith("kill") for record in records)
    must = [record for record in records if record.others_go_on]
    over = [record.still_s for record in records if record.taken_over]
    lines = [
        "",
        "| route | faults | transactions | rows changed | looks at the bank | comparisons | |",
        "|---|---|---|---|---|---|---|",
        *(
            f"| {route.name} | {len(route.records)} | {route.transactions:,} | {route.rows:,} | {route.looks:,}"
            f" | {route.compared} | {(route.wrong or 'equal').splitlines()[0]} |"
            for route in routes
        ),
        "",
        "| fault | times | without a commit, median | longest |",
        "|---|---|---|---|",
        *_by_fault(records),
        "",
        f"{killed} processes were killed. The work of a leader was taken over {len(over)} times{_times(over)}.",
        f"Where others had to go on, {len(must)} times, it took longer than {TAKEN_OVER_S:.0f} s"
        f" {sum(record.late for record in must)} times. The machine's load was {_load(records)}.",
        "",
        *(f"- {counts[name]:,} {text}" for name, text in _COUNTED.items()),
        f"- {refused(fleet)} runs ended because their lease was lost, or the fence in the target refused them",
    ]  # fmt: skip
    return "\n".join(lines)


def _by_fault(records: Sequence[Record]) -> Iterator[str]:
    kinds: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        kinds[record.fault].append(record)
    for name, found in sorted(kinds.items()):
        still = [record.still_s for record in found]
        yield f"| {name.replace('_', ' ')} | {len(found)} | {median(still):.2f} s | {max(still):.2f} s |"


def _load(records: Sequence[Record]) -> str:
    loads = [record.load for record in records]
    return f"{min(loads):.0f} to {max(loads):.0f} on {os.cpu_count()} cores" if loads else "not measured"


def _times(over: Sequence[float]) -> str:
    if not over:
        return ""
    return f", without a commit for {median(over):.1f} s in the median and {max(over):.1f} s at most"


def refused(fleet: Fleet) -> int:
    """How often a process said that it leads a stream no more."""
    return sum(LET_GO in line for node in fleet.nodes.values() for line in node.log.read_text().splitlines())
