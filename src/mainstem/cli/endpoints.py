"""From what a user writes for a database (a URL, ``${NAME}`` references) to an `Endpoint`."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from getpass import getpass
from urllib.parse import quote

from mainstem.contract.registry import Registry
from mainstem.contract.urls import parse_url
from mainstem.engine.endpoint import Endpoint
from mainstem.errors import InvalidError
from mainstem.model.connection import ConnectionSettings

_DIRECTIONS = "name systems that can play these roles: docs/connections.md"
_REFERENCE = re.compile(r"\$\{(\w+)\}")


def expand(text: str, environment: Mapping[str, str] | None = None) -> str:
    """Put environment variables in place of ``${NAME}``.

    A text that is nothing but one reference becomes the variable as it stands; a reference inside a URL is
    percent-encoded, so that a password may hold any character.

    Raises:
        InvalidError: naming the variable that is not set.
    """
    values = os.environ if environment is None else environment

    def value(name: str) -> str:
        if name not in values:
            raise InvalidError(
                f"the environment variable {name} is not set", fields={name: "not set"}, remedy=f"export {name}=…"
            )
        return values[name]

    whole = _REFERENCE.fullmatch(text)
    if whole is not None:
        return value(whole[1])
    return _REFERENCE.sub(lambda found: quote(value(found[1]), safe=""), text)


def endpoint(text: str, registry: Registry, environment: Mapping[str, str] | None = None) -> Endpoint:
    """The system that a URL names.

    A password that the URL lacks is taken from the system's usual variable; where that is not set, it is asked for on
    a terminal.

    Raises:
        InvalidError: the text isn't a URL of a known connector, or a variable is missing.
    """
    values = os.environ if environment is None else environment
    settings = parse_url(expand(text, values), registry)
    spec = registry.find(settings.type)
    if not settings.password:
        known = values.get(spec.password_variable)
        settings = replace(settings, password=_asked(settings) if known is None else known)
    return Endpoint(spec, settings)


def _asked(settings: ConnectionSettings) -> str:
    """The password as typed by the user, unseen; empty when nobody sits there."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return ""
    return getpass(f"Password for {settings.label} (Enter for none): ")


def check_roles(source: Endpoint, target: Endpoint) -> None:
    """Raise `InvalidError` unless one can be read, the other can be written, and both name a database."""
    if source.spec.source is None:
        raise InvalidError(
            f"{source.spec.title} cannot be a source yet", fields={"source": "cannot be read"}, remedy=_DIRECTIONS
        )
    if target.spec.target is None:
        raise InvalidError(
            f"{target.spec.title} cannot be a target yet", fields={"target": "cannot be written"}, remedy=_DIRECTIONS
        )
    for role, end in (("source", source), ("target", target)):
        if not end.settings.database:
            raise InvalidError(
                f"the {role} {end.settings.label} names no database",
                fields={role: "names no database"},
                remedy="write it at the end of the URL: …@host:port/database",
            )
