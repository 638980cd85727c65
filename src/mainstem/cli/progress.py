"""Shows a run while it works: a bar per table on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from mainstem.cli.changeview import changes_panel, summary
from mainstem.cli.figures import count, duration, size
from mainstem.cli.view import RunView, TableView

LINE_INTERVAL_S = 5.0
_BAR_WIDTH = 30
_STYLES = {"finished": "green", "failed": "red", "skipped": "dim", "pending": "dim"}
_STAGES = {
    "planning": "reading the schema",
    "structure": "creating tables",
    "data": "copying rows",
    "finishing": "foreign keys, sequences, views, statistics",
    "streaming": "streaming changes",
    "done": "done",
}


class ProgressDisplay(AbstractContextManager["ProgressDisplay"], Protocol):
    """Takes a view as often as its caller likes.

    Attributes:
        silent: it shows nothing, so that no view need be made.
    """

    silent: bool

    def update(self, view: RunView) -> None:
        """Show this state of affairs."""
        ...


def display(console: Console, *, quiet: bool = False) -> ProgressDisplay:
    """What fits the console: bars, lines, or nothing at all."""
    if quiet:
        return _Silence()
    return Bars(console) if console.is_terminal else Lines(console)


class _Silence(AbstractContextManager["_Silence"]):
    silent = True

    def update(self, view: RunView) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass


class Bars(AbstractContextManager["Bars"]):
    """A bar per table and one for all, redrawn in place.

    Tables that do not fit the height are summed up in a line; those at work are shown before those that have ended.
    """

    silent = False

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=False)

    def __enter__(self) -> Bars:
        self._live.start()
        return self

    def update(self, view: RunView) -> None:
        """Redraw."""
        self._live.update(bars(view, self._console.height - 6), refresh=True)

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()


def bars(view: RunView, room: int) -> RenderableType:
    """A bar per table, in so many lines at most, and the total; of a replication its counters once it streams."""
    shown, hidden = fitting(view.tables, max(3, room))
    if view.standing is not None:
        return changes_panel(view, shown, hidden)
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, max_width=32, overflow="ellipsis")
    table.add_column(width=_BAR_WIDTH)
    table.add_column(justify="right", width=5)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    for line in shown:
        table.add_row(*_bar_row(line))
    parts: list[RenderableType] = [table]
    if hidden:
        parts.append(Text(f"… and {hidden} more tables", style="dim"))
    if view.tables:
        parts.append(Text())
    parts.append(_summary(view))
    return Group(*parts)


def fitting(tables: tuple[TableView, ...], room: int) -> tuple[tuple[TableView, ...], int]:
    """The tables to show in so many lines, in their own order, and how many are left out."""
    if len(tables) <= room:
        return tables, 0
    order = sorted(range(len(tables)), key=lambda at: (tables[at].quiet, tables[at].state == "pending"))
    chosen = sorted(order[:room])
    return tuple(tables[at] for at in chosen), len(tables) - room


def _bar_row(line: TableView) -> tuple[RenderableType, ...]:
    expected = line.expected
    done = 1.0 if line.state == "finished" else min(1.0, line.read / expected) if expected else 0.0
    style = _STYLES.get(line.state, "")
    return (
        Text(line.name, style=style if line.state in {"failed", "pending", "skipped"} else ""),
        ProgressBar(total=1.0, completed=done, width=_BAR_WIDTH),
        Text(f"{done:4.0%}" if expected or line.state == "finished" else ""),
        Text(f"{count(line.read)} rows" if line.read else ""),
        Text.assemble((line.state, style), (f"  {count(line.rejected)} rejected" if line.rejected else "", "yellow")),
    )


def _summary(view: RunView) -> Text:
    total = view.total
    parts = [_STAGES.get(view.stage, view.stage) if not view.ended else view.state.lower().replace("_", " ")]
    if view.state == "PAUSED":
        parts = ["paused"]
    parts += [duration(view.seconds), f"{count(total.read)} rows", size(total.size)]
    if view.seconds:
        parts.append(f"{count(total.read / view.seconds)} rows/s")
    left = time_left_s(view)
    if left is not None:
        parts.append(f"about {duration(left)} left")
    return Text("  ·  ".join(parts), style="bold")


def time_left_s(view: RunView) -> float | None:
    """Seconds until the last row at the present rate, by the source's own estimates; None while nobody can tell."""
    total = view.total
    if view.stage != "data" or view.state != "RUNNING" or view.seconds < 2 or total.read == 0:
        return None
    return max(0, total.estimate - total.read) / (total.read / view.seconds)


class Lines(AbstractContextManager["Lines"]):
    """Plain lines for logs and pipes: stages, tables that ended, and a total every few seconds."""

    silent = False

    def __init__(self, console: Console) -> None:
        self._console = console
        self._stage = ""
        self._states: dict[str, str] = {}
        self._next = time.monotonic() + LINE_INTERVAL_S

    def update(self, view: RunView) -> None:
        """Say what is new."""
        if view.stage != self._stage and not view.ended:
            self._stage = view.stage
            self._say(_STAGES.get(view.stage, view.stage))
        for table in view.tables:
            if self._states.get(table.name) != table.state:
                self._states[table.name] = table.state
                self._table(table)
        if time.monotonic() >= self._next and not view.ended:
            self._next = time.monotonic() + LINE_INTERVAL_S
            self._say(_summary(view).plain if view.standing is None else summary(view))

    def _table(self, table: TableView) -> None:
        if table.state == "finished":
            rejected = f", {count(table.rejected)} rejected" if table.rejected else ""
            self._say(f"  {table.name}: {count(table.written)} rows in {duration(table.seconds)}{rejected}")
        elif table.quiet or table.state in {"catching_up", "streaming"}:
            self._say(f"  {table.name}: {table.state}{f': {table.error}' if table.error else ''}")

    def _say(self, text: str) -> None:
        self._console.print(text)

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass
