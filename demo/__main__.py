"""``python -m demo``: see README.md. ``make demo`` runs it."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from demo.shop import FULL_ROWS
from demo.stage import Stage
from demo.story import LIVE_S, Options, play
from mainstem.errors import MainstemError


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Play the demo; 0 unless something failed, 130 when it was interrupted before its end."""
    parser = argparse.ArgumentParser(
        prog="demo", description="A sample shop from MariaDB to PostgreSQL, copied and then kept equal."
    )
    parser.add_argument("--exit", action="store_true", help="end by itself instead of staying up until Ctrl-C")
    parser.add_argument("--rows", type=int, default=int(os.environ.get("DEMO_ROWS") or FULL_ROWS))
    parser.add_argument("--port", type=int, default=8020, help="the server's port; a free one if it is taken")
    parser.add_argument("--seconds", type=float, default=LIVE_S, help="with --exit: for how long customers shop")
    parser.add_argument("--svg", type=Path, help="also write what was printed as a picture")
    given = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    stage = Stage(record=given.svg is not None)
    try:
        play(Options(rows=given.rows, port=given.port, stay=not given.exit, svg=given.svg, live_s=given.seconds), stage)
    except KeyboardInterrupt:
        stage.say("interrupted; everything that was started has been ended")
        return 130
    except MainstemError as error:
        stage.fail(error.message, error.remedy)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
