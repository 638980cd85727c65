"""Neutral expressions and queries as PostgreSQL's SQL. Imported when the first is met: the parser is large."""

from mainstem.connectors.postgres.expressions.render import render

__all__ = ["render"]
