"""Neutral expressions and queries as MySQL's SQL."""

from __future__ import annotations

from sqlglot import exp

from mainstem.connectors.mysql.traits import Traits
from mainstem.contract.dialect import ColumnType, Use
from mainstem.errors import PlanError


def render(tree: exp.Expr, use: Use, wanted: ColumnType | None, traits: Traits) -> str:
    """The SQL, fit for the wanted column if there is one; `PlanError` when the server cannot say it."""
    raise PlanError(f"{tree.key} syntax has no translation")
