"""Exit codes, and which error leads to which."""

from __future__ import annotations

from enum import IntEnum

from mainstem.errors import ConnectReason


class ExitCode(IntEnum):
    """What the shell sees; documented in docs/cli.md and kept stable."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    REFUSED = 4
    FINDINGS = 5
    INTERRUPTED = 130


_BY_CODE = {
    **dict.fromkeys((reason.value for reason in ConnectReason), ExitCode.UNREACHABLE),
    **dict.fromkeys(("unauthorized", "unavailable"), ExitCode.UNREACHABLE),
    **dict.fromkeys(("invalid_data", "not_found", "plan"), ExitCode.USAGE),
    **dict.fromkeys(("conflict", "schema_conflict"), ExitCode.REFUSED),
    "preflight": ExitCode.FINDINGS,
}

_BY_STATE = {
    "FINISHED": ExitCode.OK,
    "TIME_LIMIT_REACHED": ExitCode.OK,
    "EVENT_LIMIT_REACHED": ExitCode.OK,
    "STOPPED": ExitCode.INTERRUPTED,
}


def exit_code_of(code: str) -> ExitCode:
    """The exit code for an error's machine-readable code; FAILED for one that has no number of its own."""
    return _BY_CODE.get(code, ExitCode.FAILED)


def exit_code_of_run(state: str, stage: str, error_code: str) -> ExitCode:
    """The exit code for a run that ended in a state, with the stage it had reached and an error's code if it failed.

    Once a run has been planned, what it was asked for was right: a later failure is never one of usage.
    """
    if state in _BY_STATE:
        return _BY_STATE[state]
    code = exit_code_of(error_code)
    return ExitCode.FAILED if code is ExitCode.USAGE and stage != "planning" else code
