"""Neutral expressions as PostgreSQL's SQL."""

from __future__ import annotations

from sqlglot import ErrorLevel, exp
from sqlglot.errors import SqlglotError

from mainstem.contract.dialect import ColumnType, Use
from mainstem.errors import PlanError


def render(tree: exp.Expr, use: Use, wanted: ColumnType | None) -> str:
    """The SQL; `PlanError` when PostgreSQL cannot say it."""
    try:
        return tree.sql("postgres", identify=True, unsupported_level=ErrorLevel.RAISE)
    except SqlglotError as exc:
        raise PlanError(f"the expression cannot be written for PostgreSQL: {exc}") from exc
