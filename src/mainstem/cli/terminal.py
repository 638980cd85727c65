"""What is printed and where: results on stdout, everything about the way there on stderr, JSON as one document."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mainstem.errors import InvalidError, MainstemError

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]

PLAIN_WIDTH = 1000  # a pipe has no width; lines and cells stay whole


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else PLAIN_WIDTH
    return Console(file=stream, width=width, highlight=False, markup=False, soft_wrap=not stream.isatty())


class Terminal:
    """The two streams of one command.

    Attributes:
        out: results. err: progress, hints and errors.
        json: whether the result is wanted as JSON.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self.json = as_json
        self.out = _console(stderr=False)
        self.err = _console(stderr=True)

    def document(self, value: Any) -> None:
        """Print the command's one JSON document."""
        sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")
        sys.stdout.flush()

    def say(self, text: str, style: str = "") -> None:
        """A line of the result."""
        self.out.print(Text(text, style=style))

    def hint(self, text: str, style: str = "dim") -> None:
        """A line beside the result; left out when JSON is wanted."""
        if not self.json:
            self.err.print(Text(text, style=style))


def grid(headings: Sequence[str], rows: Iterable[Sequence[Any]], right: Iterable[str] = ()) -> Table:
    """A table of texts in the one look that all commands share; columns named in ``right`` hold numbers."""
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False, show_edge=False)
    numbers = set(right)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(str(cell)) for cell in row))
    return table


def error_document(error: MainstemError) -> dict[str, Any]:
    """An error in the shape that the server's API uses, too."""
    document: dict[str, Any] = {
        "status": "error",
        "error": error.message,
        "message": error.message,
        "code": error.code,
        "remedy": error.remedy,
        "where": error.where,
    }
    if isinstance(error, InvalidError):
        document["fields"] = error.fields
    return document


def print_error(error: MainstemError, *, as_json: bool) -> None:
    """Tell a user about an error: message, the offending fields, what to do."""
    terminal = Terminal(as_json=as_json)
    if as_json:
        terminal.document(error_document(error))
        return
    terminal.err.print(Text.assemble(("error: ", "bold red"), error.message))
    if isinstance(error, InvalidError):
        for field, problem in error.fields.items():
            if problem in error.message:
                continue  # said already
            terminal.err.print(Text.assemble("  ", (field, "bold"), f": {problem}"))
    if error.remedy:
        terminal.err.print(Text.assemble(("  try: ", "green"), error.remedy))
