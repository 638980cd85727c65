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


def exit_code_of_run(state: str, error_code: str) -> ExitCode:
    """The exit code for a run that ended in a state, with an error's code where it failed."""
    return _BY_STATE[state] if state in _BY_STATE else exit_code_of(error_code)
