"""`mainstem.native.loaddata` in plain Python: slow on purpose, short, and its specification."""

from __future__ import annotations

import math
import re
import struct
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from mainstem.native.ops import LoadForm, LoadOp, Refusal

Cell = bytes | None
FLOAT_MAX = struct.unpack("<f", b"\xff\xff\x7f\x7f")[0]
IN_FILE = {0: b"\\0", 9: b"\\t", 10: b"\\n", 92: b"\\\\"}
IN_LITERAL = {0: b"\\0", 39: b"\\'", 92: b"\\\\"}
NULLS = {LoadForm.FILE: b"\\N", LoadForm.LITERALS: b"NULL", LoadForm.PARAMETERS: b"\1"}
DATE = re.compile(rb"\d{4}-..-..(?: .{7,}\d)?", re.DOTALL)
SPECIAL_DATE = re.compile(rb"-?infinity.*|\d{5,}-.*|\d{4}-.* BC", re.DOTALL)
SPECIAL_NUMBER = re.compile(rb"NaN.*|-?Infinity.*", re.DOTALL)
UUID = re.compile(rb"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class RefusedError(Exception):
    """A cell that cannot be written; the argument is the `Refusal`."""


@dataclass(frozen=True)
class Rules:
    ops: Sequence[LoadOp]
    lengths: Sequence[int]
    required: Sequence[int]
    special_values: str
    form: LoadForm


@dataclass
class Written:
    payload: bytes = b""
    refused: list[tuple[int, int, Refusal]] = field(default_factory=list)
    coerced: Counter[tuple[int, str]] = field(default_factory=Counter)


def write(rows: Sequence[Sequence[Cell]], rules: Rules) -> Written:
    """Rows as the encoder should write them."""
    result = Written()
    for index, row in enumerate(rows):
        line, coerced = [], Counter[tuple[int, str]]()
        try:
            for column, cell in enumerate(row):
                text, what = _cell(cell, column, rules)
                line.append(text)
                coerced[column, what] += bool(what)
        except RefusedError as refusal:
            result.refused.append((index, column, refusal.args[0]))
        else:
            result.payload += _row(line, rules.form)
            result.coerced += coerced
    return result


def _row(cells: Sequence[bytes], form: LoadForm) -> bytes:
    match form:
        case LoadForm.LITERALS:
            return b"(" + b",".join(cells) + b"),"
        case LoadForm.PARAMETERS:
            return b"".join(cells)
    return b"\t".join(cells) + b"\n"


def _cell(cell: Cell, column: int, rules: Rules) -> tuple[bytes, str]:
    what = ""
    if cell is not None:
        try:
            if (
                rules.form is LoadForm.PARAMETERS
                and rules.ops[column] is LoadOp.FLOAT
                and rules.lengths[column] in (4, 8)
            ):
                return b"\0" + _ieee(cell, rules.lengths[column]), ""
            text = _value(cell, rules.ops[column], rules.lengths[column])
            no_label = rules.ops[column] is LoadOp.ENUM and not cell and rules.lengths[column]
            return _spelled(text, rules.ops[column], rules.form), "no_label" if no_label else ""
        except RefusedError as refusal:
            if refusal.args[0] is not Refusal.SPECIAL_VALUE or rules.special_values == "error":
                raise
            what = "special_value_null"
    if column in rules.required:
        raise RefusedError(Refusal.NULL_VALUE)
    return NULLS[rules.form], what


def _spelled(text: bytes, op: LoadOp, form: LoadForm) -> bytes:
    literals = form is LoadForm.LITERALS
    if form is LoadForm.PARAMETERS:
        return b"\0" + _length(len(text)) + text
    if literals and op is LoadOp.DIGITS:
        return text
    if literals and op in (LoadOp.HEX, LoadOp.UUID_HEX, LoadOp.GEOMETRY):
        return b"x'" + text + b"'"
    escapes = IN_LITERAL if literals else IN_FILE
    escaped = b"".join(escapes.get(byte, bytes([byte])) for byte in text)
    return b"'" + escaped + b"'" if literals else escaped


def _length(size: int) -> bytes:
    """Source: MySQL Internals, "Length-Encoded Integer"."""
    if size < 251:
        return bytes([size])
    head, width = next((head, width) for head, width in ((252, 2), (253, 3), (254, 8)) if size < 1 << 8 * width)
    return bytes([head]) + size.to_bytes(width, "little")


def _value(cell: bytes, op: LoadOp, length: int) -> bytes:
    match op:
        case LoadOp.TEXT | LoadOp.ENUM:
            return cell
        case LoadOp.DIGITS:
            return cell if re.fullmatch(rb"-?[0-9]+", cell) else _refuse(Refusal.MALFORMED)
        case LoadOp.DECIMAL:
            return _refuse(Refusal.SPECIAL_VALUE) if SPECIAL_NUMBER.fullmatch(cell) else cell
        case LoadOp.FLOAT:
            return _float(cell, any_digits=length != 0)
        case LoadOp.DATE:
            return _date(cell, length)
        case LoadOp.TIME:
            return _cut(cell, length)
        case LoadOp.HEX:
            return cell.hex().encode()
        case LoadOp.UUID_HEX:
            return cell.replace(b"-", b"") if UUID.fullmatch(cell) else _refuse(Refusal.MALFORMED)
        case LoadOp.GEOMETRY:
            known = len(cell) >= 9 and cell[4] == 1 and cell[6:9] == bytes(3) and 1 <= cell[5] <= 7
            return cell.hex().encode() if known else _refuse(Refusal.MALFORMED)


def _ieee(cell: bytes, length: int) -> bytes:
    if len(cell) != length:
        return _refuse(Refusal.MALFORMED)
    (value,) = struct.unpack("<d" if length == 8 else "<f", cell)
    return cell if math.isfinite(value) else _refuse(Refusal.SPECIAL_VALUE)


def _refuse(why: Refusal) -> bytes:
    raise RefusedError(why)


def _date(cell: bytes, length: int) -> bytes:
    if not DATE.fullmatch(cell):
        return _refuse(Refusal.SPECIAL_VALUE if SPECIAL_DATE.fullmatch(cell) else Refusal.MALFORMED)
    if length >= 0:
        return _cut(cell, length)
    return _refuse(Refusal.TOO_FINE) if re.search(rb"[1-9]", cell[10:]) else cell[:10]


def _cut(cell: bytes, digits: int) -> bytes:
    whole, point, fraction = cell.partition(b".")
    if len(fraction) <= digits or not point:
        return cell
    kept = whole + point + fraction[:digits] if digits else whole
    return kept if kept and not re.search(rb"[1-9]", cell[len(kept) :]) else _refuse(Refusal.TOO_FINE)


def _float(cell: bytes, *, any_digits: bool) -> bytes:
    form, least = {8: ("<d", 15), 4: ("<f", 6)}.get(len(cell), ("", 0))
    if not form:
        return _refuse(Refusal.MALFORMED)
    (value,) = struct.unpack(form, cell)
    if not math.isfinite(value):
        return _refuse(Refusal.SPECIAL_VALUE)
    most = 9 if form == "<f" and abs(value) <= 3.402e38 else 17
    texts = [f"{value:.{digits}g}" for digits in range(most if any_digits else least, most + 1)]
    return next((text for text in texts if _reads_back(form, text, cell)), texts[-1]).encode()


def _reads_back(form: str, text: str, cell: bytes) -> bool:
    value = float(text)
    if form == "<f" and abs(value) > FLOAT_MAX:
        return False
    return math.isfinite(value) and struct.pack(form, value) == cell
