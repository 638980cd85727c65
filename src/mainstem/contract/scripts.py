"""A script of SQL, cut into statements by the rules of its dialect. Pure; the server is not asked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import sqlglot

_DELIMITER = re.compile(r"^[ \t]*DELIMITER[ \t]+(\S+)[ \t]*$", re.IGNORECASE | re.MULTILINE)
_ROUTINES = {"PROCEDURE", "FUNCTION", "TRIGGER", "EVENT", "PACKAGE"}
_BEFORE_ROUTINE = 40  # CREATE OR REPLACE DEFINER = 'user'@'host' SQL SECURITY … AGGREGATE FUNCTION, and room
_ENDS_OF_OTHERS = {"IF", "LOOP", "WHILE", "REPEAT", "FOR"}
_QUOTES = "'\"`"
_SEMICOLON = ";"


@dataclass(frozen=True, slots=True)
class Word:
    """A token of a script: its text in upper case (empty for what is quoted), and where it stands."""

    text: str
    start: int
    end: int
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Piece:
    """A statement of a script: its text without the delimiter, where it stands in characters, and its words."""

    text: str
    start: int
    end: int
    words: tuple[Word, ...]


def cut(script: str, sql_name: str, *, delimiters: bool = False) -> list[Piece]:
    """The statements of a script, in their order; space alone is none, a comment alone is one without words.

    Where the text ends within quotes, all from that statement on is one, for the server to refuse.

    Args:
        sql_name: the dialect's name in sqlglot.
        delimiters: the client's command DELIMITER is known.
    """
    pieces = []
    for start, end in _cuts(script, sql_name, delimiters=delimiters):
        text = script[start:end]
        lead = len(text) - len(text.lstrip())
        text = text.strip()
        if text:
            pieces.append(Piece(text, start + lead, start + lead + len(text), tuple(words(text, sql_name) or ())))
    return pieces


def words(text: str, sql_name: str) -> list[Word] | None:
    """The tokens of a text; None if it ends within quotes or a comment."""
    try:
        tokens = list(sqlglot.tokenize(text, read=sql_name))
    except sqlglot.errors.SqlglotError:
        return None
    found: list[Word] = []
    for token in tokens:
        begin = found[-1].end if found else 0
        rest = text[begin : token.end + 1]
        if found and token.token_type is sqlglot.TokenType.STRING and rest.strip() == token.text:
            # behind CALL, EXPLAIN and the like the library takes all that follows for one text
            inner = words(rest, sql_name)
            if inner is None:
                return None
            found += [Word(one.text, one.start + begin, one.end + begin, one.quoted) for one in inner]
        else:
            quoted = text[token.start] in _QUOTES or token.token_type.name.endswith("STRING")
            found.append(Word("" if quoted else token.text.upper(), token.start, token.end + 1, quoted))
    return found


def place(script: str, offset: int) -> tuple[int, int]:
    """Line and column, from 1, of an offset."""
    before = script[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1


def _cuts(script: str, sql_name: str, *, delimiters: bool) -> Iterator[tuple[int, int]]:
    """Where each piece between two delimiters begins and ends."""
    at, delimiter = 0, _SEMICOLON
    for command in _DELIMITER.finditer(script) if delimiters else ():
        if command.start() < at or words(script[at : command.start()], sql_name) is None:
            continue  # it stands within quotes or a comment
        yield from _pieces(script, at, command.start(), delimiter, sql_name)
        at, delimiter = command.end(), command[1]
    yield from _pieces(script, at, len(script), delimiter, sql_name)


def _pieces(script: str, start: int, end: int, delimiter: str, sql_name: str) -> Iterator[tuple[int, int]]:
    text = script[start:end]
    found = words(text, sql_name)
    if found is None:
        yield from _until_torn(text, start, delimiter, sql_name)
        return
    ends = _semicolons(found) if delimiter == _SEMICOLON else _delimiters(text, found, delimiter)
    at = 0
    for stop in ends:
        yield start + at, start + stop
        at = stop + len(delimiter)
    yield start + at, end


def _until_torn(text: str, start: int, delimiter: str, sql_name: str) -> Iterator[tuple[int, int]]:
    """The pieces of a text that ends within quotes: what is whole in front of them, then all that is left."""
    end = len(text)
    while (end := text.rfind(delimiter, 0, end)) >= 0:
        if words(text[:end], sql_name) is not None:
            yield from ((start + one, start + two) for one, two in _pieces(text, 0, end, delimiter, sql_name))
            yield start + end + len(delimiter), start + len(text)
            return
    yield start, start + len(text)


def _semicolons(found: list[Word]) -> Iterator[int]:
    """Where semicolons end a statement: not those between BEGIN and END of a routine."""
    first = depth = 0
    for number, word in enumerate(found):
        if word.text == _SEMICOLON:
            if depth == 0:
                first = number + 1
                yield word.start
        elif depth or word.text == "BEGIN":
            depth = max(0, depth + _deeper(found, first, number))


def _deeper(found: list[Word], first: int, number: int) -> int:
    """By how many blocks a word leads deeper into a routine's body, or out of it."""
    word = found[number].text
    following = found[number + 1].text if number + 1 < len(found) else ""
    if word == "BEGIN":
        head = [one.text for one in found[first : min(number, first + _BEFORE_ROUTINE)]]
        block = following in {"ATOMIC", "NOT"} if not head else head[0] == "CREATE" and bool(_ROUTINES & set(head))
        return int(block)
    if word == "CASE":
        return int(number == first or found[number - 1].text != "END")
    return -int(word == "END" and following not in _ENDS_OF_OTHERS)


def _delimiters(text: str, found: list[Word], delimiter: str) -> Iterator[int]:
    """Where another delimiter than the semicolon stands outside of quotes and comments."""
    closed = _closed(text, found)
    at = text.find(delimiter)
    while at >= 0:
        within = next((end for start, end in closed if start <= at < end), None)
        if within is None:
            yield at
            within = at + len(delimiter)
        at = text.find(delimiter, within)


def _closed(text: str, found: list[Word]) -> list[tuple[int, int]]:
    """Quoted words, and the comments, which are all that lies between words beside space."""
    ranges, at = [], 0
    for word in found:
        if text[at : word.start].strip():
            ranges.append((at, word.start))
        if word.quoted:
            ranges.append((word.start, word.end))
        at = word.end
    if text[at:].strip():
        ranges.append((at, len(text)))
    return ranges
