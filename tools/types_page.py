"""Copies the type matrix between servers of its own and writes docs/types.md: ``python -m tools.types_page``."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path

from tests.types.matrix import TITLES, Matrix, Server
from tests.types.page import render
from tests.types.parity import DIRECTIONS, through_both

from mainstem.testing import servers

PAGE = Path(__file__).resolve().parents[1] / "docs" / "types.md"


def main() -> int:
    """The command: 0, or 2 where the distribution's PostgreSQL is missing."""
    system = servers.system_postgres_bin()
    if system is None:
        print("the distribution's PostgreSQL server is not installed", file=sys.stderr)
        return 2
    with ExitStack() as stack:
        running = {
            "mariadb": stack.enter_context(servers.mariadb()),
            "pg15": stack.enter_context(servers.postgres(system)),
            "pg18": stack.enter_context(servers.postgres()),
        }
        named = {name: Server(TITLES[name], server.settings) for name, server in running.items()}
        parities = {name: through_both(named, name) for name in DIRECTIONS}
        PAGE.write_text(render(stack.enter_context(Matrix(named)), parities), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
