"""What a command loads, which is most of what it takes to start."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("alembic", "cryptography", "fastapi", "pydantic", "sqlalchemy", "sqlglot", "structlog")
OF_STREAMS = ("mainstem.connectors.postgres.slot", "mainstem.connectors.postgres.publication")
ENDS = {
    kind: ", ".join(f"mainstem.connectors.{kind}.{module}" for module in ("preflight", "load", "snapshot"))
    for kind in ("postgres", "mysql")
}


def loaded(statement: str, names: tuple[str, ...]) -> str:
    """Which of these a new process has loaded after a statement."""
    asked = f"import sys; {statement}; print([name for name in {names} if name in sys.modules])"
    return subprocess.run([sys.executable, "-c", asked], check=True, capture_output=True, text=True).stdout.strip()


def test_a_copy_starts_without_what_only_others_need() -> None:
    assert loaded(f"import mainstem.cli.copying, {ENDS['postgres']}", HEAVY + OF_STREAMS) == "[]"
    others = tuple(name for name in HEAVY if name != "cryptography")  # the driver's own
    assert loaded(f"import {ENDS['mysql']}", others) == "[]"


def test_listing_the_connectors_loads_no_driver() -> None:
    listing = "from mainstem.contract.registry import Registry; Registry.installed()"
    assert loaded(listing, ("psycopg", "pymysql", "sqlglot")) == "[]"
