"""``mainstem connections …``: credentials that the server keeps."""

from __future__ import annotations

import base64
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from mainstem.cli.client import DEFAULT_URL, Client, Key, Url
from mainstem.cli.endpoints import endpoint
from mainstem.cli.exits import ExitCode
from mainstem.cli.resources import find_id, member, moment, print_list, print_one, said
from mainstem.cli.terminal import JsonFlag, Terminal
from mainstem.contract.registry import Registry
from mainstem.model.connection import ConnectionSettings, SslMode

COLLECTION = "connections"
app = typer.Typer(no_args_is_help=True, help="Connections that the server keeps.")
Which = Annotated[str, typer.Argument(metavar="ID|NAME", show_default=False)]
_COLUMNS = {
    "id": member("id"),
    "name": member("name"),
    "type": member("type"),
    "host": member("host"),
    "port": member("port"),
    "username": member("username"),
    "database": member("database"),
    "created": moment("created"),
}


@app.command("list")
def list_(url: Url = DEFAULT_URL, key: Key = "", as_json: JsonFlag = False) -> None:
    """List them."""
    with Client(url, key) as client:
        items = client.call("GET", COLLECTION)
    print_list(Terminal(as_json=as_json), items, _COLUMNS, "no connections yet: mainstem connections create NAME URL")


@app.command()
def show(which: Which, url: Url = DEFAULT_URL, key: Key = "", as_json: JsonFlag = False) -> None:
    """Show one; its password is never shown."""
    with Client(url, key) as client:
        item = client.call("GET", COLLECTION, find_id(client, COLLECTION, which))
    print_one(Terminal(as_json=as_json), item)


@app.command()
def create(
    name: Annotated[str, typer.Argument(show_default=False)],
    system: Annotated[
        str,
        typer.Argument(
            metavar="URL",
            help="type://user@host:port/database; ${NAME} is taken from the environment.",
            show_default=False,
        ),
    ],
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read the password from stdin.")] = False,
    ssl_mode: Annotated[SslMode | None, typer.Option(help="How much of TLS to ask for.")] = None,
    ssl_ca: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="CA certificate (PEM).")] = None,
    ssl_cert: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="Client certificate.")] = None,
    ssl_key: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="Client key.")] = None,
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: JsonFlag = False,
) -> None:
    """Save a connection; --url is the server's, the argument URL is the database's."""
    settings = endpoint(system, Registry.installed()).settings
    if password_stdin:
        settings = replace(settings, password=sys.stdin.readline().rstrip("\r\n"))
    ssl = settings.ssl
    settings = replace(
        settings,
        ssl=replace(
            ssl,
            mode=ssl_mode or ssl.mode,
            ca=ssl_ca.read_bytes() if ssl_ca else ssl.ca,
            client_cert=ssl_cert.read_bytes() if ssl_cert else ssl.client_cert,
            client_key=ssl_key.read_bytes() if ssl_key else ssl.client_key,
        ),
    )
    with Client(url, key) as client:
        made = client.call("POST", COLLECTION, body=body_of(name, settings))
    said(Terminal(as_json=as_json), f"{made['id']}  {name}", made)


def body_of(name: str, settings: ConnectionSettings) -> dict[str, Any]:
    """A connection in the API's flat shape; certificates travel as base64."""
    ssl = settings.ssl
    files = {"ca": ssl.ca, "client_cert": ssl.client_cert, "client_key": ssl.client_key}
    body: dict[str, Any] = {
        "name": name,
        "type": settings.type,
        "host": settings.host,
        "port": settings.port,
        "username": settings.username,
        "password": settings.password,
        "database": settings.database,
        "ssl": {"mode": ssl.mode.value}
        | {member: base64.b64encode(content).decode() for member, content in files.items() if content},
    }
    return body | ({"schema": settings.schema} if settings.schema else {})


@app.command()
def delete(which: Which, url: Url = DEFAULT_URL, key: Key = "", as_json: JsonFlag = False) -> None:
    """Delete one."""
    with Client(url, key) as client:
        found = find_id(client, COLLECTION, which)
        client.call("DELETE", COLLECTION, found)
    said(Terminal(as_json=as_json), f"{found} deleted", {"id": found, "deleted": True})


@app.command()
def clone(which: Which, url: Url = DEFAULT_URL, key: Key = "", as_json: JsonFlag = False) -> None:
    """Copy one under a new id, secrets included."""
    with Client(url, key) as client:
        made = client.call("PUT", COLLECTION, find_id(client, COLLECTION, which), "clone")
    said(Terminal(as_json=as_json), f"{made['id']}  {made.get('name', '')}", made)


@app.command()
def ping(which: Which, url: Url = DEFAULT_URL, key: Key = "", as_json: JsonFlag = False) -> None:
    """Ask whether the system behind it answers; ends with 3 when it does not."""
    with Client(url, key) as client:
        answer = client.call("POST", COLLECTION, find_id(client, COLLECTION, which), "ping")
    answered = answer.get("ping") == "ok"
    if as_json or answered:
        text = "  ".join(str(answer[name]) for name in ("ping", "flavor", "version") if answer.get(name))
        said(Terminal(as_json=as_json), text, answer)
    else:
        Terminal().err.print(f"failed: {answer.get('error', '')}", style="red")
    raise typer.Exit(ExitCode.OK if answered else ExitCode.UNREACHABLE)


@app.command()
def databases(which: Which, url: Url = DEFAULT_URL, key: Key = "", as_json: JsonFlag = False) -> None:
    """List the databases that it can see."""
    with Client(url, key) as client:
        items = client.call("GET", COLLECTION, find_id(client, COLLECTION, which), "databases")
    columns = {"name": member("name"), "schemas": lambda item: ", ".join(item.get("schemas") or ()) or "-"}
    print_list(Terminal(as_json=as_json), items, columns, "no databases")


@app.command()
def tables(which: Which, url: Url = DEFAULT_URL, key: Key = "", as_json: JsonFlag = False) -> None:
    """List its tables, one a line."""
    with Client(url, key) as client:
        names = client.call("GET", COLLECTION, find_id(client, COLLECTION, which), "tables")
    terminal = Terminal(as_json=as_json)
    if as_json:
        terminal.document(names)
    else:
        for name in names:
            terminal.say(name)
