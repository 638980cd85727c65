"""From what a user writes for a database (a URL, ``${NAME}`` references) to an `Endpoint`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import quote

from mainstem.contract.registry import Registry
from mainstem.contract.urls import parse_url
from mainstem.engine.conversion import Endpoint
from mainstem.errors import InvalidError

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
    """The system that a URL names. A password that the URL lacks is taken from the system's usual variable.

    Raises:
        InvalidError: the text isn't a URL of a known connector, or a variable is missing.
    """
    values = os.environ if environment is None else environment
    settings = parse_url(expand(text, values), registry)
    spec = registry.find(settings.type)
    if not settings.password and spec.password_variable in values:
        settings = replace(settings, password=values[spec.password_variable])
    return Endpoint(spec, settings)
