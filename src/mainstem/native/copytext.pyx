# cython: language_level=3
"""Arrow ``binary`` columns of text cells → PostgreSQL's COPY text format.

Source: PostgreSQL manual, "COPY", File Formats, Text Format; "Arrays", Array Input and Output Syntax; "Binary Data
Types", bytea Hex Format; PostGIS manual, "Extended WKB".
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.stdlib cimport strtod, strtof
from libc.string cimport memcpy

from mainstem.native.encoding cimport (
    BAD_OFFSETS, CHANGED_EPOCH, CHANGED_NULL, CHANGED_REPLACED, CHANGED_STRIPPED, MALFORMED, NO_MEMORY, NUL_IN_TEXT,
    NUL_STRIP, OK, POLICY_ERROR, SLACK, ZERO_DATE, ZERO_DATE_NULL, Cells, Column, Out, RowEncoder,
    data_bytes, ewkb_head, infinite, is_zero_date, offset_at, piece, plain, put, room, valid, year_digits,
)

from mainstem.native.ops import Op


cdef enum:
    WORST = 4  # bytes out for one byte in: a backslash in an array literal

    # The values of `Op`.
    RAW = 0
    TEXT = 1
    BYTEA = 2
    BITS = 3
    BIT_BOOLEAN = 4
    SET_ARRAY = 5
    DATE = 6
    EWKB = 7
    EWKB_BYTEA = 8
    FLOAT = 9


# 0: as it is; 1: NUL; else the letter after the backslash.
cdef uint8_t[256] _ESCAPE
cdef uint16_t[256] _HEX


cdef void _fill_tables():
    cdef int i
    cdef bytes pair
    for i in range(256):
        pair = b"%02x" % i
        memcpy(&_HEX[i], <const char *> pair, 2)
        _ESCAPE[i] = 0
    _ESCAPE[0] = 1
    for byte, letter in zip(b"\b\t\n\v\f\r\\", b"btnvfr\\"):
        _ESCAPE[<int> byte] = letter


_fill_tables()


cdef int _raw(Out *out, const uint8_t *cell, size_t size) noexcept nogil:
    cdef size_t part
    cdef size_t i
    while size:
        part = piece(size)
        if room(out, part) < 0:
            return NO_MEMORY
        i = plain(out.start + out.size, cell, part)
        while i < part:  # a false alarm, or the end of what can be written as it is
            if _ESCAPE[cell[i]]:
                return MALFORMED
            out.start[out.size + i] = cell[i]
            i += 1
        out.size += part
        cell += part
        size -= part
    return OK


cdef int _text(Out *out, Column *column, const uint8_t *cell, size_t size, int nul) noexcept nogil:
    cdef const uint8_t *end
    cdef const uint8_t *stop
    cdef uint8_t *target
    cdef size_t part
    cdef uint8_t letter
    while size:
        part = piece(size)
        if room(out, part * WORST) < 0:
            return NO_MEMORY
        target = out.start + out.size
        end = cell + part
        size -= part
        while True:
            part = plain(target, cell, end - cell)
            target += part
            cell += part
            if cell == end:
                break
            stop = end if end - cell < 8 else cell + 8
            while cell != stop:
                letter = _ESCAPE[cell[0]]
                if letter == 0:
                    target[0] = cell[0]
                    target += 1
                elif letter != 1:
                    target[0] = c"\\"
                    target[1] = letter
                    target += 2
                elif nul == POLICY_ERROR:
                    return NUL_IN_TEXT
                else:
                    target = _nul(out, target, column, nul)
                cell += 1
        out.size = target - out.start
    return OK


cdef uint8_t *_nul(Out *out, uint8_t *target, Column *column, int nul) noexcept nogil:
    """Write what stands for a NUL: nothing, or U+FFFD in UTF-8."""
    out.changed = True
    if nul == NUL_STRIP:
        column.change = CHANGED_STRIPPED
        return target
    column.change = CHANGED_REPLACED
    target[0] = 0xEF
    target[1] = 0xBF
    target[2] = 0xBD
    return target + 3


cdef int _set(Out *out, Column *column, const uint8_t *cell, size_t size, int nul) noexcept nogil:
    """An array literal. What the literal escapes by a backslash, COPY escapes by another."""
    cdef size_t part
    cdef int code
    if room(out, 0) < 0:
        return NO_MEMORY
    if size == 0:
        put(out, b"{}", 2)
        return OK
    put(out, b'{"', 2)
    while size:
        part = piece(size)
        if room(out, part * WORST) < 0:
            return NO_MEMORY
        code = _labels(out, column, cell, part, nul)
        if code != OK:
            return code
        cell += part
        size -= part
    put(out, b'"}', 2)
    return OK


cdef int _labels(Out *out, Column *column, const uint8_t *cell, size_t size, int nul) noexcept nogil:
    cdef uint8_t *target = out.start + out.size
    cdef uint8_t letter
    cdef size_t i
    for i in range(size):
        letter = _ESCAPE[cell[i]]
        if cell[i] == c",":
            memcpy(target, b'","', 3)
            target += 3
        elif cell[i] == c'"':
            memcpy(target, b'\\\\"', 3)
            target += 3
        elif cell[i] == c"\\":
            memcpy(target, b"\\\\\\\\", 4)
            target += 4
        elif letter == 0:
            target[0] = cell[i]
            target += 1
        elif letter != 1:
            target[0] = c"\\"
            target[1] = letter
            target += 2
        elif nul == POLICY_ERROR:
            return NUL_IN_TEXT
        else:
            target = _nul(out, target, column, nul)
    out.size = target - out.start
    return OK


cdef int _hex(Out *out, const uint8_t *cell, size_t size) noexcept nogil:
    cdef uint8_t *target
    cdef size_t part
    cdef size_t i
    while size:
        part = piece(size)
        if room(out, part * 2) < 0:
            return NO_MEMORY
        target = out.start + out.size
        for i in range(part):
            memcpy(target + 2 * i, &_HEX[cell[i]], 2)
        out.size += 2 * part
        cell += part
        size -= part
    return OK


cdef int _bytea(Out *out, const uint8_t *cell, size_t size) noexcept nogil:
    if room(out, 0) < 0:
        return NO_MEMORY
    put(out, b"\\\\x", 3)
    return _hex(out, cell, size)


cdef int _bits(Out *out, const uint8_t *cell, size_t size, Py_ssize_t length) noexcept nogil:
    cdef size_t i
    cdef size_t spare
    cdef uint8_t *target
    if size != <size_t> (length + 7) // 8:
        return MALFORMED
    spare = size * 8 - length
    if cell[0] >> (8 - spare):
        return MALFORMED
    if room(out, length) < 0:
        return NO_MEMORY
    target = out.start + out.size
    for i in range(spare, size * 8):
        target[i - spare] = c"0" + (cell[i >> 3] >> (7 - (i & 7)) & 1)
    out.size += length
    return OK


cdef int _bit_boolean(Out *out, const uint8_t *cell, size_t size) noexcept nogil:
    if size != 1:
        return MALFORMED
    if room(out, 1) < 0:
        return NO_MEMORY
    put(out, b"t" if cell[0] else b"f", 1)
    return OK


cdef inline bint _is_date(const uint8_t *cell, size_t size) noexcept nogil:
    return size >= 10 and cell[4] == c"-" and cell[7] == c"-"


cdef int _date(Out *out, Column *column, const uint8_t *cell, size_t size, int zero_dates) noexcept nogil:
    if not _is_date(cell, size):
        # What only PostgreSQL holds, and prints in just the form that it reads: infinities, and years past 9999.
        if infinite(cell, size) or year_digits(cell, size) > 4:
            return _raw(out, cell, size)
        return MALFORMED
    if not is_zero_date(cell):
        return _raw(out, cell, size)
    if zero_dates == POLICY_ERROR:
        return ZERO_DATE
    if room(out, 0) < 0:
        return NO_MEMORY
    out.changed = True
    if zero_dates == ZERO_DATE_NULL:
        column.change = CHANGED_NULL
        put(out, b"\\N", 2)
        return OK
    column.change = CHANGED_EPOCH
    put(out, b"1970-01-01", 10)
    if size > 10:
        put(out, b" 00:00:00", 9)
    return OK


cdef int _ewkb(Out *out, const uint8_t *cell, size_t size) noexcept nogil:
    cdef uint8_t[9] head
    cdef int length = ewkb_head(head, cell, size)
    if length == MALFORMED:
        return MALFORMED
    if _hex(out, head, length) < 0:
        return NO_MEMORY
    return _hex(out, cell + 9, size - 9)


cdef int _float(Out *out, const uint8_t *cell, size_t size) noexcept nogil:
    """As few digits as read back to the same value; 17 (of a single, 9) always do."""
    cdef char *text
    cdef uint64_t bits = 0
    cdef uint32_t low
    cdef double value
    cdef float single = 0
    cdef int digits = 15 if size == 8 else 6
    cdef int length
    cdef int i
    if size != 4 and size != 8:
        return MALFORMED
    for i in range(<int> size):
        bits |= <uint64_t> cell[i] << (8 * i)
    if size == 8:
        memcpy(&value, &bits, 8)
    else:
        low = <uint32_t> bits
        memcpy(&single, &low, 4)
        value = single
    if room(out, 0) < 0:
        return NO_MEMORY
    if value != value:
        put(out, b"NaN", 3)
        return OK
    if value - value != 0:
        put(out, b"Infinity" if value > 0 else b"-Infinity", 8 if value > 0 else 9)
        return OK
    text = <char *> out.start + out.size
    while True:
        length = snprintf(text, SLACK, b"%.*g", digits, value)
        if digits == (17 if size == 8 else 9):
            break
        if strtod(text, NULL) == value if size == 8 else strtof(text, NULL) == single:
            break
        digits += 1
    out.size += length
    return OK


cdef int _write(Out *out, Column *column, const uint8_t *cell, size_t size, int zero_dates, int nul) noexcept nogil:
    if column.op == TEXT:
        return _text(out, column, cell, size, nul)
    if column.op == RAW:
        return _raw(out, cell, size)
    if column.op == DATE:
        return _date(out, column, cell, size, zero_dates)
    if column.op == BYTEA:
        return _bytea(out, cell, size)
    if column.op == BITS:
        return _bits(out, cell, size, column.length)
    if column.op == BIT_BOOLEAN:
        return _bit_boolean(out, cell, size)
    if column.op == SET_ARRAY:
        return _set(out, column, cell, size, nul)
    if column.op == FLOAT:
        return _float(out, cell, size)
    if column.op == EWKB_BYTEA:
        if room(out, 0) < 0:
            return NO_MEMORY
        put(out, b"\\\\x", 3)
    return _ewkb(out, cell, size)


cdef inline bint _copies(int op, const uint8_t *cell, size_t size) noexcept nogil:
    """Whether the cell is written as it is unless it has a byte to escape."""
    return op == TEXT or op == RAW or (op == DATE and _is_date(cell, size) and not is_zero_date(cell))


cdef class CopyTextEncoder(RowEncoder):
    """Writes batches of one table as COPY text. For one thread at a time."""

    def __init__(self, ops, lengths, str zero_dates, str nul_text):
        for i, (op, length) in enumerate(zip(ops, lengths)):
            if Op(op) == BITS and length < 1:
                raise ValueError(f"column {i} is written as bits and needs a length of at least 1")

    cdef int row(self, Out *out, Cells *cells, Py_ssize_t first, Py_ssize_t row, Py_ssize_t *at) noexcept nogil:
        """Write a row's cells, a separator after each; on anything but OK ``at`` is the column that it is about."""
        cdef uint8_t *target = out.start + out.size
        cdef uint8_t *limit = out.start + out.capacity - SLACK
        cdef Py_ssize_t column
        cdef uint64_t begin
        cdef uint64_t end
        cdef int code
        for column in range(self.width):
            if target > limit or not valid(&cells[column], first + row):
                begin = end = 0
            else:
                begin = offset_at(cells[column].offsets, row)
                end = offset_at(cells[column].offsets, row + 1)
            if (
                begin < end <= cells[column].data_size
                and end - begin <= <uint64_t> (limit - target)
                and _copies(self.columns[column].op, cells[column].data + begin, end - begin)
                and plain(target, cells[column].data + begin, end - begin) == end - begin
            ):
                target += end - begin
            else:
                out.size = target - out.start
                code = self._cell(out, &self.columns[column], &cells[column], first, row)
                if code != OK:
                    at[0] = column
                    return code
                target = out.start + out.size
                limit = out.start + out.capacity - SLACK
            target[0] = c"\t"
            target += 1
        target[-1] = c"\n"
        out.size = target - out.start
        return OK

    cdef int _cell(self, Out *out, Column *column, Cells *cells, Py_ssize_t first, Py_ssize_t row) noexcept nogil:
        """Write any cell, also where there is no room for it yet."""
        cdef uint64_t begin
        cdef uint64_t end
        if room(out, 0) < 0:
            return NO_MEMORY
        if not valid(cells, first + row):
            put(out, b"\\N", 2)
            return OK
        begin = offset_at(cells.offsets, row)
        end = offset_at(cells.offsets, row + 1)
        if begin > end or end > cells.data_size:
            return BAD_OFFSETS
        return _write(out, column, cells.data + begin, end - begin, self.zero_dates, self.nul_text)

    cdef size_t estimate(self, Cells *cells, Py_ssize_t rows) noexcept nogil:
        """About the bytes that the rows will need, so that memory seldom has to grow."""
        cdef uint64_t total = 1024
        cdef Py_ssize_t i
        for i in range(self.width):
            total += rows + data_bytes(&cells[i], rows) * (1 if self.columns[i].op in (RAW, TEXT, DATE) else 2)
        return total + total // 32
