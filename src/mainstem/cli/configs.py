"""``mainstem configs …``: stream configs that the server keeps."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from mainstem.cli.client import DEFAULT_URL, Client, Key, Url
from mainstem.cli.planview import print_plan
from mainstem.cli.resources import find_id, member, moment, print_list, print_one, said
from mainstem.cli.stats import report_item
from mainstem.cli.terminal import JsonFlag, Terminal
from mainstem.errors import InvalidError
from mainstem.model.names import TableId
from mainstem.model.plan import MigrationPlan, Phase, Statement, TablePlan

COLLECTION = "stream-configs"
app = typer.Typer(no_args_is_help=True, help="Stream configs that the server keeps.")
Which = Annotated[str, typer.Argument(metavar="ID|NAME", show_default=False)]
_COLUMNS = {
    "id": member("id"),
    "name": member("name"),
    "mode": member("mode"),
    "source": lambda item: _end(item.get("source")),
    "target": lambda item: _end(item.get("target")),
    "created": moment("created"),
}
_HISTORY = {
    "stream": member("streamId", "id"),
    "status": member("status"),
    "rows": member("rowsInserted"),
    "bytes": member("dataSize"),
    "started": moment("timestamp"),
    "error": member("errorMessage"),
}


def _end(value: Any) -> str:
    """The connection's id, out of either shape of a config."""
    if isinstance(value, dict):
        connections = value.get("connections") or [value]
        return str(connections[0].get("connectionId") or connections[0].get("id") or "-")
    return str(value or "-")


@app.command("list")
def list_(url: Url = DEFAULT_URL, key: Key = "", as_json: JsonFlag = False) -> None:
    """List them."""
    with Client(url, key) as client:
        items = client.call("GET", COLLECTION)
    print_list(Terminal(as_json=as_json), items, _COLUMNS, "no stream configs yet: mainstem configs create FILE")


@app.command()
def show(which: Which, url: Url = DEFAULT_URL, key: Key = "", as_json: JsonFlag = False) -> None:
    """Show one."""
    with Client(url, key) as client:
        item = client.call("GET", COLLECTION, find_id(client, COLLECTION, which))
    print_one(Terminal(as_json=as_json), item)


@app.command()
def create(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The config as YAML or JSON; - is stdin.", show_default=False)
    ],
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: JsonFlag = False,
) -> None:
    """Save a config from a file. Its source and target may be names of connections."""
    body = read_mapping(file)
    with Client(url, key) as client:
        for end in ("source", "target"):
            if isinstance(body.get(end), str):
                body[end] = find_id(client, "connections", body[end])
        made = client.call("POST", COLLECTION, body=body)
    said(Terminal(as_json=as_json), f"{made['id']}  {made.get('name', '')}", made)


def read_mapping(file: Path) -> dict[str, Any]:
    """A YAML (or JSON, which is YAML) file that holds a mapping; ``-`` is stdin."""
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
        value = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as exc:
        raise InvalidError(f"{file} can't be read: {getattr(exc, 'strerror', None) or 'not UTF-8'}") from exc
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark else ""
        raise InvalidError(f"{file} is neither YAML nor JSON{line}: {getattr(exc, 'problem', '')}") from exc
    if not isinstance(value, dict):
        raise InvalidError(f"{file} must hold a mapping")
    return value


@app.command()
def delete(which: Which, url: Url = DEFAULT_URL, key: Key = "", as_json: JsonFlag = False) -> None:
    """Delete one."""
    with Client(url, key) as client:
        found = find_id(client, COLLECTION, which)
        client.call("DELETE", COLLECTION, found)
    said(Terminal(as_json=as_json), f"{found} deleted", {"id": found, "deleted": True})


@app.command()
def clone(which: Which, url: Url = DEFAULT_URL, key: Key = "", as_json: JsonFlag = False) -> None:
    """Copy one under a new id."""
    with Client(url, key) as client:
        made = client.call("PUT", COLLECTION, find_id(client, COLLECTION, which), "clone")
    said(Terminal(as_json=as_json), f"{made['id']}  {made.get('name', '')}", made)


@app.command()
def history(which: Which, url: Url = DEFAULT_URL, key: Key = "", as_json: JsonFlag = False) -> None:
    """List its runs."""
    with Client(url, key) as client:
        runs = client.call("GET", COLLECTION, find_id(client, COLLECTION, which), "history")
    print_list(Terminal(as_json=as_json), runs, _HISTORY, "no runs yet")


@app.command()
def plan(which: Which, url: Url = DEFAULT_URL, key: Key = "", as_json: JsonFlag = False) -> None:
    """Show the DDL and the report of what a run would do; nothing is touched."""
    with Client(url, key) as client:
        answer = client.call("GET", COLLECTION, find_id(client, COLLECTION, which), "plan")
    if as_json:
        Terminal(as_json=True).document(answer)
        return
    print_plan(Terminal(), plan_of(answer))


def plan_of(answer: Mapping[str, Any]) -> MigrationPlan:
    """The server's plan, as far as printing it needs."""
    return MigrationPlan(
        tables=tuple(
            TablePlan(
                TableId("", table["source"]), TableId("", table["target"]), (), rows_estimate=table["rowsEstimate"]
            )
            for table in answer["tables"]
        ),
        statements=tuple(Statement(Phase(item["phase"]), item["sql"], item["object"]) for item in answer["statements"]),
        report=tuple(report_item(item) for item in answer["report"]),
    )
