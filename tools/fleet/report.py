"""What a run comes to, as Markdown."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from statistics import median

from tools.fleet.run import Record, Route

from mainstem.testing.fleet import Fleet

_TAKEN_OVER = "taken_over"
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
    over = [record.gap_s for record in records if record.taken_over and record.gap_s is not None]
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
        "| fault | times | next commit after, median | longest |",
        "|---|---|---|---|",
        *_by_fault(records),
        "",
        f"{killed} processes were killed. The work of a leader was taken over {len(over)} times{_times(over)}.",
        "",
        *(f"- {counts[name]:,} {text}" for name, text in _COUNTED.items()),
        f"- {refused(fleet)} runs were refused by the fence in the target, or ended because their lease was lost",
    ]  # fmt: skip
    return "\n".join(lines)


def _by_fault(records: Sequence[Record]) -> Iterator[str]:
    kinds: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        kinds[record.fault].append(record)
    for name, found in sorted(kinds.items()):
        gaps = [record.gap_s for record in found if record.gap_s is not None]
        told = f"{median(gaps):.2f} s | {max(gaps):.2f} s" if gaps else "– | –"
        yield f"| {name.replace('_', ' ')} | {len(found)} | {told} |"


def _times(over: Sequence[float]) -> str:
    if not over:
        return ""
    return (
        f": {median(over):.1f} s from the fault to the next holder's first commit (median), at most {max(over):.1f} s"
    )


def refused(fleet: Fleet) -> int:
    """How often a process said that another one has taken its stream over."""
    return sum(_TAKEN_OVER in line for node in fleet.nodes.values() for line in _events(node.log.read_text()))


def _events(text: str) -> Iterator[str]:
    for line in text.splitlines():
        try:
            yield json.dumps(json.loads(line))
        except ValueError:
            continue
