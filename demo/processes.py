"""Ends what was started from a folder, should its starter have been interrupted at an unlucky moment."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

DEADLINE_S = 15.0


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
    """Ask them to end; after a while, insist."""
    deadline = time.monotonic() + DEADLINE_S
    while remaining := processes_of(folder):
        late = time.monotonic() > deadline
        for process in remaining:
            try:
                os.kill(process, signal.SIGKILL if late else signal.SIGTERM)
            except ProcessLookupError:
                continue
        time.sleep(0.2)
