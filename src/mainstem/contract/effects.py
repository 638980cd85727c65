"""What a statement is there for, as far as its words tell. Pure; the server is not asked.

It serves the question that a user is asked before a statement runs. It guards nothing by itself: a function that a
SELECT calls may do anything. What a read-only connection does is decided by the server.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from mainstem.contract.scripts import Piece, cut
from mainstem.errors import InvalidError

_RUN_COMMENT = re.compile(r"/\*M?!")


class Effect(StrEnum):
    """What a statement is there for, from the mildest on."""

    READ = "read"
    SESSION = "session"
    WRITE = "write"
    DESTROY = "destroy"


@dataclass(frozen=True, slots=True)
class Grammar:
    """What of a system's SQL differs.

    Attributes:
        sql_name: the dialect's name in sqlglot.
        delimiters: the client's command DELIMITER is known.
        runs_comments: the server runs what stands in ``/*! … */``.
        schema_is: what CREATE SCHEMA makes.
        into_writes: SELECT … INTO makes a table.
        harmless: first words that a statement of a read-only connection may have.
        harmful: words that it must not hold unquoted: what they do is no matter of transactions.
    """

    sql_name: str
    delimiters: bool
    runs_comments: bool
    schema_is: str
    into_writes: bool
    harmless: frozenset[str]
    harmful: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a script.

    Attributes:
        text: without the delimiter behind it.
        start, end: where it stands in the script, in characters (code points).
        verb: its first word, upper case.
        warning: what is at stake, for people; empty for what reads.
        objects: what it makes, changes or takes away: ``database``, ``schema``, ``table``.
        harmless: a read-only connection may try it.
    """

    text: str
    start: int
    end: int
    verb: str
    effect: Effect
    warning: str
    objects: frozenset[str]
    harmless: bool


_READS = {"SELECT", "WITH", "VALUES", "TABLE", "SHOW", "EXPLAIN", "DESCRIBE", "DESC", "HELP", "FETCH", "CHECKSUM", "("}
_SESSION = {
    "SET", "RESET", "USE", "BEGIN", "START", "COMMIT", "ROLLBACK", "END", "ABORT", "SAVEPOINT", "RELEASE", "PREPARE",
    "DEALLOCATE", "DECLARE", "CLOSE", "MOVE", "LISTEN", "UNLISTEN", "DISCARD", "LOCK", "UNLOCK", "XA",
}  # fmt: skip
_GLOBALLY = {"GLOBAL", "PERSIST", "PASSWORD", "MASTER", "REPLICA", "SLAVE"}
_DESTROYS = {
    "DROP": "takes away what it names, with all that is in it",
    "TRUNCATE": "deletes every row",
    "ALTER": "changes a definition; columns that it drops are lost with their values",
    "RENAME": "what uses the old name no longer finds it",
    "PURGE": "deletes logs that replicas may still need",
    "SHUTDOWN": "stops the server",
    "REASSIGN": "gives away everything that a role owns",
}
_WRITES = {
    "INSERT": "adds rows",
    "REPLACE": "adds rows, and deletes those that have the same key",
    "UPDATE": "changes rows",
    "DELETE": "deletes rows",
    "MERGE": "adds, changes or deletes rows",
    "COPY": "may add rows, or write a file on the server",
    "LOAD": "adds rows",
    "CREATE": "makes something new",
    "GRANT": "changes rights",
    "REVOKE": "changes rights",
    "CALL": "runs a procedure, which may change data",
    "DO": "runs code, which may change data",
    "EXECUTE": "runs a prepared statement, which may change data",
    "KILL": "ends what another session does",
}
_EVERY_ROW = {
    "DELETE": "deletes every row: it has no WHERE",
    "UPDATE": "changes every row: it has no WHERE",
}
_CHANGES = ("DELETE", "UPDATE", "INSERT", "MERGE", "REPLACE")
_MAKES = {"CREATE", "DROP", "ALTER", "RENAME"}
_OPTIONS_OF_EXPLAIN = 8
_ORDER = list(Effect)


def statements(script: str, grammar: Grammar) -> list[Statement]:
    """The statements of a script, in their order; comments alone are none."""
    pieces = cut(script, grammar.sql_name, delimiters=grammar.delimiters)
    found = [_statement(piece, grammar) for piece in pieces]
    return [one for one, piece in zip(found, pieces, strict=True) if piece.words or one.effect is not Effect.READ]


def only_statement(script: str, grammar: Grammar) -> Statement:
    """The one statement of a script; `InvalidError` if it has none or several."""
    found = statements(script, grammar)
    if len(found) != 1:
        told = f"must be one statement, and has {len(found) or 'none'}"
        raise InvalidError(f"invalid data: query {told}", fields={"query": told}, remedy="send one statement")
    return found[0]


def _statement(piece: Piece, grammar: Grammar) -> Statement:
    texts = [word.text for word in piece.words]
    effect, warning = _effect(texts, grammar) if texts else _without_words(piece.text, grammar)
    runs_comment = grammar.runs_comments and _RUN_COMMENT.search(piece.text) is not None
    if runs_comment and _ORDER.index(effect) < _ORDER.index(Effect.WRITE):
        effect, warning = Effect.WRITE, "has a comment that the server runs"
    begins = next((text for text in texts if text != "("), "")
    harmless = begins in grammar.harmless and not runs_comment and not grammar.harmful & set(texts)
    verb = begins if texts[:1] == ["("] else texts[0] if texts else ""
    return Statement(piece.text, piece.start, piece.end, verb, effect, warning, _objects(texts, grammar), harmless)


def _without_words(text: str, grammar: Grammar) -> tuple[Effect, str]:
    """A comment alone does nothing; what could not be cut into words may do anything."""
    comment = text.startswith(("--", "/*", "#" if grammar.delimiters else "--"))
    return (Effect.READ, "") if comment else (Effect.WRITE, "cannot be read to its end; it may change data")


def _effect(texts: list[str], grammar: Grammar) -> tuple[Effect, str]:
    verb = texts[0]
    if verb in _DESTROYS:
        return Effect.DESTROY, _DESTROYS[verb]
    if verb in _SESSION and texts[1:2] != ["NOT"]:
        changes_server = any(text.lstrip("@").split(".")[0] in _GLOBALLY for text in texts[1:])
        return (Effect.WRITE, "changes the server, not only this session") if changes_server else (Effect.SESSION, "")
    if verb == "ANALYZE" and "SELECT" in texts:
        return Effect.READ, ""
    if verb in _READS:
        return _of_reading(texts, grammar)
    if verb in _EVERY_ROW and "WHERE" not in texts:
        return Effect.DESTROY, _EVERY_ROW[verb]
    return Effect.WRITE, _WRITES.get(verb, "may change data")


def _of_reading(texts: list[str], grammar: Grammar) -> tuple[Effect, str]:
    """What begins like a question and may be none: WITH … DELETE, EXPLAIN ANALYZE UPDATE, SELECT … INTO."""
    if texts[0] == "EXPLAIN" and not {"ANALYZE", "ANALYSE"} & set(texts[:_OPTIONS_OF_EXPLAIN]):
        return Effect.READ, ""
    if texts[0] in {"WITH", "EXPLAIN"}:
        changes = [text for number, text in enumerate(texts) if text in _CHANGES and _begins(texts, number)]
        if changes:
            every = changes[0] in _EVERY_ROW and "WHERE" not in texts
            return (Effect.DESTROY, _EVERY_ROW[changes[0]]) if every else (Effect.WRITE, _WRITES[changes[0]])
    if "INTO" in texts and (grammar.into_writes or grammar.harmful & set(texts)):
        return Effect.WRITE, "writes what it selects into something new"
    return Effect.READ, ""


def _begins(texts: list[str], number: int) -> bool:
    """Whether a statement begins at this word: not FOR UPDATE, ON DELETE, the function REPLACE, or a column's name."""
    before = texts[number - 1] if number else ""
    following = texts[number + 1] if number + 1 < len(texts) else ""
    return before not in {"FOR", "ON", "KEY", ".", ","} and following not in {"(", ",", "."}


def _objects(texts: list[str], grammar: Grammar) -> frozenset[str]:
    if not texts or texts[0] not in _MAKES:
        return frozenset()
    kinds = {"DATABASE": "database", "SCHEMA": grammar.schema_is}
    return frozenset({next((kinds[text] for text in texts[1:4] if text in kinds), "table")})
