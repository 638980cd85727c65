"""All commands, and how one is run."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

import typer

from mainstem import __version__
from mainstem.cli.exits import ExitCode, exit_code_of
from mainstem.cli.terminal import print_error
from mainstem.errors import InvalidError, MainstemError

_HERE = "On this machine, no server needed"
_CLIENT = "Client of a running server"


# Each command is imported when it is wanted: what one needs (a web framework, a driver) must not slow another's start.
def _copy(app: typer.Typer) -> None:
    from mainstem.cli import copying

    app.command("copy", rich_help_panel=_HERE)(copying.copy)


def _run(app: typer.Typer) -> None:
    from mainstem.cli import streamfile

    app.command("run", rich_help_panel=_HERE)(streamfile.run)


def _doctor(app: typer.Typer) -> None:
    from mainstem.cli import doctor

    app.command("doctor", rich_help_panel=_HERE)(doctor.doctor)


def _serve(app: typer.Typer) -> None:
    from mainstem.cli import serve

    app.command("serve", rich_help_panel=_HERE)(serve.serve)


def _key(app: typer.Typer) -> None:
    from mainstem.cli import keys

    app.add_typer(keys.app, name="key", rich_help_panel=_HERE)


def _connections(app: typer.Typer) -> None:
    from mainstem.cli import connections

    app.add_typer(connections.app, name="connections", rich_help_panel=_CLIENT)


def _configs(app: typer.Typer) -> None:
    from mainstem.cli import configs

    app.add_typer(configs.app, name="configs", rich_help_panel=_CLIENT)


def _streams(app: typer.Typer) -> None:
    from mainstem.cli import streams

    app.add_typer(streams.app, name="streams", rich_help_panel=_CLIENT)


COMMANDS: Mapping[str, Callable[[typer.Typer], None]] = {
    "copy": _copy,
    "run": _run,
    "doctor": _doctor,
    "serve": _serve,
    "key": _key,
    "connections": _connections,
    "configs": _configs,
    "streams": _streams,
}


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


def make_app(command: str = "") -> typer.Typer:
    """The application with this command, or with all of them when it isn't the name of one."""
    app = typer.Typer(
        name="mainstem",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        help="Moves databases: schema and rows from MySQL or MariaDB to PostgreSQL.",
    )
    app.callback()(_root)
    for name in (command,) if command in COMMANDS else COMMANDS:
        COMMANDS[name](app)
    return app


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; whatever a user can cause has become a message by then."""
    as_json = "--json" in arguments
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without UTF-8 gets "?" for a tick, not a traceback
    try:
        app = make_app(arguments[0] if arguments else "")
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
