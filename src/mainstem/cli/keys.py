"""``mainstem key …``: API keys of the local store; may be used beside a running server."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from mainstem import bootstrap
from mainstem.cli.serve import settings
from mainstem.cli.terminal import JsonFlag, Terminal, grid
from mainstem.control.keys import told

app = typer.Typer(no_args_is_help=True, help="API keys of this machine's store.")
Home = Annotated[Path | None, typer.Option(help="Data folder: store and secret key.", show_default="MAINSTEM_HOME")]


@app.command()
def create(
    name: Annotated[str, typer.Option(help="What it is for, as the list shows it.")] = "from the command line",
    home: Home = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a key and print it, once: only a digest of it is kept."""
    with bootstrap.api_keys(settings(home=home)) as keys:
        record, text = keys.create(name)
    terminal = Terminal(as_json=as_json)
    if as_json:
        terminal.document(told(record) | {"key": text})
        return
    terminal.say(text)
    terminal.hint(f"{record.id}; it can't be shown again")


@app.command("list")
def list_(home: Home = None, as_json: JsonFlag = False) -> None:
    """List the keys, revoked ones too; of each only its last four characters are known."""
    with bootstrap.api_keys(settings(home=home)) as keys:
        records = keys.all()
    terminal = Terminal(as_json=as_json)
    if as_json:
        terminal.document([told(record) for record in records])
    elif records:
        rows = [
            (record.id, record.name, f"…{record.last_four}", _moment(record.created_us), _moment(record.revoked_us))
            for record in records
        ]
        terminal.out.print(grid(("id", "name", "ends in", "created", "revoked"), rows))
    else:
        terminal.hint("no keys yet: mainstem key create")


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="KEY_ID", show_default=False)],
    home: Home = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a key useless; a running server notices within seconds."""
    with bootstrap.api_keys(settings(home=home)) as keys:
        keys.revoke(key_id)
    terminal = Terminal(as_json=as_json)
    if as_json:
        terminal.document({"id": key_id, "revoked": True})
    else:
        terminal.say(f"{key_id} revoked")


def _moment(at_us: int) -> str:
    return f"{datetime.fromtimestamp(at_us / 1e6, UTC).astimezone():%Y-%m-%d %H:%M}" if at_us else "-"
