"""``NAME=VALUE`` as options of the command line take it."""

from __future__ import annotations

from collections.abc import Iterable

import typer


def assignments(option: str, form: str, texts: Iterable[str] | None) -> dict[str, str]:
    """Each text up to its first equals sign and behind it.

    Raises:
        BadParameter: a text without both parts, or two of one name; ``form`` says what it should be.
    """
    found: dict[str, str] = {}
    for text in texts or ():
        name, _, value = (part.strip() for part in text.partition("="))
        if not name or not value:
            raise typer.BadParameter(f"{text!r} is not {form}", param_hint=option)
        if found.setdefault(name, value) != value:
            raise typer.BadParameter(f"{name} is given twice", param_hint=option)
    return found


def conditions(texts: Iterable[str] | None, sql_dialect: str) -> dict[str, str]:
    """``TABLE=CONDITION`` each, as one condition of the source's SQL; `BadParameter` for any other text."""
    found = assignments("--where", "TABLE=CONDITION", texts)
    if not found:
        return {}
    from mainstem.control.options import condition_problem  # brings all shapes of a config with it

    for name, condition in found.items():
        if problem := condition_problem(condition, sql_dialect):
            raise typer.BadParameter(f"of {name} {problem}", param_hint="--where")
    return found
