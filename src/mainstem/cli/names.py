"""What a replication of this machine may be called."""

from __future__ import annotations

import re

import typer

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")


def checked_id(text: str) -> str:
    """A name as it is, or empty; `BadParameter` for what could not be part of a slot's name."""
    if text and not _ID.fullmatch(text):
        raise typer.BadParameter("must be 1 to 40 letters, digits, - or _, and begin with no sign", param_hint="--id")
    return text
