"""Neutral expressions and queries as MySQL's SQL. Imported when the first is met: the parser is large."""

from mainstem.connectors.mysql.expressions.render import render

__all__ = ["render"]
