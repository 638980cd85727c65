"""``mainstem key``: the API keys of the local store."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from mainstem import bootstrap
from mainstem.cli.serve import settings
from mainstem.cli.terminal import JsonFlag, Terminal
from mainstem.contract.store import ApiKeyRecord

app = typer.Typer(no_args_is_help=True, help="API keys of this machine's store (MAINSTEM_HOME).")


def _document(record: ApiKeyRecord) -> dict[str, object]:
    return {
        "id": record.id,
        "name": record.name,
        "created": record.created_us // 1_000_000,
        "lastFour": record.last_four,
        "revoked": bool(record.revoked_us),
    }


@app.command("create")
def create(
    name: Annotated[str, typer.Option(help="What the key is for.")] = "cli",
    as_json: JsonFlag = False,
) -> None:
    """Make a key and show it once."""
    terminal = Terminal(as_json=as_json)
    with bootstrap.api_keys(settings()) as keys:
        record, text = keys.create(name)
    if as_json:
        terminal.document({**_document(record), "key": text})
    else:
        typer.echo(text)


@app.command("list")
def list_keys(as_json: JsonFlag = False) -> None:
    """Show all keys; of each only the last four characters are known."""
    terminal = Terminal(as_json=as_json)
    with bootstrap.api_keys(settings()) as keys:
        records = keys.all()
    if as_json:
        terminal.document({"keys": [_document(record) for record in records]})
        return
    for record in records:
        made = datetime.fromtimestamp(record.created_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M")
        state = "revoked" if record.revoked_us else "in use"
        typer.echo(f"{record.id}  …{record.last_four}  {made}  {state:8}  {record.name}")


@app.command("revoke")
def revoke(key_id: Annotated[str, typer.Argument(metavar="KEY_ID")], as_json: JsonFlag = False) -> None:
    """Make a key useless, also for a server that runs."""
    with bootstrap.api_keys(settings()) as keys:
        keys.revoke(key_id)
    if as_json:
        Terminal(as_json=True).document({"revoked": key_id})
