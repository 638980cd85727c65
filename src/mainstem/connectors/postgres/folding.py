"""Expressions that are equal for values which another system's column takes for equal. Pure.

Source: PostgreSQL manual, "String Functions and Operators" (normalize), "Collation Support".
"""

from __future__ import annotations

from mainstem.contract.dialect import Folding

_ACCENTS = "[\u0300-\u036f]"


def folded(column: str, fold: Folding) -> str:
    """The column, folded; near to what the other's collation does, as that is not known here.

    Letters without their accents are what is left of their decomposed form. ``column``: quoted.
    """
    if not (fold.case or fold.accents or fold.spaces):
        return column
    text = f"{column}::text"
    text = f"pg_catalog.rtrim({text}, ' ')" if fold.spaces else text
    if fold.accents:
        text = f"pg_catalog.regexp_replace(pg_catalog.normalize({text}, 'NFKD'), '{_ACCENTS}', '', 'g')"
    return f"pg_catalog.lower({text})" if fold.case else text
