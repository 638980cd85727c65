"""The entry point: hides secrets, runs the command, turns errors into a message and an exit code."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence

from mainstem.cli.argv import conceal
from mainstem.cli.loading import loading


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``mainstem`` with these arguments (default: the process's own) and return its exit code.

    Never raises for what a user can cause; with ``--json`` an error is one JSON document on stdout.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if arguments is None:
        conceal(given)
    with loading():
        from mainstem.cli.app import run  # the rest is imported after the command line is clean

    code = run(given)
    if arguments is None:
        gc.freeze()  # the process ends: looking through all that is left once more would take 0.15 s
    return code
