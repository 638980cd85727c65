"""What a collation takes for equal, by its name. Pure.

Sources: MySQL manual, "Collation Naming Conventions", "The binary Collation Compared to _bin Collations"; MariaDB
documentation, "NO PAD Collations".
"""

from __future__ import annotations

import re

from mainstem.contract.dialect import Folding

_COLLATE = re.compile(r"\bCOLLATE[ =]+(\w+)", re.IGNORECASE)
_CHARSET = re.compile(r"^(?!uca)([a-z0-9]+)_")


def folding(sql: str, collation: str) -> Folding:
    """Of a column's type text, whose own COLLATE goes before the collation that is known otherwise."""
    written = _COLLATE.search(sql)
    name = (written[1] if written else collation).lower()
    if not name or name == "binary":
        return Folding()
    spaces = "nopad" not in name and "_0900_" not in name
    case = name.endswith("_ci")
    accents = "_as_" not in name and (case or "_ai_" in name)
    return Folding(case=case, accents=accents, spaces=spaces, collation=name)


def folded(column: str, fold: Folding, known: bool) -> str:
    """An expression that is equal for values which the fold takes for equal.

    Args:
        column: quoted.
        known: this server has the collation itself.
    """
    if known:
        charset = _CHARSET.match(fold.collation)
        return f"CONVERT({column} USING {charset[1] if charset else 'utf8mb4'}) COLLATE {fold.collation}"
    if fold.accents:
        return f"CONVERT({column} USING utf8mb4) COLLATE utf8mb4_unicode_ci"
    text = f"CONVERT({column} USING utf8mb4)"
    text = f"LOWER({text})" if fold.case else text
    text = f"TRIM(TRAILING ' ' FROM {text})" if fold.spaces else text
    return f"CAST({text} AS BINARY)" if fold.case or fold.spaces else column
