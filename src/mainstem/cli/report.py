"""What is printed when a run is over: the table of figures, the report, the row check, the rows put aside."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from mainstem.cli.changeview import changes_table, summary, troubles
from mainstem.cli.figures import count, size
from mainstem.cli.terminal import Terminal, grid
from mainstem.cli.view import RunView, TableView
from mainstem.model.plan import ReportItem, Severity
from mainstem.model.run import Rejected

REJECTED_SHOWN = 20
OBJECTS_SHOWN = 8
_HEADINGS = ("table", "read", "written", "rejected", "bytes", "seconds", "rows/s", "state")
_NUMBERS = _HEADINGS[1:7]
_SEVERITY_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.INFO: "dim"}
_STATE_STYLES = {"finished": "green", "failed": "bold red", "stopped": "yellow"}


def print_run(terminal: Terminal, view: RunView) -> None:
    """Everything about a run that is over, the important last so that it is what stays on the screen."""
    if view.tables:
        terminal.out.print()
        terminal.out.print(figures_table(view) if view.standing is None else changes_table(view, view.tables))
    print_report(terminal, view.report)
    print_coerced(terminal, view.tables)
    print_rejected(terminal, view.rejected, view.total.rejected)
    for trouble in troubles(view.tables):
        terminal.out.print(trouble)
    terminal.out.print()
    terminal.out.print(row_check(view) if view.standing is None else Text(summary(view), style="bold"))
    if view.error:
        terminal.out.print(Text.assemble(("failed: ", "bold red"), view.error))
        if view.remedy:
            terminal.out.print(Text.assemble(("  try: ", "green"), view.remedy))


def figures_table(view: RunView) -> object:
    """The table of figures with its total."""
    table = grid(_HEADINGS, [_cells(line) for line in view.tables], right=_NUMBERS)
    table.add_section()
    table.add_row(*(Text(str(cell), style="bold") for cell in _cells(view.total)))
    return table


def _cells(line: TableView) -> tuple[str | Text, ...]:
    return (
        line.name,
        count(line.read),
        count(line.written),
        Text(count(line.rejected), style="yellow" if line.rejected else ""),
        size(line.size),
        f"{line.seconds:.1f}",
        count(line.rate),
        Text(line.state, style=_STATE_STYLES.get(line.state, "")),
    )


def row_check(view: RunView) -> Text:
    """Whether every row that was read is accounted for, table by table."""
    wrong = [table.name for table in view.tables if not table.accounted]
    total = view.total
    figures = f"{count(total.read)} read = {count(total.written)} written + {count(total.rejected)} rejected"
    if view.state not in {"FINISHED", "TIME_LIMIT_REACHED", "EVENT_LIMIT_REACHED"}:
        return Text(f"rows: {count(total.read)} read, {count(total.written)} written when the run ended")
    if wrong:
        return Text(f"rows do not add up in: {', '.join(wrong)}", style="bold red")
    return Text.assemble(("rows add up: ", "green"), figures)


def print_report(terminal: Terminal, items: Sequence[ReportItem]) -> None:
    """What changed on the way or was left out, warnings first; notes of one kind are summed up in a line."""
    if not items:
        return
    terminal.out.print()
    terminal.say("Report", style="bold")
    notes: dict[str, list[ReportItem]] = {}
    for item in items:
        if item.severity is Severity.INFO:
            notes.setdefault(item.code, []).append(item)
        else:
            print_item(terminal, item)
    for same in notes.values():
        if len(same) == 1:
            print_item(terminal, same[0])
        else:
            _print_notes(terminal, same)
    if any(len(same) > 1 for same in notes.values()):
        terminal.say("  --json lists every note by itself", style="dim")


def _print_notes(terminal: Terminal, items: Sequence[ReportItem]) -> None:
    """Notes of one kind: what they have in common, then the objects that they are about."""
    heads = {item.message.partition(": ")[0] for item in items}
    common = heads.pop() if len(heads) == 1 else items[0].message
    objects = ", ".join(item.object.rpartition(".")[2] for item in items[:OBJECTS_SHOWN])
    more = f", and {len(items) - OBJECTS_SHOWN} more" if len(items) > OBJECTS_SHOWN else ""
    text = Text.assemble("  ", (Severity.INFO.value, "dim"), "  ", (f"{objects}{more}", "bold"), f"  {common}")
    terminal.out.print(text)


def print_item(terminal: Terminal, item: ReportItem) -> None:
    """One line, and one for the remedy."""
    style = _SEVERITY_STYLES[item.severity]
    line = Text.assemble("  ", (item.severity.value, style), "  ", (item.object, "bold"), f"  {item.message}")
    terminal.out.print(line)
    if item.remedy:
        terminal.out.print(Text.assemble("      ", ("try: ", "green"), item.remedy))


def print_coerced(terminal: Terminal, tables: Sequence[TableView]) -> None:
    """How many values of which column a policy has changed."""
    changed = [
        (table.name, column, policy.strip(), count(number))
        for table in tables
        for what, number in table.coerced.items()
        for column, _, policy in [what.rpartition(":")]
    ]
    if changed:
        terminal.out.print()
        terminal.say(f"Values changed by a policy: {count(sum(_values(tables)))}", style="bold yellow")
        terminal.out.print(grid(("table", "column", "policy", "values"), changed, right=("values",)))


def _values(tables: Sequence[TableView]) -> list[int]:
    return [number for table in tables for number in table.coerced.values()]


def print_rejected(terminal: Terminal, rows: Sequence[Rejected], total: int) -> None:
    """Rows that were put aside: their keys and why, never what they held."""
    if not rows:
        return
    terminal.out.print()
    terminal.say(f"Rows put aside: {count(total)}", style="bold yellow")
    shown = [(row.table.name, row.key, row.column or "-", row.reason) for row in rows[:REJECTED_SHOWN]]
    terminal.out.print(grid(("table", "key", "column", "reason"), shown))
    if len(rows) > REJECTED_SHOWN:
        terminal.say(f"  … and {count(len(rows) - REJECTED_SHOWN)} more; --json lists all of them", style="dim")
