"""What a statement in the binary log is about, by its first words and the names behind them. Pure.

This is no grammar of SQL: the catalog is asked what a statement has done. Only what no catalog tells (that rows went
without row events) is taken from the words. A statement that is not known here is one that may have changed tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise

from mainstem.connectors.mysql.alter_clauses import NO_CLAUSES, Clauses, clauses
from mainstem.model.names import TableId


class What(StrEnum):
    """Kinds of statement, as far as a reader of the log cares.

    CREATE, ALTER and OTHER may have changed the structure of tables; REPLACED also took rows away, or put others in
    their place, of which no row event tells; DML changed rows as a statement.
    """

    BEGIN = "begin"
    COMMIT = "commit"
    ROLLBACK = "rollback"
    SAVEPOINT = "savepoint"
    ROLLBACK_TO = "rollback_to"
    XA = "xa"
    DML = "dml"
    NOTHING = "nothing"
    TRUNCATE = "truncate"
    DROP = "drop"
    RENAME = "rename"
    REPLACED = "replaced"
    CREATE = "create"
    ALTER = "alter"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement.

    Attributes:
        name: of a savepoint, of a database that is dropped; of XA the word behind it (``START``, ``COMMIT`` …) and its
            xid: ``COMMIT X'61',X'62',1``.
        tables: those that are truncated, dropped, replaced, made or altered, as far as they can be read; with NOTHING
            one that is made as a temporary one.
        careful: CREATE TABLE IF NOT EXISTS.
        clauses: of an ALTER TABLE, also one that renames its table.
        renamed: old and new name, one pair after the other.
        words: all words and names in it, in lower case; None when it is too long to be looked through.
    """

    what: What
    name: str = ""
    tables: tuple[TableId, ...] = ()
    renamed: tuple[tuple[TableId, TableId], ...] = ()
    words: frozenset[str] | None = frozenset()
    careful: bool = False
    clauses: Clauses = NO_CLAUSES

    def about(self, table: TableId) -> bool:
        """Whether it may have changed this table's structure."""
        if self.what in (What.CREATE, What.ALTER, What.REPLACED) and self.tables:
            return table in self.tables
        if self.what is What.RENAME and self.renamed:
            return any(table in pair for pair in self.renamed)
        return self.names(table.name)

    def names(self, name: str) -> bool:
        """Whether it may be about something of this name."""
        return self.words is None or name.lower() in self.words


_TOKEN = re.compile(
    r"""\s+ | /\*M?!\d* | \*/ | /\*.*?(?:\*/|\Z) | --(?:[ \t\x00-\x1f].*?)?(?:\n|\Z) | \#.*?(?:\n|\Z)
    | (?P<quoted>`(?:[^`]|``)*`|"(?:[^"]|"")*")
    | (?P<string>'(?:[^'\\]|''|\\.)*')
    | (?P<word>[\w$\u0080-\U0010ffff]+)
    | (?P<other>.)""",
    re.X | re.S,
)
# What a server writes when it finds a table of engine MEMORY without the rows that it had before a restart.
_EMPTIED = re.compile(r"DELETE FROM `((?:[^`]|``)+)`\.`((?:[^`]|``)+)`(?:\s*/\*.*\*/)?\s*", re.S)
_SIMPLE = {
    "BEGIN": What.BEGIN,
    "COMMIT": What.COMMIT,
    # A SELECT is logged for a function that it called, which changes rows.
    **dict.fromkeys(("INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD", "CALL", "WITH", "DO", "SELECT"), What.DML),
    # What these do to rows or structure of tables is nothing, or comes as row events.
    **dict.fromkeys(
        ("GRANT", "REVOKE", "FLUSH", "KILL", "USE", "LOCK", "UNLOCK", "HANDLER", "CHECK", "CHECKSUM",
         "OPTIMIZE", "INSTALL", "UNINSTALL", "PURGE", "RESET", "CHANGE", "BINLOG", "SHUTDOWN", "SHOW", "RELEASE"),
        What.NOTHING,
    ),
}  # fmt: skip
_MOVES_ROWS = ("DROP", "TRUNCATE", "EXCHANGE", "CONVERT", "DISCARD", "IMPORT")
_BEFORE_TABLE = frozenset({"TABLE", "TABLES", "IF", "EXISTS", "NOT", "ONLINE", "OFFLINE", "IGNORE"})
_PASSED = {What.NOTHING, What.SAVEPOINT, What.ROLLBACK, What.ROLLBACK_TO, What.XA}
_LONGEST_READ = 1024 * 1024


def read(text: str, database: str, *, folds: bool = False) -> Statement:
    """What a statement is about.

    Args:
        database: of names without one.
        folds: the server keeps names in lower case (``lower_case_table_names``).
    """
    if text in ("BEGIN", "COMMIT"):  # nearly all
        return Statement(What(text.lower()))
    emptied = _EMPTIED.fullmatch(text)
    if emptied is not None:
        table = TableId(*(_folded(emptied[part].replace("``", "`"), folds) for part in (1, 2)))
        return Statement(What.TRUNCATE, tables=(table,), words=frozenset({table.schema.lower(), table.name.lower()}))
    tokens = _Tokens(text[:_LONGEST_READ], database, folds)
    statement = _first(tokens)
    if statement.what in _PASSED:
        return statement
    return replace(statement, words=tokens.words() if len(text) <= _LONGEST_READ else None)


def _first(tokens: _Tokens) -> Statement:
    """By the first word, and those behind it."""
    first = tokens.word()
    reader = _READERS.get(first)
    return reader(tokens) if reader is not None else Statement(_SIMPLE.get(first, What.OTHER))


class _Tokens:
    """The words, names and signs of a statement, one after the other; comments are left out."""

    def __init__(self, text: str, database: str, folds: bool) -> None:
        self._left = list(_tokens(text))
        self._at = 0
        self._folds = folds
        self._database = _folded(database, folds)

    def words(self) -> frozenset[str]:
        """All words and names, in lower case."""
        return frozenset(
            (text if plain else text[1:-1].replace(text[0] * 2, text[0])).lower()
            for text, plain in self._left
            if plain or text[0] in '`"'
        )

    def peek(self) -> str:
        """The next word in upper case; empty when the next is none."""
        if self._at >= len(self._left):
            return ""
        text, plain = self._left[self._at]
        return text.upper() if plain else ""

    def word(self) -> str:
        """The same, and pass it."""
        word = self.peek()
        if word:
            self._at += 1
        return word

    def take(self, *words: str) -> bool:
        """Pass these words if they stand here."""
        before = self._at
        for word in words:
            if self.word() != word:
                self._at = before
                return False
        return True

    def sign(self, sign: str) -> bool:
        """Pass a sign if it stands here."""
        if self._at < len(self._left) and self._left[self._at] == (sign, False):
            self._at += 1
            return True
        return False

    def name(self) -> str:
        """A name, quoted or not; empty when there is none."""
        if self._at >= len(self._left):
            return ""
        text, plain = self._left[self._at]
        if plain:
            self._at += 1
            return text
        if text[0] in '`"':
            self._at += 1
            return text[1:-1].replace(text[0] * 2, text[0])
        return ""

    def folded(self, name: str) -> str:
        """A name as the server keeps it."""
        return _folded(name, self._folds)

    def table(self) -> TableId | None:
        """``name`` or ``database.name``."""
        first = self.folded(self.name())
        if not first:
            return None
        if not self.sign("."):
            return TableId(self._database, first)
        second = self.folded(self.name())
        return TableId(first, second) if second else None

    def tables(self) -> tuple[TableId, ...]:
        """A list with commas."""
        found = []
        while (table := self.table()) is not None:
            found.append(table)
            if not self.sign(","):
                break
        return tuple(found)

    def skip(self, words: frozenset[str]) -> None:
        """Pass any of these."""
        while self.peek() in words:
            self._at += 1

    def seek(self, word: str) -> bool:
        """Pass all up to and with this word; False, and pass nothing, if it does not come."""
        for at in range(self._at, len(self._left)):
            text, plain = self._left[at]
            if plain and text.upper() == word:
                self._at = at + 1
                return True
        return False

    def left(self) -> list[tuple[str, bool]]:
        """What is left as it stands there, each with whether it is a word."""
        return self._left[self._at :]

    def rest(self) -> list[str]:
        """The words that are left, in upper case."""
        return [text.upper() for text, plain in self._left[self._at :] if plain]

    def raw(self) -> str:
        """What is left, without spaces."""
        return "".join(text for text, _ in self._left[self._at :])


def _folded(name: str, folds: bool) -> str:
    return name.lower() if folds else name


def _tokens(text: str) -> Iterator[tuple[str, bool]]:
    for found in _TOKEN.finditer(text):
        if found.lastgroup is not None:
            yield found[0], found.lastgroup == "word"


def _start(tokens: _Tokens) -> Statement:
    return Statement(What.BEGIN if tokens.peek() == "TRANSACTION" else What.NOTHING)


def _rollback(tokens: _Tokens) -> Statement:
    tokens.take("WORK")
    if not tokens.take("TO"):
        return Statement(What.ROLLBACK)
    tokens.take("SAVEPOINT")
    return Statement(What.ROLLBACK_TO, tokens.name())


def _xa(tokens: _Tokens) -> Statement:
    verb = tokens.word()
    return Statement(What.XA, f"{verb} {tokens.raw()}")


def _truncate(tokens: _Tokens) -> Statement:
    tokens.take("TABLE")
    return Statement(What.TRUNCATE, tables=tokens.tables())


def _drop(tokens: _Tokens) -> Statement:
    if tokens.take("TEMPORARY"):
        return Statement(What.NOTHING)
    if tokens.take("DATABASE") or tokens.take("SCHEMA"):
        tokens.skip(_BEFORE_TABLE)
        return Statement(What.DROP, tokens.folded(tokens.name()))
    if tokens.take("INDEX"):
        tokens.skip(_BEFORE_TABLE)
        primary = tokens.name().upper() == "PRIMARY"
        table = tokens.table() if primary and tokens.seek("ON") else None
        return Statement(What.ALTER, tables=(table,), clauses=Clauses(keys=True)) if table else Statement(What.NOTHING)
    if tokens.peek() not in ("TABLE", "TABLES"):
        return Statement(What.NOTHING)  # of an index, a view, a user …
    tokens.skip(_BEFORE_TABLE)
    return Statement(What.DROP, tables=tokens.tables())


def _create(tokens: _Tokens) -> Statement:
    replaced = tokens.take("OR", "REPLACE")
    temporary = tokens.take("TEMPORARY")
    if not tokens.take("TABLE"):
        return Statement(What.NOTHING)  # an index, a view, a user …: columns stay what they are
    careful = tokens.take("IF", "NOT", "EXISTS")
    table = tokens.table()
    tables = () if table is None else (table,)
    if temporary:
        return Statement(What.NOTHING, tables=tables)
    return Statement(What.TRUNCATE if replaced else What.CREATE, tables=tables, careful=careful)


def _rename(tokens: _Tokens) -> Statement:
    if not tokens.take("TABLE") and not tokens.take("TABLES"):
        return Statement(What.NOTHING)  # of a user
    tokens.skip(_BEFORE_TABLE)
    pairs = []
    while (old := tokens.table()) is not None:
        while tokens.peek() in ("WAIT", "NOWAIT"):
            tokens.word()
            tokens.name()
        if not tokens.take("TO") or (new := tokens.table()) is None:
            break
        pairs.append((old, new))
        if not tokens.sign(","):
            break
    return Statement(What.RENAME, renamed=tuple(pairs))


def _alter(tokens: _Tokens) -> Statement:
    """Partitions and tablespaces that come or go take their rows with them."""
    ignore = tokens.take("IGNORE") or tokens.take("ONLINE", "IGNORE")  # rows that break a new unique key go
    if not tokens.take("TABLE") and not tokens.take("ONLINE", "TABLE"):
        return Statement(What.NOTHING)  # a view, a user, a database's default character set …
    tokens.skip(_BEFORE_TABLE)
    table = tokens.table()
    tables = () if table is None else (table,)
    said = clauses(tokens.left())
    words = tokens.rest()
    pairs = set(pairwise(words))
    if ignore or any((word, what) in pairs for word in _MOVES_ROWS for what in ("PARTITION", "TABLESPACE")):
        other = tokens.table() if ("EXCHANGE", "PARTITION") in pairs and tokens.seek("TABLE") else None
        return Statement(What.REPLACED, tables=tables if other is None else (*tables, other))
    if ("CONVERT", "TABLE") in pairs and tokens.seek("CONVERT") and tokens.take("TABLE"):  # … TO PARTITION
        other = tokens.table()
        return Statement(What.REPLACED, tables=tables if other is None else (*tables, other))
    while table is not None and tokens.seek("RENAME"):
        if tokens.peek() in ("COLUMN", "INDEX", "KEY"):
            continue
        if not tokens.take("TO"):
            tokens.take("AS")
        new = tokens.table()
        if new is not None:
            return Statement(What.RENAME, renamed=((table, new),), clauses=said)
    return Statement(What.ALTER, tables=tables, clauses=said)


def _set(tokens: _Tokens) -> Statement:
    """``SET STATEMENT variable = value FOR statement``."""
    if tokens.take("STATEMENT") and tokens.seek("FOR"):
        return _first(tokens)
    return Statement(What.NOTHING)


def _analyze(tokens: _Tokens) -> Statement:
    """MariaDB runs the statement that stands behind ``ANALYZE`` or ``ANALYZE FORMAT=JSON``."""
    if tokens.take("FORMAT") and tokens.sign("="):
        tokens.word()
    return Statement(_SIMPLE.get(tokens.word(), What.NOTHING))


_READERS = {
    "ANALYZE": _analyze,
    "START": _start,
    "ROLLBACK": _rollback,
    "SAVEPOINT": lambda tokens: Statement(What.SAVEPOINT, tokens.name()),
    "XA": _xa,
    "TRUNCATE": _truncate,
    "DROP": _drop,
    "CREATE": _create,
    "RENAME": _rename,
    "ALTER": _alter,
    "SET": _set,
}
