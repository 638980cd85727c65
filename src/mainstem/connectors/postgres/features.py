"""What definitions of one PostgreSQL may say that an older one does not know. Source: the versions' release notes."""

from __future__ import annotations

import re

from mainstem.errors import PlanError

_FEATURES = (
    (re.compile(r"\bWITHOUT OVERLAPS\b"), 180_000, "keys WITHOUT OVERLAPS"),
    (re.compile(r"\bPERIOD\b"), 180_000, "foreign keys with PERIOD"),
    (re.compile(r"\bNOT ENFORCED\b"), 180_000, "constraints that are NOT ENFORCED"),
    (re.compile(r"^NOT NULL .* NOT VALID\b"), 180_000, "NOT NULL constraints that are NOT VALID"),
    (re.compile(r"\bNULLS NOT DISTINCT\b"), 150_000, "NULLS NOT DISTINCT"),
    (re.compile(r"\bON DELETE SET (?:NULL|DEFAULT) \("), 150_000, "ON DELETE SET NULL of some columns"),
)
_QUOTED = re.compile(r"\"(?:[^\"]|\"\")*\"|'(?:[^']|'')*'")


def check_known(definition: str, version: int) -> str:
    """The definition, if a server of this version understands it.

    Raises:
        PlanError: it says what only newer ones know.
    """
    plain = _QUOTED.sub("x", definition)
    for pattern, since, what in _FEATURES:
        if version < since and pattern.search(plain):
            raise PlanError(
                f"PostgreSQL {version // 10_000} has no {what}", remedy=f"use PostgreSQL {since // 10_000} or newer"
            )
    return definition
