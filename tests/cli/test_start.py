"""What a command loads, which is most of what it takes to start."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("alembic", "cryptography", "fastapi", "pydantic", "sqlalchemy", "sqlglot")


def test_a_copy_starts_without_what_only_others_need() -> None:
    asked = f"import sys, mainstem.cli.copying; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", asked], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
