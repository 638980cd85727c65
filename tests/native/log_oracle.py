"""What the decoder of PostgreSQL's log has to do, in plain Python; also how the server writes it."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

import copy_oracle
from copy_oracle import Cell

from mainstem.errors import WireError
from mainstem.model.change import Op
from mainstem.native.ops import CopyOp, LogOp

HEAD = b"w" + bytes(24)
UNCHANGED = "unchanged"
Sent = bytes | str | None
"""A column of a tuple: its text, null, or `UNCHANGED`."""
Event = tuple[Op, int, list[Cell], frozenset[int], list[Cell] | None]
"""Operation, number, the row, the columns that were not sent, and the identity."""


@dataclass(frozen=True, slots=True)
class Table:
    """How a table's tuples are read: see `native.changerows`."""

    oid: int
    width: int
    after: int
    ops: Sequence[LogOp]
    parameters: Sequence[int]
    sources: Sequence[int]
    since: int = 0


def tuple_data(cells: Sequence[Sent]) -> bytes:
    """TupleData."""
    out = struct.pack("!h", len(cells))
    for cell in cells:
        if cell is None:
            out += b"n"
        elif isinstance(cell, str):
            out += b"u"
        else:
            out += b"t" + struct.pack("!i", len(cell)) + cell
    return out


def change(op: Op, oid: int, new: Sequence[Sent] | None, old: tuple[bytes, Sequence[Sent]] | None) -> bytes:
    """An Insert, Update or Delete message."""
    letter = {Op.INSERT: b"I", Op.UPDATE: b"U", Op.DELETE: b"D"}[op]
    out = letter + struct.pack("!I", oid)
    if old is not None:
        out += old[0] + tuple_data(old[1])
    return out + (b"" if new is None else b"N" + tuple_data(new))


def begin(lsn: int) -> bytes:
    """A Begin message."""
    return b"B" + struct.pack("!QqI", lsn, 1, 7)


def commit(lsn: int) -> bytes:
    """A Commit message."""
    return b"C" + struct.pack("!BQQq", 0, lsn, lsn + 8, 2)


def streamed(message: bytes, xid: int) -> bytes:
    """As it stands in a transaction that has not ended."""
    return message[:1] + struct.pack("!I", xid) + message[1:]


@dataclass
class Log:
    """Decodes messages one after another."""

    tables: dict[int, Table]
    events: dict[int, list[Event]] = field(default_factory=dict)
    lsn: int | None = None
    number: int = 0

    def message(self, data: bytes) -> None:
        letter, body = data[:1], data[1:]
        if letter == b"B":
            if len(data) != 21 or self.lsn is not None:
                raise WireError("a bad Begin")
            (self.lsn,) = struct.unpack_from("!Q", body)
        elif letter == b"C":
            if len(data) != 26 or self.lsn is None:
                raise WireError("a bad Commit")
            self.lsn = None
        elif letter in (b"I", b"U", b"D"):
            self.change(letter, body)

    def change(self, letter: bytes, body: bytes) -> None:
        if self.lsn is None or len(body) < 5:
            raise WireError("outside of a transaction, or too short")
        table = self.tables.get(struct.unpack_from("!I", body)[0])
        if table is None:
            raise WireError("of no known table")
        if self.lsn < table.since:
            return
        op = {b"I": Op.INSERT, b"U": Op.UPDATE, b"D": Op.DELETE}[letter]
        reader, old, new, whole = _Reader(body[4:], table.width), None, None, False
        if op is not Op.INSERT and body[4:5] in (b"K", b"O"):
            whole = reader.letter() == b"O"
            old = reader.cells()
        if op is Op.DELETE and old is None:
            raise WireError("a Delete of nothing")
        if op is not Op.DELETE:
            if reader.letter() != b"N":
                raise WireError("no new tuple")
            new = reader.cells()
        reader.end()
        self.events.setdefault(table.oid, []).append(self._event(table, op, new, old, whole))
        self.number += 1

    def _event(self, table: Table, op: Op, new: list[Sent] | None, old: list[Sent] | None, whole: bool) -> Event:
        after: list[Cell] = [None] * table.after
        absent = set()
        for column in range(table.after if new is not None else 0):
            assert new is not None
            if table.sources[column] < 0:
                raise WireError("not sent")
            cell = new[table.sources[column]]
            if cell == UNCHANGED and whole and old is not None:
                cell = old[table.sources[column]]
            if cell == UNCHANGED:
                absent.add(column)
            else:
                after[column] = _cell(cell, table.ops[column], table.parameters[column])
        if op is Op.INSERT:
            return op, self.number, after, frozenset(absent), None
        tuple_ = old if old is not None else new
        assert tuple_ is not None
        before: list[Cell] = []
        for column in range(table.after, len(table.ops)):
            source = table.sources[column]
            if source < 0 or tuple_[source] == UNCHANGED:
                raise WireError("no identity")
            before.append(_cell(tuple_[source], table.ops[column], table.parameters[column]))
        return op, self.number, after, frozenset(absent), before


class _Reader:
    def __init__(self, data: bytes, width: int) -> None:
        self._data = data
        self._width = width

    def _take(self, size: int) -> bytes:
        if len(self._data) < size:
            raise WireError("too short")
        found, self._data = self._data[:size], self._data[size:]
        return found

    def letter(self) -> bytes:
        return self._take(1)

    def cells(self) -> list[Sent]:
        if int.from_bytes(self._take(2)) != self._width:
            raise WireError("another width")
        return [self._cell() for _ in range(self._width)]

    def _cell(self) -> Sent:
        kind = self._take(1)
        if kind == b"t":
            return self._take(int.from_bytes(self._take(4)))
        if kind not in (b"n", b"u"):
            raise WireError("an unknown kind")
        return None if kind == b"n" else UNCHANGED

    def end(self) -> None:
        if self._data:
            raise WireError("too long")


def _cell(cell: Sent, op: LogOp, parameter: int) -> Cell:
    if cell is None:
        return None
    assert isinstance(cell, bytes)
    if op is LogOp.TEXT:
        return cell
    if op is LogOp.INSTANT:
        return instant(cell)
    if op is LogOp.MONEY:
        return money(cell, parameter)
    if op is LogOp.BYTEA:
        cell = b"\\" + cell
    return copy_oracle.decode_cell(cell, CopyOp(op))


def instant(cell: bytes) -> bytes:
    """Without the offset."""
    if cell in (b"infinity", b"-infinity"):
        return cell
    found = re.fullmatch(rb"(.*)\+00( BC)?", cell, re.S)
    if found is None:
        raise WireError("no offset")
    return found[1] + (found[2] or b"")


def money(cell: bytes, scale: int) -> bytes:
    """As a number with so many digits behind the point."""
    if not cell or len(cell) >= 45 or not re.fullmatch(rb"-?[$,.0-9]*", cell):
        raise WireError("not an amount")
    digits = re.sub(rb"[^0-9]", b"", cell) or b"0"
    sign = b"-" if cell.startswith(b"-") else b""
    return sign + _pointed(digits.decode(), scale).encode()


def _pointed(digits: str, scale: int) -> str:
    padded = digits.lstrip("0").zfill(scale + 1)
    return f"{padded[: len(padded) - scale]}.{padded[-scale:]}" if scale else padded
