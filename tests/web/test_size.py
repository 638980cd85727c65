"""What the home page loads before it can be used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mainstem.api import pages

LIMIT = 300_000
ENTRY, HOME = "index.html", "src/features/home/HomePage.tsx"


def _scripts(manifest: dict[str, Any], name: str, found: set[str]) -> set[str]:
    """The file of a chunk, and of all that it imports at once."""
    chunk = manifest[name]
    if chunk["file"] not in found:
        found.add(chunk["file"])
        for needed in chunk.get("imports", []):
            _scripts(manifest, needed, found)
    return found


def _packed(file: Path) -> int:
    packed = file.with_name(f"{file.name}.gz")
    return (packed if packed.exists() else file).stat().st_size


def test_the_home_page_loads_less_than_300_kb_of_packed_script() -> None:
    manifest = json.loads((pages.FOLDER / ".vite/manifest.json").read_text())
    files = _scripts(manifest, ENTRY, set()) | _scripts(manifest, HOME, set())
    total = sum(_packed(pages.FOLDER / file) for file in files if file.endswith(".js"))
    print(f"\nthe home page's script: {total / 1000:.0f} kB gzipped, in {len(files)} files")
    assert total < LIMIT
