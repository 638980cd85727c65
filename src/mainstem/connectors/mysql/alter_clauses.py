"""The clauses of an ALTER TABLE after which a column's name no longer stands for the values that it stood for. Pure.

No catalog tells these: a column that was dropped and made again looks as before, and so do two that changed names.
Source: MySQL manual, "ALTER TABLE Statement"; MariaDB manual, "ALTER TABLE".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_NO_COLUMNS = frozenset({
    "INDEX", "KEY", "PRIMARY", "FOREIGN", "CONSTRAINT", "CHECK", "PARTITION", "PERIOD", "SYSTEM",
})  # fmt: skip
_KEYS = ("PRIMARY", "INDEX", "KEY", "CONSTRAINT")
_OPENS, _CLOSES = ("(", False), (")", False)

Word = tuple[str, bool]
"""A word, name or sign as it stands there, and whether it is a word."""


@dataclass(frozen=True, slots=True)
class Clauses:
    """What an ALTER TABLE does to columns that are there; all names in lower case.

    Attributes:
        dropped: columns.
        renamed: old and new name.
        modified: columns that are described anew, under the name that they have.
        converted: all columns get a character set.
        keys: a key goes: the primary one, or an index.
    """

    dropped: frozenset[str] = frozenset()
    renamed: tuple[tuple[str, str], ...] = ()
    modified: frozenset[str] = frozenset()
    converted: bool = False
    keys: bool = False

    @property
    def touched(self) -> frozenset[str]:
        """Columns whose values may be others behind it."""
        return self.dropped | self.modified | {name for pair in self.renamed for name in pair}


NO_CLAUSES = Clauses()


def clauses(words: Sequence[Word]) -> Clauses:
    """What stands behind the table's name in an ALTER TABLE."""
    dropped, modified, renamed = set[str](), set[str](), list[tuple[str, str]]()
    converted = keys = False
    for clause in _divided(words):
        verb = clause[0][0].upper()
        if verb == "CONVERT" and len(clause) > 1 and clause[1][0].upper() == "TO":
            converted = True
        if verb == "DROP" and any(_is(clause, 1, word) for word in _KEYS):
            keys = True
        reader = _READERS.get(verb)
        names = list(reader(clause)) if reader is not None else []
        if verb == "DROP":
            dropped.update(names)
        elif len(names) > 1 and names[0] != names[1]:
            renamed.append((names[0], names[1]))
        else:
            modified.update(names[:1])
    return Clauses(frozenset(dropped), tuple(renamed), frozenset(modified), converted, keys)


def _divided(words: Sequence[Word]) -> Iterator[list[Word]]:
    """Clause by clause: at the commas that are in no brackets."""
    depth, clause = 0, list[Word]()
    for word in words:
        depth += (word == _OPENS) - (word == _CLOSES)
        if word == (",", False) and not depth:
            if clause:
                yield clause
            clause = []
        elif clause or not _is_waiting(word):
            clause.append(word)
    if clause:
        yield clause


def _is_waiting(word: Word) -> bool:
    """``WAIT 5`` or ``NOWAIT`` ahead of the first clause."""
    return word[1] and (word[0].upper() in ("WAIT", "NOWAIT") or word[0].isdigit())


def _dropped(clause: Sequence[Word]) -> Iterator[str]:
    if len(clause) > 1 and (clause[1][0].upper() not in _NO_COLUMNS or not clause[1][1]):
        yield from _names(clause, 1)


def _modified(clause: Sequence[Word]) -> Iterator[str]:
    yield from _names(clause, 1)


def _changed(clause: Sequence[Word]) -> Iterator[str]:
    yield from _names(clause, 2)


def _renamed(clause: Sequence[Word]) -> Iterator[str]:
    if _is(clause, 1, "COLUMN"):
        yield from _names([word for word in clause if word[0].upper() != "TO" or not word[1]], 2)


def _is(clause: Sequence[Word], place: int, word: str) -> bool:
    return len(clause) > place and clause[place][1] and clause[place][0].upper() == word


def _names(clause: Sequence[Word], count: int) -> Iterator[str]:
    """The first names behind the verb, COLUMN and IF EXISTS."""
    place = 1 + _is(clause, 1, "COLUMN")
    if _is(clause, place, "IF") and _is(clause, place + 1, "EXISTS"):
        place += 2
    names = clause[place:]
    while len(names) > 2 and names[1] == (".", False):  # the table's name ahead of the column's
        names = names[2:]
    for text, plain in names[:count]:
        yield (text if plain else text[1:-1].replace(text[0] * 2, text[0])).lower()


_READERS = {"DROP": _dropped, "MODIFY": _modified, "CHANGE": _changed, "RENAME": _renamed}
