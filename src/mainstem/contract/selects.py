"""Whether a user's query is exactly one SELECT, and a condition exactly one. Pure."""

from __future__ import annotations

import logging

import sqlglot
from sqlglot import exp

from mainstem.errors import InvalidError

_QUERIES = (exp.Select, exp.SetOperation, exp.Subquery)
_FORBIDDEN: tuple[tuple[type[exp.Expr], str], ...] = (
    (exp.Into, "SELECT … INTO writes"),
    (exp.Lock, "FOR UPDATE and FOR SHARE lock rows"),
    (exp.DML, "only SELECT is allowed, also inside WITH"),
    (exp.DDL, "only SELECT is allowed, also inside WITH"),
    (exp.Command, "only SELECT is allowed"),
)
_REMEDY = "write one SELECT (WITH … SELECT, UNION and parentheses are fine) and nothing else"

# It warns about statements that it only half understands; such statements are refused here anyway.
logging.getLogger("sqlglot").addHandler(logging.NullHandler())


def check_select(query: str, sql_name: str) -> None:
    """Raise `InvalidError` unless the text is one SELECT that neither writes nor locks.

    Args:
        sql_name: the dialect's name in sqlglot.
    """
    try:
        tokens = sqlglot.tokenize(query, read=sql_name)
        statements = sqlglot.parse(query, read=sql_name)
    except sqlglot.errors.SqlglotError as exc:
        raise _refused("cannot be parsed") from exc
    comments = [comment for token in tokens for comment in token.comments]
    if any(comment.startswith(("!", "M!")) for comment in comments):
        raise _refused("comments that the server would run are not allowed")
    # MySQL reads "--" as a comment only when a space follows; the parser always does.
    if any(comment and not comment[0].isspace() and f"--{comment}" in query for comment in comments):
        raise _refused("a space must follow the -- of a comment")
    if any(token.token_type is sqlglot.TokenType.SEMICOLON for token in tokens):
        raise _refused("must be one statement without a semicolon")
    if len(statements) != 1 or not isinstance(statements[0], _QUERIES):
        raise _refused("is not one SELECT")
    for kind, reason in _FORBIDDEN:
        if statements[0].find(kind) is not None:
            raise _refused(reason)


def check_condition(condition: str, sql_name: str) -> None:
    """Raise `InvalidError` unless the text is one condition, as it may stand in parentheses behind WHERE.

    Args:
        sql_name: the dialect's name in sqlglot.
    """
    try:
        check_select(f"SELECT 1 FROM t WHERE ({condition}\n)", sql_name)
        commented = any(token.comments for token in sqlglot.tokenize(condition, read=sql_name))
        alone = sqlglot.parse_one(f"SELECT 1 FROM t WHERE {condition}\n", read=sql_name)
    except (InvalidError, sqlglot.errors.SqlglotError) as exc:
        reason = exc.fields["query"] if isinstance(exc, InvalidError) else "cannot be parsed"
        raise _not_one(reason) from exc
    if commented:
        raise _not_one("comments are not allowed in it")
    beside = {name for name, part in alone.args.items() if part} - {"kind", "expressions", "from_", "from", "where"}
    if not isinstance(alone, exp.Select) or beside:
        raise _not_one("something follows it")


def _not_one(reason: str) -> InvalidError:
    return InvalidError(
        f"the condition is refused: {reason}",
        fields={"where": reason},
        remedy="write what could stand behind WHERE, and nothing else",
    )


def _refused(reason: str) -> InvalidError:
    return InvalidError(f"the query is refused: {reason}", fields={"query": reason}, remedy=_REMEDY)
