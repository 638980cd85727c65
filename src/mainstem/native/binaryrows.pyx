# cython: language_level=3
"""MySQL result-set rows of the binary protocol (prepared statements) → Arrow column buffers.

Why: the server prints each floating-point number at the cost of a whole short row, and with too few digits where it
is a FLOAT; here it sends the bits.

Source: MySQL Internals, "Binary Protocol Resultset Row" and "Binary Protocol Value".
"""

from libc.stdint cimport int32_t, uint8_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from mainstem.native.digits cimport digits as _digits, little, pair, signed_text
from mainstem.native.rows cimport (
    BAD_ROW, BAD_TIME, CELL_CUT, COLUMN_FULL, MAX_COLUMN, MISSING_CELLS, NO_MEMORY, OK, TRAILING_BYTES, Column,
    RowDecoder, reserve,
)

from mainstem.native.ops import Wire

cdef enum:
    # The values of `Wire`.
    BYTES = 0
    INT = 1
    UINT = 2
    YEAR = 3
    FLOAT = 4
    DATE = 5
    DATETIME = 6
    TIME = 7
    NOTHING = 8

    TEXT_SIZE = 40  # more than any number or time needs
    MICROSECONDS = 6


cdef struct Form:
    int wire
    int parameter


cdef size_t _fraction(uint8_t *text, uint32_t micros, int digits) noexcept nogil:
    """The point and so many digits; all six or none where the number is not known."""
    cdef uint8_t[8] six
    if digits > MICROSECONDS:
        digits = MICROSECONDS if micros else 0
    if digits == 0:
        return 0
    _digits(six, micros, MICROSECONDS)
    text[0] = c"."
    memcpy(text + 1, six, digits)
    return digits + 1


cdef int _moment(uint8_t *text, const uint8_t *cell, size_t size, bint date, int digits) noexcept nogil:
    """A date, or a date with a time; its length in text, or -1 where a part is out of range (zeros are within)."""
    cdef uint8_t[11] parts
    cdef uint32_t micros
    cdef size_t at
    if size != 0 and size != 4 and size != 7 and size != 11:
        return -1
    for at in range(11):
        parts[at] = cell[at] if at < size else 0
    micros = <uint32_t> little(parts + 7, 4)
    if (
        parts[0] + 256 * parts[1] > 9999 or parts[2] > 12 or parts[3] > 31 or parts[4] > 23 or parts[5] > 59
        or parts[6] > 59 or micros > 999999
    ):
        return -1
    at = _digits(text, parts[0] + 256 * parts[1], 4)
    at += pair(text + at, c"-", parts[2])
    at += pair(text + at, c"-", parts[3])
    if date:
        return at
    at += pair(text + at, c" ", parts[4])
    at += pair(text + at, c":", parts[5])
    at += pair(text + at, c":", parts[6])
    return at + _fraction(text + at, micros, digits)


cdef int _span(uint8_t *text, const uint8_t *cell, size_t size, int digits) noexcept nogil:
    """A TIME: sign, hours with those of whole days, minutes, seconds; its length in text, or -1."""
    cdef uint8_t[12] parts
    cdef uint32_t days
    cdef uint32_t micros
    cdef size_t at
    if size != 0 and size != 8 and size != 12:
        return -1
    for at in range(12):
        parts[at] = cell[at] if at < size else 0
    days = <uint32_t> little(parts + 1, 4)
    micros = <uint32_t> little(parts + 8, 4)
    if parts[0] > 1 or days > 34 or parts[5] > 23 or parts[6] > 59 or parts[7] > 59 or micros > 999999:
        return -1
    at = 0
    if parts[0]:
        text[0] = c"-"
        at = 1
    at += _digits(text + at, days * 24 + parts[5], 2)
    at += pair(text + at, c":", parts[6])
    at += pair(text + at, c":", parts[7])
    return at + _fraction(text + at, micros, digits)


cdef class BinaryRowDecoder(RowDecoder):
    cdef Form *forms

    def __cinit__(self, Py_ssize_t columns, forms):
        cdef Py_ssize_t i
        if len(forms) != columns:
            raise ValueError("forms must have one entry per column")
        self.forms = <Form *> malloc(columns * sizeof(Form))
        if self.forms == NULL:
            raise MemoryError
        for i, (wire, parameter) in enumerate(forms):
            wire = Wire(wire)
            if wire in (Wire.INT, Wire.UINT) and parameter not in (1, 2, 4, 8):
                raise ValueError("an integer has 1, 2, 4 or 8 bytes")
            if wire is Wire.FLOAT and parameter not in (4, 8):
                raise ValueError("a floating-point number has 4 or 8 bytes")
            if not 0 <= parameter <= 255:
                raise ValueError("a parameter lies between 0 and 255")
            self.forms[i] = Form(int(wire), parameter)

    def __dealloc__(self):
        free(self.forms)

    cdef int cells(self, const uint8_t *cell, const uint8_t *end, const uint8_t *readable) noexcept nogil:
        cdef const uint8_t *nulls = cell + 1
        cdef Py_ssize_t row = self.rows
        cdef Py_ssize_t i
        cdef Column *column
        cdef int code = OK
        if cell[0] != 0:
            return BAD_ROW
        if end - nulls < (self.width + 9) // 8:
            return MISSING_CELLS
        cell = nulls + (self.width + 9) // 8
        for i in range(self.width):
            column = &self.columns[i]
            if nulls[(i + 2) >> 3] >> ((i + 2) & 7) & 1:
                if self.null(column) < 0:
                    return NO_MEMORY
            elif self.forms[i].wire == BYTES:
                if cell >= end:
                    return MISSING_CELLS
                cell = self.lenenc(column, cell, end, readable, &code)
            else:
                cell = self._value(column, self.forms[i], cell, end, &code)
            if code != OK:
                return code
            column.offsets[row + 1] = <int32_t> column.size
        return OK if cell == end else TRAILING_BYTES

    cdef const uint8_t *_value(
        self, Column *column, Form form, const uint8_t *cell, const uint8_t *end, int *code
    ) noexcept nogil:
        """Append a cell of a fixed form; returns where the next begins."""
        cdef uint8_t *text
        cdef int length
        cdef size_t size
        if form.wire == NOTHING or cell >= end:
            code[0] = MISSING_CELLS
            return cell
        if form.wire >= DATE:
            size = cell[0]
            cell += 1
        else:
            size = 2 if form.wire == YEAR else form.parameter
        if <size_t> (end - cell) < size:
            code[0] = CELL_CUT
            return cell
        if column.size > MAX_COLUMN - TEXT_SIZE:
            code[0] = COLUMN_FULL
            return cell
        if column.size + 2 * TEXT_SIZE > column.capacity and reserve(column, TEXT_SIZE) < 0:
            code[0] = NO_MEMORY
            return cell
        text = column.data + column.size
        if form.wire == FLOAT:
            memcpy(text, cell, size)
            length = <int> size
        elif form.wire == INT:
            length = signed_text(text, little(cell, form.parameter), form.parameter)
        elif form.wire == DATE or form.wire == DATETIME:
            length = _moment(text, cell, size, form.wire == DATE, form.parameter)
        elif form.wire == TIME:
            length = _span(text, cell, size, form.parameter)
        else:
            length = _digits(text, little(cell, <int> size), 4 if form.wire == YEAR else 1)
        if length < 0:
            code[0] = BAD_TIME
            return cell
        column.size += length
        self.size_bytes += length
        return cell + size
