# cython: language_level=3
"""Rows of PostgreSQL's COPY text format → Arrow column buffers.

Source: PostgreSQL manual, "COPY", "Text Format", and "Binary Data Types", "bytea Hex Format"; PostGIS manual, "Extended
WKB".
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int32_t, uint8_t
from libc.stdlib cimport calloc, free
from libc.string cimport memchr, memcmp, memcpy, memmove

from mainstem.native.rows cimport (
    BAD_CELL, BAD_HEADER, CELL_TOO_BIG, COLUMN_FULL, MAX_COLUMN, MISSING_CELLS, NO_MEMORY, OK, SLACK, TRAILING_BYTES,
    UNENDED_ROW, Column, RowBatch, reserve,
)

from mainstem.errors import WireError
from mainstem.native.ops import CopyOp

cdef extern from *:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <locale.h>
    #include <stdlib.h>
    #ifdef __APPLE__
    #include <xlocale.h>
    #endif
    /* The point of a number is a point, whatever locale the process has chosen. */
    static locale_t mainstem_c_locale;
    static int mainstem_make_locale(void) {
        mainstem_c_locale = newlocale(LC_ALL_MASK, "C", (locale_t) 0);
        return mainstem_c_locale != (locale_t) 0;
    }
    static double mainstem_double(const char *text, char **end) { return strtod_l(text, end, mainstem_c_locale); }
    static float mainstem_float(const char *text, char **end) { return strtof_l(text, end, mainstem_c_locale); }
    """
    bint mainstem_make_locale()
    double mainstem_double(const char *text, char **end) nogil
    float mainstem_float(const char *text, char **end) nogil

if not mainstem_make_locale():
    raise MemoryError

cdef enum:
    # The values of `CopyOp`.
    TEXT = 0
    BOOL = 1
    BYTEA = 2
    BITS = 3
    FLOAT4 = 4
    FLOAT8 = 5
    EWKB = 6

    NOT_HEX = 0xFF
    MAX_DIGITS = 40  # more than any floating-point number is printed with

    # EWKB: bytes of byte order and type, those of the SRID, and the flag in the type's highest byte that tells of it.
    EWKB_HEAD = 5
    EWKB_SRID = 4
    HAS_SRID = 0x20

cdef uint8_t[256] _HEX
cdef uint8_t[256] _UNESCAPED  # by the letter behind the backslash; 0 where there is none
cdef uint8_t[256] _NUMBER  # whether a byte may stand in a number

cdef dict _PROBLEMS = {
    UNENDED_ROW: "a message is not one row with a newline at its end",
    MISSING_CELLS: "a row ends before its last cell",
    TRAILING_BYTES: "a row has more cells than columns",
    BAD_CELL: "a cell does not have the form of its column's type",
    CELL_TOO_BIG: "a cell is longer than 2 GiB",
    BAD_HEADER: "COPY's binary data do not begin with a header that is known here",
}


cdef void _fill_tables():
    cdef int i
    for i in range(256):
        _HEX[i] = NOT_HEX
        _UNESCAPED[i] = 0
        _NUMBER[i] = 0
    for i in range(16):
        _HEX[<int> b"0123456789abcdef"[i]] = i
        _HEX[<int> b"0123456789ABCDEF"[i]] = i
    for letter, byte in zip(b"btnvfr\\", b"\b\t\n\v\f\r\\"):
        _UNESCAPED[<int> letter] = byte
    for number in list(b"0123456789+-.eE"):
        _NUMBER[<int> number] = 1


_fill_tables()


def problem(int code):
    return _PROBLEMS.get(code, "a row cannot be read")


cdef inline void _copy(uint8_t *to, const uint8_t *cell, size_t size, const uint8_t *readable) noexcept nogil:
    """Short cells as a whole piece, which needs no loop."""
    if size <= SLACK and readable - cell >= SLACK:
        memcpy(to, cell, SLACK)
    else:
        memcpy(to, cell, size)


cdef inline Py_ssize_t _unescape(uint8_t *to, const uint8_t *cell, size_t size) noexcept nogil:
    """Returns the bytes written, or BAD_CELL. There is room for as many as are read."""
    cdef const uint8_t *end = cell + size
    cdef const uint8_t *slash
    cdef uint8_t *start = to
    while True:
        slash = <const uint8_t *> memchr(cell, c"\\", end - cell)
        if slash == NULL:
            memcpy(to, cell, end - cell)
            return to - start + (end - cell)
        memcpy(to, cell, slash - cell)
        to += slash - cell
        if slash + 1 == end or not _UNESCAPED[slash[1]]:
            return BAD_CELL
        to[0] = _UNESCAPED[slash[1]]
        to += 1
        cell = slash + 2


cdef Py_ssize_t unhex(uint8_t *to, const uint8_t *digits, size_t size) noexcept nogil:
    cdef size_t i
    cdef uint8_t high, low
    if size % 2:
        return BAD_CELL
    for i in range(size // 2):
        high = _HEX[digits[2 * i]]
        low = _HEX[digits[2 * i + 1]]
        if high == NOT_HEX or low == NOT_HEX:
            return BAD_CELL
        to[i] = high << 4 | low
    return size // 2


cdef inline Py_ssize_t _bits(uint8_t *to, const uint8_t *digits, size_t size) noexcept nogil:
    cdef size_t count = (size + 7) // 8
    cdef size_t shift = count * 8 - size  # of the first digit, from the left
    cdef size_t i
    for i in range(count):
        to[i] = 0
    for i in range(size):
        if digits[i] & 0xFE != 0x30:
            return BAD_CELL
        to[(shift + i) // 8] |= (digits[i] & 1) << (7 - (shift + i) % 8)
    return count


cdef inline Py_ssize_t _ewkb(uint8_t *to, const uint8_t *digits, size_t size) noexcept nogil:
    """Hex EWKB → SRID, then WKB; there is room for half of ``size`` and EWKB_SRID."""
    cdef Py_ssize_t count = unhex(to + EWKB_SRID, digits, size)
    cdef uint8_t *head = to + EWKB_SRID
    cdef int top, i
    if count < EWKB_HEAD or head[0] > 1:
        return BAD_CELL
    top = 4 if head[0] == 1 else 1
    for i in range(EWKB_SRID):
        to[i] = 0
    if not head[top] & HAS_SRID:
        return count + EWKB_SRID
    if count < EWKB_HEAD + EWKB_SRID:
        return BAD_CELL
    for i in range(EWKB_SRID):
        to[i] = head[EWKB_HEAD + (i if head[0] == 1 else EWKB_SRID - 1 - i)]
    head[top] &= ~HAS_SRID
    memmove(head + EWKB_HEAD, head + EWKB_HEAD + EWKB_SRID, count - EWKB_HEAD - EWKB_SRID)
    return count


cdef inline Py_ssize_t _float(uint8_t *to, const uint8_t *cell, size_t size, bint double_) noexcept nogil:
    """A tab or a newline follows the cell, so that reading a number ends there."""
    cdef char *end = NULL
    cdef double wide
    cdef float narrow
    cdef size_t i
    if size == 0 or size > MAX_DIGITS:
        return BAD_CELL
    if not (size == 3 and memcmp(cell, b"NaN", 3) == 0) and not (size == 8 and memcmp(cell, b"Infinity", 8) == 0) and (
        not (size == 9 and memcmp(cell, b"-Infinity", 9) == 0)
    ):
        for i in range(size):
            if not _NUMBER[cell[i]]:
                return BAD_CELL
    if double_:
        wide = mainstem_double(<const char *> cell, &end)
        memcpy(to, &wide, 8)
    else:
        narrow = mainstem_float(<const char *> cell, &end)
        memcpy(to, &narrow, 4)
    if <const uint8_t *> end != cell + size:
        return BAD_CELL
    return 8 if double_ else 4


cdef inline Py_ssize_t _convert(
    int op, uint8_t *to, const uint8_t *cell, size_t size, const uint8_t *readable
) noexcept nogil:
    """Write a cell; returns its bytes or BAD_CELL. There is room for as many as are read, and SLACK."""
    if op == TEXT:
        if memchr(cell, c"\\", size) != NULL:
            return _unescape(to, cell, size)
        _copy(to, cell, size, readable)
        return size
    if op == FLOAT4 or op == FLOAT8:
        return _float(to, cell, size, op == FLOAT8)
    if op == BYTEA:
        if size < 3 or memcmp(cell, b"\\\\x", 3) != 0:
            return BAD_CELL
        return unhex(to, cell + 3, size - 3)
    if op == BITS:
        return _bits(to, cell, size)
    if op == EWKB:
        return _ewkb(to, cell, size)
    if size != 1 or (cell[0] != c"t" and cell[0] != c"f"):
        return BAD_CELL
    to[0] = c"1" if cell[0] == c"t" else c"0"
    return 1


cdef Py_ssize_t plain(int op, uint8_t *to, const uint8_t *cell, size_t size) noexcept nogil:
    """The same for the text of a value as it is, without escapes and with nothing known of what follows it."""
    cdef uint8_t[MAX_DIGITS + 1] number
    if op == FLOAT4 or op == FLOAT8:
        if size > MAX_DIGITS:
            return BAD_CELL
        memcpy(number, cell, size)
        number[size] = 0
        return _float(to, number, size, op == FLOAT8)
    if op == BYTEA:
        if size < 2 or memcmp(cell, b"\\x", 2) != 0:
            return BAD_CELL
        return unhex(to, cell + 2, size - 2)
    if op == TEXT:
        memcpy(to, cell, size)
        return size
    return _convert(op, to, cell, size, cell + size)


cdef class CopyDecoder(RowBatch):
    """Turns rows of COPY TO's text format into batches of ``binary`` columns. For one thread at a time."""

    def __cinit__(self, Py_ssize_t columns, ops):
        cdef Py_ssize_t i
        if len(ops) != columns:
            raise ValueError("there must be one op for each column")
        self.ops = <int *> calloc(columns, sizeof(int))
        if self.ops == NULL:
            raise MemoryError
        for i in range(columns):
            self.ops[i] = int(CopyOp(ops[i]))

    def __dealloc__(self):
        free(self.ops)

    def row(self, data):
        cdef Py_buffer view
        cdef int code
        if self.busy:
            raise RuntimeError("this decoder is in use by another thread")
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        self.busy = True
        try:
            with nogil:
                code = self.add(<const uint8_t *> view.buf, view.len)
        finally:
            self.busy = False
            PyBuffer_Release(&view)
        if code == NO_MEMORY:
            raise MemoryError
        if code != OK and code != COLUMN_FULL:
            raise WireError(problem(code), row=self.rows)
        return code == OK

    cdef int add(self, const uint8_t *row, size_t size) noexcept nogil:
        """Append a row, newline included; on anything but OK the batch is left as it was."""
        if size == 0 or memchr(row, c"\n", size) != row + size - 1:
            return UNENDED_ROW
        return self._row(row, row + size - 1, row + size)

    cdef int cells(self, const uint8_t *cell, const uint8_t *end, const uint8_t *readable) noexcept nogil:
        cdef Column *column
        cdef const uint8_t *stop
        cdef Py_ssize_t i
        cdef int code
        for i in range(self.width):
            column = &self.columns[i]
            if cell > end:
                return MISSING_CELLS
            stop = <const uint8_t *> memchr(cell, c"\t", end - cell)
            if stop == NULL:
                stop = end
            if stop - cell == 2 and cell[0] == c"\\" and cell[1] == c"N":
                if self.null(column) < 0:
                    return NO_MEMORY
            else:
                code = self._cell(column, self.ops[i], cell, stop - cell, readable)
                if code != OK:
                    return code
            column.offsets[self.rows + 1] = <int32_t> column.size
            cell = stop + 1
        return OK if cell == end + 1 else TRAILING_BYTES

    cdef int _cell(
        self, Column *column, int op, const uint8_t *cell, size_t size, const uint8_t *readable
    ) noexcept nogil:
        cdef Py_ssize_t written
        if size + SLACK > MAX_COLUMN - column.size:
            return COLUMN_FULL if self.rows else CELL_TOO_BIG
        if column.size + size + SLACK > column.capacity and reserve(column, size) < 0:
            return NO_MEMORY
        written = _convert(op, column.data + column.size, cell, size, readable)
        if written < 0:
            return <int> written
        column.size += written
        self.size_bytes += written
        return OK
