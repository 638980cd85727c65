"""What connections, configs and streams have in common: looking one up, printing one or many."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.text import Text

from mainstem.cli.client import Client
from mainstem.cli.terminal import Terminal, grid
from mainstem.errors import ConflictError, NotFoundError

Cell = Callable[[Mapping[str, Any]], str]
_STATES = {"RUNNING": "cyan", "FINISHED": "green", "FAILED": "bold red", "PAUSED": "yellow", "STOPPED": "yellow"}


def find_id(client: Client, collection: str, name_or_id: str) -> str:
    """The id that a user means: an id as it stands, or the name of exactly one member of the collection.

    Raises:
        NotFoundError: no member has this id or name.
        ConflictError: several members have this name.
    """
    members = client.call("GET", collection)
    if any(member["id"] == name_or_id for member in members):
        return name_or_id
    named = [member["id"] for member in members if member.get("name") == name_or_id]
    if len(named) > 1:
        raise ConflictError(
            f"{len(named)} {collection} are named {name_or_id!r}", remedy=f"use an id: {', '.join(named)}"
        )
    if not named:
        raise NotFoundError(
            f"there is no {name_or_id!r} among the server's {collection}",
            remedy=f"mainstem {command_of(collection)} list",
        )
    return str(named[0])


def command_of(collection: str) -> str:
    """The command group of a collection of the API."""
    return collection.removeprefix("stream-")


def member(*names: str, default: str = "-") -> Cell:
    """A cell with the first of these members that is there."""

    def cell(item: Mapping[str, Any]) -> str:
        found = next((item[name] for name in names if item.get(name) not in (None, "")), default)
        return str(found)

    return cell


def moment(name: str) -> Cell:
    """A cell with a time (epoch seconds or ISO text) in the user's own zone."""

    def cell(item: Mapping[str, Any]) -> str:
        value = item.get(name)
        if isinstance(value, str) and value:
            return value.replace("T", " ")[:19]
        if not isinstance(value, (int, float)) or not value:
            return "-"
        return f"{datetime.fromtimestamp(value, UTC).astimezone():%Y-%m-%d %H:%M:%S}"

    return cell


def print_list(terminal: Terminal, items: Sequence[Mapping[str, Any]], columns: Mapping[str, Cell], empty: str) -> None:
    """Members of a collection as a table, or as the JSON array that the server sent."""
    if terminal.json:
        terminal.document(list(items))
    elif not items:
        terminal.hint(empty)
    else:
        rows = [[_styled(cell(item)) for cell in columns.values()] for item in items]
        terminal.out.print(grid(tuple(columns), rows))


def _styled(text: str) -> Text:
    return Text(text, style=_STATES.get(text, ""))


def print_one(terminal: Terminal, item: Any) -> None:
    """One thing: name and value a line; members of members are indented."""
    if terminal.json:
        terminal.document(item)
        return
    for line in _lines(item, ""):
        terminal.out.print(line)


def _lines(value: Any, indent: str) -> list[Text]:
    lines: list[Text] = []
    if isinstance(value, Mapping):
        for name, item in value.items():
            if isinstance(item, (Mapping, list)) and item:
                lines += [Text(f"{indent}{name}:", style="bold"), *_lines(item, indent + "  ")]
            else:
                lines.append(Text.assemble((f"{indent}{name}: ", "bold"), _scalar(item)))
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, (Mapping, list)) and item:
                inner = _lines(item, indent + "  ")
                inner[0] = Text.assemble(f"{indent}- ", inner[0][len(indent) + 2 :])
                lines += inner
            else:
                lines.append(Text(f"{indent}- {_scalar(item)}"))
    else:
        lines.append(Text(f"{indent}{_scalar(value)}"))
    return lines


def _scalar(value: Any) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (Mapping, list)):
        return "none"
    return str(value)


def said(terminal: Terminal, text: str, document: Any) -> None:
    """What was done: a sentence, or the server's answer as JSON."""
    if terminal.json:
        terminal.document(document)
    else:
        terminal.say(text)
