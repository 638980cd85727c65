"""All commands, and how one is run."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated

import typer

from mainstem import __version__
from mainstem.cli.exits import ExitCode, exit_code_of
from mainstem.cli.loading import loading
from mainstem.cli.terminal import print_error
from mainstem.errors import InvalidError, MainstemError

_HERE = "On this machine, no server needed"
_CLIENT = "Client of a running server"


@dataclass(frozen=True, slots=True)
class Command:
    """A command or a group of them.

    Attributes:
        module: in this package; imported when the command is wanted, because what one needs (a web framework, a
            driver) must not slow another's start. It has the function ``name``, or the group ``app``.
        help: the first line of its own help, for the list of all.
    """

    module: str
    name: str
    panel: str
    help: str

    def add_to(self, app: typer.Typer, name: str) -> None:
        """Import it and make it part of the application."""
        module = import_module(f"mainstem.cli.{self.module}")
        if self.name == "app":
            app.add_typer(module.app, name=name, rich_help_panel=self.panel)
        else:
            app.command(name, rich_help_panel=self.panel)(getattr(module, self.name))

    def list_in(self, app: typer.Typer, name: str) -> None:
        """Make its name and help part of the application."""
        app.command(name, help=self.help, rich_help_panel=self.panel)(_elsewhere)


COMMANDS: Mapping[str, Command] = {
    "copy": Command(
        "copying", "copy", _HERE, "Copy a database: tables, rows, keys, indexes, foreign keys, counters, views."
    ),
    "replicate": Command(
        "replicating", "replicate", _HERE, "Copy what is missing, then keep the target equal by the source's log."
    ),
    "run": Command("streamfile", "run", _HERE, "Run the stream that a YAML file describes."),
    "doctor": Command(
        "doctor", "doctor", _HERE, "Check whether systems are fit to be copied or replicated. Nothing is changed."
    ),
    "serve": Command("serve", "serve", _HERE, "Run the server until Ctrl-C."),
    "key": Command("keys", "app", _HERE, "API keys of this machine's store."),
    "store": Command("stores", "app", _HERE, "The store of this machine's server."),
    "connections": Command("connections", "app", _CLIENT, "Connections that the server keeps."),
    "configs": Command("configs", "app", _CLIENT, "Stream configs that the server keeps."),
    "streams": Command("streams", "app", _CLIENT, "Streams: runs of stream configs."),
    "resync": Command("changes", "resync", _CLIENT, "Copy tables of a replication anew while the others stream."),
    "cutover": Command("cutting", "cutover", _CLIENT, "Say whether writers may move from the source to the target."),
}


def _elsewhere() -> None:
    """Stands for a command that is not the wanted one."""


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mainstem {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    pass


def make_app(wanted: str = "") -> typer.Typer:
    """The application: the wanted command in full, of the others (or of all) what the list of commands shows."""
    app = typer.Typer(
        name="mainstem",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        help="Moves and replicates databases between MySQL, MariaDB and PostgreSQL.",
    )
    app.callback()(_root)
    for name, command in COMMANDS.items():
        if name == wanted:
            command.add_to(app, name)
        else:
            command.list_in(app, name)
    return app


def wanted_command(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """The command that the arguments name; while the shell completes a line, the one that stands in this line."""
    completing = "_MAINSTEM_COMPLETE" in environment
    words = environment.get("_TYPER_COMPLETE_ARGS", environment.get("COMP_WORDS", "")).split()[1:]
    return next((word for word in (words if completing else arguments) if not word.startswith("-")), "")


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; whatever a user can cause has become a message by then."""
    as_json = "--json" in arguments
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without UTF-8 gets "?" for a tick, not a traceback
    try:
        with loading():
            app = make_app(wanted_command(arguments, os.environ))
        code = app(args=list(arguments), prog_name="mainstem", standalone_mode=False, obj=list(arguments))
    except typer.TyperException as error:
        return _usage(error, as_json=as_json)
    except MainstemError as error:
        print_error(error, as_json=as_json)
        return exit_code_of(error.code)
    except (KeyboardInterrupt, typer.Abort):
        return ExitCode.INTERRUPTED
    return int(code or 0)


def _usage(error: typer.TyperException, *, as_json: bool) -> int:
    if not as_json:
        show = getattr(error, "show", None)
        if show is not None:
            show()
    else:
        print_error(InvalidError(error.format_message(), remedy="see --help"), as_json=True)
    return ExitCode.USAGE
