"""Processes that the demo started: whether one has ended, and ending those that an interruption left over."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

DEADLINE_S = 15.0


def has_ended(child: int) -> bool:
    """Whether a child process of ours has ended; its exit status stays there for whoever waits for it."""
    try:
        return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # somebody has waited for it already
        return True


def processes_of(folder: Path) -> list[int]:
    """Ids of processes whose command line names this folder; nothing where there is no /proc."""
    wanted = os.fsencode(folder)
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if wanted in entry.read_bytes() and int(entry.parent.name) != os.getpid():
                found.append(int(entry.parent.name))
        except OSError:  # it has just ended, or is none of ours
            continue
    return found


def end_processes_of(folder: Path) -> None:
    """Ask them to end, and all children of ours; after a while, insist.

    A child that an interruption met between its fork and its exec has our own command line for a moment, and has lost
    the signal that it got there.
    """
    deadline = time.monotonic() + DEADLINE_S
    while remaining := {*processes_of(folder), *_children()}:
        late = time.monotonic() > deadline
        for process in remaining:
            try:
                os.kill(process, signal.SIGKILL if late else signal.SIGTERM)
            except ProcessLookupError:
                continue
        time.sleep(0.2)


def _children() -> list[int]:
    """Those of this process that run; nothing where the kernel does not list them (proc(5))."""
    found: list[int] = []
    for listed in Path("/proc/self/task").glob("*/children"):
        with suppress(FileNotFoundError):  # the thread has just ended
            found += map(int, listed.read_text().split())
    return [child for child in found if not has_ended(child)]
