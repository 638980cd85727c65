"""Walking sqlglot's trees."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp


def rebuild(node: exp.Expr, change: Callable[[exp.Expr], exp.Expr]) -> exp.Expr:
    """The tree with every node replaced by what ``change`` makes of it, children before parents; in place."""
    for key, value in list(node.args.items()):
        if isinstance(value, exp.Expr):
            node.set(key, rebuild(value, change))
        elif isinstance(value, list):
            node.set(key, [rebuild(item, change) if isinstance(item, exp.Expr) else item for item in value])
    return change(node)
