"""``mainstem cutover`` and how its outcome is printed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.text import Text

from mainstem.cli.client import DEFAULT_URL, Client, Key, Url
from mainstem.cli.exits import ExitCode
from mainstem.cli.figures import count, duration
from mainstem.cli.terminal import JsonFlag, Terminal, grid

DEADLINE_S = 60.0
QUIET_S = 3.0
Which = Annotated[str, typer.Argument(metavar="STREAM_ID", show_default=False)]
Deadline = Annotated[float, typer.Option(min=0.1, help="Seconds to wait for a quiet source and no lag.")]
QuietFor = Annotated[float, typer.Option("--quiet-for", min=0, help="Seconds for which no change must come.")]


def cutover(
    which: Which,
    deadline: Deadline = DEADLINE_S,
    quiet_for: QuietFor = QUIET_S,
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: JsonFlag = False,
) -> None:
    """Say whether writers may move from the source to the target.

    Stop the writers first. Waits until the source is quiet and all of it is applied, sets the target's counters, and
    compares the numbers of rows. Ends with 0 when it is safe to switch, 1 when it is not. The stream runs on.
    """
    terminal = Terminal(as_json=as_json)
    body = {"deadlineSeconds": deadline, "quietSeconds": quiet_for}
    with Client(url, key, answer_s=deadline + quiet_for + 60) as client:
        report = client.call("POST", "streams", which, "cutover", body=body)
    if as_json:
        terminal.document(report)
    else:
        print_report(terminal, report)
    raise typer.Exit(ExitCode.OK if report["safe"] else ExitCode.FAILED)


def print_report(terminal: Terminal, report: Mapping[str, Any]) -> None:
    """Counts of both sides, what was set, and whether it is safe."""
    rows = [
        (
            item["target"],
            *("-" if item[side] is None else count(item[side]) for side in ("sourceRows", "targetRows")),
            Text("equal", style="green") if item["same"] else Text(item["note"] or "differ", style="yellow"),
        )
        for item in report["tables"]
    ]
    headings = ("table", "source", "target", "rows")
    terminal.out.print()
    terminal.out.print(grid(headings, rows, right=headings[1:3]))
    for counter in report["counters"]:
        terminal.say(f"  set {counter}", style="dim")
    terminal.out.print()
    waited = f"  (waited {duration(report['waitedSeconds'])}, applied up to {report['position']})"
    if report["safe"]:
        terminal.out.print(Text.assemble(("safe to switch to the target", "bold green"), (waited, "dim")))
        return
    terminal.out.print(Text.assemble(("not safe to switch yet", "bold red"), (waited, "dim")))
    for problem in report["problems"]:
        terminal.say(f"  {problem}", style="yellow")
