"""``mainstem serve``: the server with the REST API."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from mainstem import bootstrap
from mainstem.errors import InvalidError
from mainstem.settings import Settings


def serve(
    role: Annotated[
        str | None,
        typer.Option(
            help="What this process does: api, reader, writer (comma-separated), or all. Several processes need a store"
            " on PostgreSQL; those without all roles NATS, too.",
            show_default="all",
        ),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.", show_default="8020")
    ] = None,
    home: Annotated[
        Path | None, typer.Option(help="Data folder: store and secret key.", show_default="~/.local/share/mainstem")
    ] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.", show_default="info")] = None,
    log_file: Annotated[Path | None, typer.Option(help="Also write the log to this file.", show_default=False)] = None,
) -> None:
    """Run the server until Ctrl-C.

    Each option has a variable MAINSTEM_…; an option wins.

    The first start makes an API key and shows it once.
    """
    bootstrap.serve(settings(role=role, host=host, port=port, home=home, log_level=log_level, log_file=log_file))


def settings(**given: Any) -> Settings:
    """The process's settings: what is given here, else the environment, else the default.

    Raises:
        InvalidError: naming each setting that is wrong.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as exc:
        fields = {f"MAINSTEM_{'.'.join(map(str, item['loc'])).upper()}": item["msg"] for item in exc.errors()}
        raise InvalidError("a setting is wrong", fields=fields, remedy="docs/configuration.md lists them") from exc
