"""``mainstem store …``: the place where a server keeps its connections, configs, streams and keys."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mainstem import bootstrap
from mainstem.cli.serve import settings
from mainstem.cli.terminal import JsonFlag, Terminal, grid

app = typer.Typer(no_args_is_help=True, help="The store of this machine's server.")


@app.callback()
def _group() -> None:
    """The store of this machine's server."""


@app.command()
def migrate(
    to: Annotated[
        str, typer.Argument(metavar="URL", help="postgresql+psycopg://… or sqlite:///path", show_default=False)
    ],
    home: Annotated[Path | None, typer.Option(help="Data folder of the store.", show_default="MAINSTEM_HOME")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Copy everything of the store into an empty one, while no server runs; the old one stays as it is."""
    moved = bootstrap.move_store(settings(home=home), to)
    terminal = Terminal(as_json=as_json)
    if as_json:
        terminal.document({"rows": moved})
        return
    terminal.out.print(grid(("table", "rows"), [(table, f"{rows:,}") for table, rows in moved.items()]))
    terminal.hint("now set MAINSTEM_STORE_URL to the new one; the secret key stays the same and is needed as before")
