# cython: language_level=3
"""Arrow ``binary`` columns of text cells → PostgreSQL's COPY binary format.

Why: the server spends most of a COPY in text format on parsing. In binary format it takes the benchmark's rows at less
than half the cost (docs/adr/0003).

Source: PostgreSQL manual, "COPY", File Formats, Binary Format; the layout of each type is that of its send function.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memchr, memcpy

from mainstem.native.binarydates cimport put_date, put_interval, put_time
from mainstem.native.binarynumbers cimport is_digit, put16, put32, put_float, put_integer, put_numeric
from mainstem.native.encoding cimport (
    BAD_OFFSETS, CHANGED_REPLACED, CHANGED_STRIPPED, MALFORMED, NO_MEMORY, NUL_IN_TEXT, NUL_STRIP, OK, POLICY_ERROR,
    Cells, Column, Out, RowEncoder, data_bytes, ewkb_head, offset_at, room, valid,
)

from mainstem.native.ops import BinaryOp

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"

cdef enum:
    # The values of `BinaryOp`.
    INT2 = 0
    INT4 = 1
    INT8 = 2
    FLOAT4 = 3
    FLOAT8 = 4
    NUMERIC = 5
    BOOL = 6
    BIT_BOOL = 7
    TEXT = 8
    JSONB = 9
    BYTEA = 10
    BITS = 11
    SET_ARRAY = 12
    DATE = 13
    TIMESTAMP = 14
    TIME = 15
    INTERVAL = 16
    UUID = 17
    EWKB = 18

    TEXT_OID = 25


cdef void _length(Out *out, size_t mark) noexcept nogil:
    """Write the length of what stands behind its four bytes at ``mark``."""
    cdef size_t end = out.size
    out.size = mark
    put32(out, <uint32_t> (end - mark - 4))
    out.size = end


cdef int _bytes(Out *out, const uint8_t *cell, size_t size) noexcept nogil:
    if room(out, size) < 0:
        return NO_MEMORY
    memcpy(out.start + out.size, cell, size)
    out.size += size
    return OK


cdef int _characters(Out *out, Column *column, const uint8_t *cell, size_t size, int nul) noexcept nogil:
    """Text without NUL, or with what the policy makes of it."""
    cdef const uint8_t *stop
    cdef size_t part
    while size:
        stop = <const uint8_t *> memchr(cell, 0, size)
        part = size if stop == NULL else stop - cell
        if _bytes(out, cell, part) < 0:
            return NO_MEMORY
        if stop == NULL:
            return OK
        if nul == POLICY_ERROR:
            return NUL_IN_TEXT
        out.changed = True
        column.change = CHANGED_STRIPPED if nul == NUL_STRIP else CHANGED_REPLACED
        if nul != NUL_STRIP and _bytes(out, b"\xef\xbf\xbd", 3) < 0:
            return NO_MEMORY
        cell += part + 1
        size -= part + 1
    return OK


cdef int _text(Out *out, Column *column, const uint8_t *cell, size_t size, int nul, bint version) noexcept nogil:
    cdef size_t mark = out.size
    cdef int code
    if size > 0x7FFFFF00:
        return MALFORMED
    out.size += 4
    if version:
        out.start[out.size] = 1
        out.size += 1
    code = _characters(out, column, cell, size, nul)
    if code == OK:
        _length(out, mark)
    return code


cdef int _set(Out *out, Column *column, const uint8_t *cell, size_t size, int nul) noexcept nogil:
    """text[]: dimensions, flags, element type; then length and lower bound, and each element with its length."""
    cdef size_t mark = out.size
    cdef size_t element
    cdef size_t count_at
    cdef const uint8_t *end = cell + size
    cdef const uint8_t *stop
    cdef uint32_t count = 0
    cdef int code
    out.size += 4
    put32(out, 1 if size else 0)
    put32(out, 0)
    put32(out, TEXT_OID)
    if size:
        count_at = out.size
        put32(out, 0)
        put32(out, 1)
        while True:
            stop = <const uint8_t *> memchr(cell, c",", end - cell)
            if stop == NULL:
                stop = end
            if room(out, 4) < 0:
                return NO_MEMORY
            element = out.size
            out.size += 4
            code = _characters(out, column, cell, stop - cell, nul)
            if code != OK:
                return code
            _length(out, element)
            count += 1
            if stop == end:
                break
            cell = stop + 1
        element = out.size
        out.size = count_at
        put32(out, count)
        out.size = element
    _length(out, mark)
    return OK


cdef int _bits(Out *out, const uint8_t *cell, size_t size, Py_ssize_t length) noexcept nogil:
    """Right-aligned bytes in, left-aligned bits out."""
    cdef size_t i
    cdef int spare = <int> (size * 8 - length)
    cdef uint8_t next
    if size != <size_t> (length + 7) // 8 or cell[0] >> (8 - spare):
        return MALFORMED
    if room(out, size) < 0:
        return NO_MEMORY
    put32(out, <uint32_t> (4 + size))
    put32(out, <uint32_t> length)
    for i in range(size):
        next = cell[i + 1] if i + 1 < size else 0
        out.start[out.size + i] = (cell[i] << spare | next >> (8 - spare)) & 255
    out.size += size
    return OK


cdef inline int _nibble(uint8_t letter) noexcept nogil:
    if is_digit(letter):
        return letter - 48
    letter |= 32
    return letter - 87 if 97 <= letter <= 102 else -1


cdef int _uuid(Out *out, const uint8_t *cell, size_t size) noexcept nogil:
    cdef int i = 0
    cdef int count = 0
    cdef int high
    cdef int low
    if size != 36:
        return MALFORMED
    put32(out, 16)
    while i < 36:
        if i == 8 or i == 13 or i == 18 or i == 23:
            if cell[i] != c"-":
                return MALFORMED
            i += 1
        high = _nibble(cell[i])
        low = _nibble(cell[i + 1])
        if high < 0 or low < 0:
            return MALFORMED
        out.start[out.size + count] = high << 4 | low
        count += 1
        i += 2
    out.size += 16
    return OK


cdef int _ewkb(Out *out, const uint8_t *cell, size_t size) noexcept nogil:
    cdef uint8_t[9] head
    cdef int length = ewkb_head(head, cell, size)
    if length == MALFORMED:
        return MALFORMED
    put32(out, <uint32_t> (size - 9 + length))
    if _bytes(out, head, length) < 0:
        return NO_MEMORY
    return _bytes(out, cell + 9, size - 9)


cdef int _one(Out *out, uint8_t value) noexcept nogil:
    put32(out, 1)
    out.start[out.size] = value
    out.size += 1
    return OK


cdef int _write(Out *out, Column *column, const uint8_t *cell, size_t size, int zero_dates, int nul) noexcept nogil:
    """Write a cell with its length; there is room for SLACK bytes."""
    cdef int op = column.op
    if op == INT2 or op == INT4 or op == INT8:
        return put_integer(out, cell, size, 2 << op)
    if op == TEXT or op == JSONB:
        return _text(out, column, cell, size, nul, op == JSONB)
    if op == NUMERIC:
        return put_numeric(out, cell, size)
    if op == DATE or op == TIMESTAMP:
        return put_date(out, column, cell, size, zero_dates, op == TIMESTAMP)
    if op == FLOAT8:
        return put_float(out, cell, size, 8)
    if op == FLOAT4:
        return put_float(out, cell, size, 4)
    if op == BOOL:
        if size != 1 or (cell[0] != c"0" and cell[0] != c"1"):
            return MALFORMED
        return _one(out, cell[0] - 48)
    if op == BIT_BOOL:
        return _one(out, cell[0] != 0) if size == 1 else MALFORMED
    if op == BYTEA:
        if size > 0x7FFFFF00:
            return MALFORMED
        put32(out, <uint32_t> size)
        return _bytes(out, cell, size)
    if op == BITS:
        return _bits(out, cell, size, column.length)
    if op == SET_ARRAY:
        return _set(out, column, cell, size, nul)
    if op == TIME:
        return put_time(out, cell, size)
    if op == INTERVAL:
        return put_interval(out, cell, size)
    if op == UUID:
        return _uuid(out, cell, size)
    return _ewkb(out, cell, size)


cdef class CopyBinaryEncoder(RowEncoder):
    """Writes tuples of COPY's binary format. For one thread at a time."""

    def __init__(self, ops, parameters, str zero_dates, str nul_text):
        if len(ops) > 1664:
            raise ValueError("PostgreSQL has no tables of more than 1,664 columns")
        for i, (op, length) in enumerate(zip(ops, parameters)):
            if BinaryOp(op) == BITS and length < 1:
                raise ValueError(f"column {i} is written as bits and needs a length of at least 1")

    cdef int row(self, Out *out, Cells *cells, Py_ssize_t first, Py_ssize_t row, Py_ssize_t *at) noexcept nogil:
        """Write a row: the number of its fields, then each with its length, -1 for null."""
        cdef Py_ssize_t column
        cdef uint64_t begin
        cdef uint64_t end
        cdef int code
        if room(out, 0) < 0:
            return NO_MEMORY
        put16(out, <uint32_t> self.width)
        for column in range(self.width):
            at[0] = column
            if room(out, 0) < 0:
                return NO_MEMORY
            if not valid(&cells[column], first + row):
                put32(out, 0xFFFFFFFF)
                continue
            begin = offset_at(cells[column].offsets, row)
            end = offset_at(cells[column].offsets, row + 1)
            if begin > end or end > cells[column].data_size:
                return BAD_OFFSETS
            code = _write(
                out, &self.columns[column], cells[column].data + begin, end - begin, self.zero_dates, self.nul_text
            )
            if code != OK:
                return code
        return OK

    cdef size_t estimate(self, Cells *cells, Py_ssize_t rows) noexcept nogil:
        """The cells' own bytes, and what goes around them."""
        cdef uint64_t total = 1024 + rows * (2 + 8 * self.width)
        cdef Py_ssize_t i
        for i in range(self.width):
            total += data_bytes(&cells[i], rows)
        return total
