"""How a replication is shown: lag, rates and the counters of each table, live and when it is over."""

from __future__ import annotations

from collections.abc import Mapping

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mainstem.cli.figures import count, duration, size
from mainstem.cli.view import RunView, Standing, TableView

OPERATIONS = ("insert", "update", "delete")
HEADINGS = ("table", "copied", *OPERATIONS, "per second", "state")
LATE_S = 5.0
_STYLES = {
    "streaming": "green", "catching_up": "cyan", "copying": "cyan", "paused": "bold yellow", "failed": "bold red",
    "skipped": "dim", "pending": "dim",
}  # fmt: skip


def changes_panel(view: RunView, tables: tuple[TableView, ...], hidden: int = 0) -> RenderableType:
    """Tables with their counters, what stands in the way of those that do not stream, and the sum of it all."""
    parts: list[RenderableType] = [changes_table(view, tables)]
    if hidden:
        parts.append(Text(f"… and {hidden} more tables", style="dim"))
    parts += troubles(tables)
    parts += [Text(), Text(summary(view), style="bold")]
    return Group(*parts)


def changes_table(view: RunView, tables: tuple[TableView, ...]) -> Table:
    """Counters of tables, with their total."""
    grid = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False, show_edge=False)
    for heading in HEADINGS:
        grid.add_column(heading, justify="left" if heading in {"table", "state"} else "right", no_wrap=True)
    for table in tables:
        grid.add_row(*_cells(table))
    if len(view.tables) > 1:
        grid.add_section()
        grid.add_row(*(Text(str(cell), style="bold") for cell in _cells(view.total)[:-1]))
    return grid


def _cells(table: TableView) -> tuple[str | Text, ...]:
    state = Text(table.state.replace("_", " "), style=_STYLES.get(table.state, ""))
    if table.letters:
        state.append(f"  {count(table.letters)} put aside", style="yellow")
    if table.missing:
        state.append(f"  {count(table.missing)} rows were missing", style="yellow")
    copied = count(table.written) if table.written else ""
    counters = (count(table.operations.get(name, 0)) for name in OPERATIONS)
    moving = sum(table.operation_rates.values())
    return table.name, copied, *counters, rate(moving) if moving else "", state


def troubles(tables: tuple[TableView, ...]) -> list[Text]:
    """What keeps tables from streaming, and what to do."""
    found = []
    for table in tables:
        if table.error:
            found.append(Text.assemble("  ", (f"{table.name}: ", "bold"), (table.error, "yellow")))
            if table.remedy:
                found.append(Text.assemble("    ", ("try: ", "green"), table.remedy))
    return found


def summary(view: RunView) -> str:
    """One line: how long, how far behind, how fast."""
    standing = view.standing or Standing()
    head = view.state.lower().replace("_", " ") if view.ended or view.state == "PAUSED" else "streaming"
    total = view.total
    applied = sum(total.operations.values())
    parts = [head, duration(view.seconds), lag(standing), transactions(standing.transactions)]
    parts += [f"{count(applied)} changes", rates(total.operation_rates)]
    if standing.held_bytes:
        parts.append(f"the source holds {size(standing.held_bytes)} of log")
    return "  ·  ".join(part for part in parts if part)


def lag(standing: Standing) -> str:
    """How far the target is behind, in every measure that there is."""
    if not standing.lag_s and not standing.lag_transactions:
        return "no lag"
    parts = [f"lag {seconds(standing.lag_s)}"]
    if standing.lag_transactions:
        parts.append(transactions(standing.lag_transactions))
    if standing.lag_bytes:
        parts.append(size(standing.lag_bytes))
    return ", ".join(parts)


def transactions(number: int) -> str:
    """``1 transaction``, ``1,230 transactions``."""
    return f"{count(number)} transaction{'s' * (number != 1)}"


def seconds(value: float) -> str:
    """Short times in milliseconds: ``40 ms``, ``1.2 s``, ``3:07``."""
    return f"{value * 1000:.0f} ms" if value < 1 else duration(value)


def rate(value: float) -> str:
    """Per second, with a decimal where that is all there is: ``0.3``, ``1,250``."""
    return f"{value:.1f}" if 0 < value < 10 else count(value)


def rates(by_operation: Mapping[str, float]) -> str:
    """``1,200 insert/s, 30 update/s``; empty when nothing moves."""
    told = (f"{rate(by_operation[name])} {name}/s" for name in OPERATIONS if by_operation.get(name))
    return ", ".join(told)
