"""Keeps secrets out of the process list. Imported before everything else, so it imports next to nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence

from setproctitle import setproctitle

_MASK = "***"
_URL_PASSWORD = re.compile(r"(?P<keep>[A-Za-z][A-Za-z0-9+.-]*://[^:/@?]*):.*@", re.DOTALL)
_URL_PARAMETER = re.compile(r"(?P<keep>[?&](?:ssl)?password=)[^&]*", re.IGNORECASE)
_SECRET_OPTIONS = ("--key", "--alert-url")  # the address of a webhook is all that one needs to use it


def masked(arguments: Sequence[str]) -> list[str]:
    """The same arguments with passwords of URLs and values of secret options replaced by ``***``.

    A URL whose password holds an unescaped ``@`` may lose more than its password; it never loses less. References
    such as ``${NAME}`` are no secrets and stay.
    """
    result: list[str] = []
    for position, argument in enumerate(arguments):
        name, equals, _ = argument.partition("=")
        if position > 0 and arguments[position - 1] in _SECRET_OPTIONS:
            result.append(_MASK)
        elif equals and name in _SECRET_OPTIONS:
            result.append(f"{name}={_MASK}")
        else:
            result.append(mask_url(argument))
    return result


def mask_url(text: str) -> str:
    """A URL, or any text with one in it, without its password."""
    text = _URL_PASSWORD.sub(_replacement, text)
    return _URL_PARAMETER.sub(rf"\g<keep>{_MASK}", text)


def _replacement(found: re.Match[str]) -> str:
    secret = found[0][len(found["keep"]) + 1 : -1]
    return found[0] if re.fullmatch(r"\$\{\w+\}|", secret) else f"{found['keep']}:{_MASK}@"


def conceal(arguments: Sequence[str]) -> None:
    """Overwrite this process's command line, as ``ps`` and ``/proc`` show it, if it holds a secret."""
    shown = masked(arguments)
    if shown != list(arguments):
        setproctitle(" ".join(["mainstem", *shown]))
