"""``mainstem streams …``: runs on the server."""

from __future__ import annotations

import json
import time
from typing import Annotated, Any

import typer
from rich.text import Text

from mainstem.cli import changes
from mainstem.cli.changeview import changes_panel
from mainstem.cli.client import DEFAULT_URL, Client, Key, Url
from mainstem.cli.cutting import cutover
from mainstem.cli.exits import exit_code_of_run
from mainstem.cli.progress import display
from mainstem.cli.report import figures_table, print_run
from mainstem.cli.resources import find_id, member, moment, print_list, print_one, said
from mainstem.cli.stats import view_of_stats
from mainstem.cli.terminal import JsonFlag, Terminal
from mainstem.cli.view import ENDED
from mainstem.model.run import SnapshotPolicy

COLLECTION = "streams"
POLL_S = 0.3
MAX_LINES = 2000
app = typer.Typer(no_args_is_help=True, help="Streams: runs of stream configs.")
Which = Annotated[str, typer.Argument(metavar="STREAM_ID", show_default=False)]
_COLUMNS = {
    "id": member("id", "streamID"),
    "config": member("name", "configId"),
    "status": member("status"),
    "created": moment("created"),
    "message": member("error", "message", default=""),
}
_LEVEL_STYLES = {"warn": "yellow", "warning": "yellow", "error": "red", "debug": "dim"}


@app.command("list")
def list_(url: Url = DEFAULT_URL, key: Key = "", as_json: JsonFlag = False) -> None:
    """List them, the newest first."""
    with Client(url, key) as client:
        items = client.call("GET", COLLECTION)
    print_list(Terminal(as_json=as_json), items, _COLUMNS, "no streams yet: mainstem streams start CONFIG")


@app.command()
def show(which: Which, url: Url = DEFAULT_URL, key: Key = "", as_json: JsonFlag = False) -> None:
    """Show one."""
    with Client(url, key) as client:
        item = client.call("GET", COLLECTION, which)
    print_one(Terminal(as_json=as_json), item)


@app.command()
def start(
    config: Annotated[str, typer.Argument(metavar="CONFIG_ID|NAME", show_default=False)],
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Stay and show progress until it has ended.")] = False,
    snapshot: Annotated[
        SnapshotPolicy | None,
        typer.Option(help="Mode cdc: which tables this stream copies first.", show_default="the config's"),
    ] = None,
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: JsonFlag = False,
) -> None:
    """Start a run of a config."""
    with Client(url, key) as client:
        config_id = find_id(client, "stream-configs", config)
        made = client.call("POST", "stream-configs", config_id, "start", snapshot=snapshot and snapshot.value)
        if watch:
            _watch(client, made["id"], Terminal(as_json=as_json))
    said(Terminal(as_json=as_json), made["id"], made)


@app.command()
def pause(which: Which, url: Url = DEFAULT_URL, key: Key = "", as_json: JsonFlag = False) -> None:
    """Stop moving rows; progress is kept."""
    _act("pause", which, url, key, as_json=as_json)


@app.command()
def resume(which: Which, url: Url = DEFAULT_URL, key: Key = "", as_json: JsonFlag = False) -> None:
    """Go on where it was paused, or where it failed."""
    _act("resume", which, url, key, as_json=as_json)


@app.command()
def stop(which: Which, url: Url = DEFAULT_URL, key: Key = "", as_json: JsonFlag = False) -> None:
    """End it for good; what has been written stays. To go on with a replication later, pause it."""
    _act("stop", which, url, key, as_json=as_json)


@app.command()
def delete(
    which: Which,
    force: Annotated[
        bool, typer.Option("--force", help="Also when what it left at its source cannot be taken away.")
    ] = False,
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: JsonFlag = False,
) -> None:
    """Forget one that has ended, with what a replication left at its source and in its target's book."""
    with Client(url, key) as client:
        client.call("DELETE", COLLECTION, which, force=force)
    said(Terminal(as_json=as_json), f"{which}  deleted", {"id": which, "deleted": True})


def _act(action: str, which: str, url: str, key: str, *, as_json: bool) -> None:
    with Client(url, key) as client:
        answer = client.call("POST", COLLECTION, which, action)
    state = answer.get("status", "") if isinstance(answer, dict) else ""
    said(Terminal(as_json=as_json), f"{which}  {state}".rstrip(), answer)


@app.command()
def stats(
    which: Which,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Stay and show progress until it has ended.")] = False,
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: JsonFlag = False,
) -> None:
    """Show its figures, table by table."""
    terminal = Terminal(as_json=as_json)
    with Client(url, key) as client:
        if watch:
            _watch(client, which, terminal)
        answer = client.call("GET", COLLECTION, which, "stats")
    if as_json:
        terminal.document(answer)
        return
    view = view_of_stats(answer)
    if view.ended:
        print_run(terminal, view)
    else:
        terminal.say(f"{view.state.lower()}, {view.stage}")
        terminal.out.print(figures_table(view) if view.standing is None else changes_panel(view, view.tables))


def _watch(client: Client, stream: str, terminal: Terminal) -> None:
    """Show progress until the run has ended, then its outcome; ends the command with the outcome's exit code."""
    quiet = terminal.json and not terminal.err.is_terminal
    with display(terminal.err, quiet=quiet) as show:
        while True:
            answer = client.call("GET", COLLECTION, stream, "stats")
            view = view_of_stats(answer)
            show.update(view)
            if view.ended:
                break
            time.sleep(POLL_S)
    if terminal.json:
        terminal.document(answer)
    else:
        print_run(terminal, view)
    raise typer.Exit(exit_code_of_run(view.state, view.stage, view.error_code))


@app.command()
def logs(
    which: Which,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Stay and print new lines until it ends.")] = False,
    level: Annotated[
        list[str] | None, typer.Option(help="debug, info, warn or error; may be repeated.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=MAX_LINES, help="Lines to print at most.")] = 200,
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: JsonFlag = False,
) -> None:
    """Print its log. With --json: an array, or with --follow one JSON document a line."""
    terminal = Terminal(as_json=as_json)
    with Client(url, key) as client:
        lines = client.call("GET", COLLECTION, which, "logs", level=",".join(level or ()), limit=limit)
        if as_json and not follow:
            terminal.document(lines)
            return
        seen: set[tuple[str, str]] = set()
        for line in lines:
            _print_new(terminal, line, [], seen)
        if follow:
            _follow(client, which, level or [], terminal, seen)


def _follow(client: Client, stream: str, levels: list[str], terminal: Terminal, seen: set[tuple[str, str]]) -> None:
    """Print lines as they come until the stream has ended."""
    for name, line in client.events("logs", "stream", streamId=stream):
        if name == "connection":
            # whatever was said between reading the log and listening is in the log by now
            for missed in client.call("GET", COLLECTION, stream, "logs", level=",".join(levels), limit=MAX_LINES):
                _print_new(terminal, missed, levels, seen)
            if client.call("GET", COLLECTION, stream)["status"] in ENDED:
                return
        elif name == "log":
            _print_new(terminal, line, levels, seen)
            if line.get("state") in ENDED:
                return


def _print_new(terminal: Terminal, line: dict[str, Any], levels: list[str], seen: set[tuple[str, str]]) -> None:
    mark = (str(line.get("timestamp", ""))[:19], str(line.get("message", "")))
    if mark in seen or (levels and line.get("level") not in levels):
        return
    seen.add(mark)
    if terminal.json:
        typer.echo(json.dumps(line, ensure_ascii=False))
    else:
        _print_line(terminal, line)


def _print_line(terminal: Terminal, line: dict[str, Any]) -> None:
    level = str(line.get("level", "info"))
    at = str(line.get("timestamp", ""))[11:19]
    terminal.out.print(
        Text.assemble((f"{at} ", "dim"), (f"{level:5} ", _LEVEL_STYLES.get(level, "")), str(line.get("message", "")))
    )


for _name, _command in {"cutover": cutover, **changes.COMMANDS}.items():
    app.command(_name)(_command)
