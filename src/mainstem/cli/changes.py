"""``mainstem streams …`` for streams of mode cdc: a new copy, changes put aside, schema changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from mainstem.cli.client import DEFAULT_URL, Client, Key, Url
from mainstem.cli.exits import ExitCode
from mainstem.cli.resources import member, moment, print_list, said
from mainstem.cli.terminal import JsonFlag, Terminal

Which = Annotated[str, typer.Argument(metavar="STREAM_ID", show_default=False)]
Numbers = Annotated[
    list[int] | None, typer.Argument(metavar="NUMBER", help="Of the letters; none is all.", show_default=False)
]
Limit = Annotated[int, typer.Option(min=1, max=10_000, help="Lines to print at most.")]
_LETTERS = {
    "number": member("number"),
    "table": member("table"),
    "change": member("operation"),
    "key": member("key"),
    "column": member("column"),
    "reason": member("reason"),
}
_CHANGES = {
    "at": moment("at"),
    "table": member("table"),
    "change": member("change"),
    "outcome": member("outcome"),
    "detail": member("detail"),
}


def resync(
    which: Which,
    table: Annotated[list[str], typer.Argument(metavar="TABLE", help="The source's name.", show_default=False)],
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: JsonFlag = False,
) -> None:
    """Copy tables of a replication anew while the others stream.

    Their rows in the target are deleted first.
    """
    with Client(url, key) as client:
        for name in table:
            answer = client.call("POST", "streams", which, "tables", name, "resync")
    said(Terminal(as_json=as_json), f"{which}  copies anew: {', '.join(table)}", answer)


def letters(
    which: Which, limit: Limit = 1000, url: Url = DEFAULT_URL, key: Key = "", as_json: JsonFlag = False
) -> None:
    """List changes that the target refused and that were put aside."""
    with Client(url, key) as client:
        found = client.call("GET", "streams", which, "dead-letters", limit=limit)
    print_list(Terminal(as_json=as_json), found, _LETTERS, "nothing was put aside")


def replay(
    which: Which, numbers: Numbers = None, url: Url = DEFAULT_URL, key: Key = "", as_json: JsonFlag = False
) -> None:
    """Apply them once more; what goes in is forgotten. Ends with 1 when some are refused again."""
    with Client(url, key) as client:
        answer = client.call("POST", "streams", which, "dead-letters", "replay", body={"numbers": numbers or []})
    said(Terminal(as_json=as_json), f"{answer['applied']} went in, {answer['refused']} were refused again", answer)
    raise typer.Exit(ExitCode.FAILED if answer["refused"] else ExitCode.OK)


def discard(
    which: Which,
    numbers: Annotated[list[int], typer.Argument(metavar="NUMBER", help="Of the letters.", show_default=False)],
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: JsonFlag = False,
) -> None:
    """Forget letters."""
    with Client(url, key) as client:
        client.call("POST", "streams", which, "dead-letters", "discard", body={"numbers": numbers})
    said(Terminal(as_json=as_json), f"{len(numbers)} forgotten", {"discarded": numbers})


def schema_changes(
    which: Which, limit: Limit = 1000, url: Url = DEFAULT_URL, key: Key = "", as_json: JsonFlag = False
) -> None:
    """List the source's schema changes that were seen, and what became of each."""
    with Client(url, key) as client:
        found = client.call("GET", "streams", which, "schema-changes", limit=limit)
    print_list(Terminal(as_json=as_json), found, _CHANGES, "no schema change was seen")


COMMANDS: Mapping[str, Callable[..., Any]] = {
    "resync": resync,
    "letters": letters,
    "replay": replay,
    "discard": discard,
    "schema-changes": schema_changes,
}
