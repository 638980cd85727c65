"""What the encoders share: columns of cells in, bytes out, rows left out.

Source of the layout of cells: Arrow specification, "Variable-size Binary Layout".
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyObject_GetBuffer
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport realloc
from libc.string cimport memcmp, memcpy

cdef enum:
    SLACK = 64    # room that every writer leaves for what goes around a cell: separator, prefix, quotes, end of row

    # The values of `Refusal`, and what else a cell can come to.
    OK = 0
    ZERO_DATE = 1
    NUL_IN_TEXT = 2
    MALFORMED = 3
    SPECIAL_VALUE = 4
    NULL_VALUE = 5
    TOO_FINE = 6
    NO_MEMORY = -1
    BAD_OFFSETS = -2

    # Policies: indexes into the tuples of their names.
    POLICY_ERROR = 0
    ZERO_DATE_NULL = 1
    ZERO_DATE_EPOCH = 2
    NUL_STRIP = 1
    NUL_REPLACE = 2
    SPECIAL_NULL = 1

    # Indexes into the names of changes; 0 is "unchanged".
    CHANGED_NULL = 1
    CHANGED_EPOCH = 2
    CHANGED_STRIPPED = 3
    CHANGED_REPLACED = 4
    CHANGED_SPECIAL = 5
    CHANGED_NO_LABEL = 6
    CHANGES = 7

    PIECE = 4096  # longer cells are written in pieces, so that room is made for what is there, not for the worst case


cdef struct Cells:
    const uint8_t *validity  # NULL when all are valid
    const uint8_t *offsets   # of the batch's first row; perhaps not aligned
    const uint8_t *data
    uint64_t data_size


cdef struct Column:
    int op
    int change  # of the row in progress
    bint required  # a null is refused
    Py_ssize_t length
    int64_t fresh[CHANGES]  # of the call in progress
    int64_t counts[CHANGES]


cdef struct Out:
    uint8_t *start
    size_t size
    size_t capacity
    bint changed  # whether a policy changed a cell of the row in progress


cdef struct Refused:
    Py_ssize_t row
    Py_ssize_t column
    int reason


cdef struct Refusals:
    Refused *start
    Py_ssize_t size
    Py_ssize_t capacity


cdef inline int grow(Out *out, size_t more) noexcept nogil:
    cdef size_t capacity = out.capacity * 2
    cdef uint8_t *start
    if capacity < out.size + more:
        capacity = out.size + more
    start = <uint8_t *> realloc(out.start, capacity)
    if start == NULL:
        return NO_MEMORY
    out.start = start
    out.capacity = capacity
    return OK


cdef inline int room(Out *out, size_t more) noexcept nogil:
    """Make room for so many bytes and SLACK."""
    if out.capacity - out.size < more + SLACK:
        return grow(out, more + SLACK)
    return OK


cdef inline void put(Out *out, const char *text, size_t size) noexcept nogil:
    """Write a few bytes into the slack."""
    memcpy(out.start + out.size, text, size)
    out.size += size


cdef inline bint valid(Cells *cells, Py_ssize_t i) noexcept nogil:
    return cells.validity == NULL or cells.validity[i >> 3] >> (i & 7) & 1


cdef inline uint64_t offset_at(const uint8_t *offsets, Py_ssize_t i) noexcept nogil:
    """A negative one comes out larger than any buffer."""
    cdef int32_t value
    memcpy(&value, offsets + 4 * i, 4)
    return <uint64_t> <int64_t> value


cdef inline uint64_t data_bytes(const Cells *cells, Py_ssize_t rows) noexcept nogil:
    """The bytes of a column's first rows; 0 for offsets that are out of order."""
    cdef uint64_t begin
    cdef uint64_t end
    if rows == 0:
        return 0
    begin = offset_at(cells.offsets, 0)
    end = offset_at(cells.offsets, rows)
    return end - begin if begin <= end <= cells.data_size else 0


cdef inline size_t piece(size_t size) noexcept nogil:
    return size if size < PIECE else PIECE


cdef inline bint special_byte(uint8_t byte) noexcept nogil:
    return byte < 14 or byte == c"\\"


cdef inline bint special(uint64_t word) noexcept nogil:
    """Whether one of eight bytes may need an escape: is below 14, or a backslash. Exact in both halves."""
    cdef uint64_t slashes = word ^ (<uint64_t> 0x5C5C5C5C5C5C5C5C)
    cdef uint64_t low = (word - <uint64_t> 0x0E0E0E0E0E0E0E0E) & ~word
    cdef uint64_t slash = (slashes - <uint64_t> 0x0101010101010101) & ~slashes
    return (low | slash) & <uint64_t> 0x8080808080808080 != 0


cdef inline size_t plain(uint8_t *target, const uint8_t *source, size_t size) noexcept nogil:
    """Copy as far as no byte may need an escape; returns how far, which is ``size`` or a little before such a byte.

    Ends are copied by pieces that overlap: cells are short, and a loop over single bytes would cost more than the rest.
    """
    cdef size_t done = 0
    cdef uint64_t word
    cdef uint32_t low
    cdef uint32_t high
    if size >= 8:
        while size - done > 8:
            memcpy(&word, source + done, 8)
            if special(word):
                return done
            memcpy(target + done, &word, 8)
            done += 8
        memcpy(&word, source + size - 8, 8)
        if special(word):
            return done
        memcpy(target + size - 8, &word, 8)
    elif size >= 4:
        memcpy(&low, source, 4)
        memcpy(&high, source + size - 4, 4)
        if special(low | <uint64_t> high << 32):
            return 0
        memcpy(target, &low, 4)
        memcpy(target + size - 4, &high, 4)
    elif size:
        if special_byte(source[0]) or special_byte(source[size >> 1]) or special_byte(source[size - 1]):
            return 0
        target[0] = source[0]
        target[size >> 1] = source[size >> 1]
        target[size - 1] = source[size - 1]
    return size


cdef inline bint is_zero_date(const uint8_t *cell) noexcept nogil:
    return (
        (cell[5] == c"0" and cell[6] == c"0")
        or (cell[8] == c"0" and cell[9] == c"0")
        or (cell[0] == c"0" and cell[1] == c"0" and cell[2] == c"0" and cell[3] == c"0")
    )


cdef inline int infinite(const uint8_t *cell, size_t size) noexcept nogil:
    """1 or -1 for PostgreSQL's ``infinity`` and ``-infinity``, else 0."""
    if size == 8 and memcmp(cell, b"infinity", 8) == 0:
        return 1
    return -1 if size == 9 and memcmp(cell, b"-infinity", 9) == 0 else 0


cdef inline size_t year_digits(const uint8_t *cell, size_t size) noexcept nogil:
    """How many digits a date begins with, if there are at least four and a ``-`` follows; else 0."""
    cdef size_t digits = 0
    while digits < size and 48 <= cell[digits] <= 57:
        digits += 1
    return digits if digits >= 4 and digits < size and cell[digits] == c"-" else 0


cdef inline int ewkb_head(uint8_t *head, const uint8_t *cell, size_t size) noexcept nogil:
    """Make the first bytes of EWKB from a cell, which is SRID (4 bytes, little-endian), then WKB.

    Returns 9 with an SRID, 5 without (``head`` has as many bytes, the rest follows at ``cell + 9``), else MALFORMED.
    Source: PostGIS manual, "Extended WKB".
    """
    cdef int top
    cdef int i
    if size < 9 or cell[4] > 1:
        return MALFORMED
    top = 4 if cell[4] == 1 else 1  # where the type's highest byte is, with the flags
    memcpy(head, cell + 4, 5)
    if head[top] & 0x20:  # would have an SRID of its own
        return MALFORMED
    if cell[0] == 0 and cell[1] == 0 and cell[2] == 0 and cell[3] == 0:
        return 5
    head[top] |= 0x20
    for i in range(4):
        head[5 + i] = cell[i if top == 4 else 3 - i]
    return 9


cdef class RowEncoder:
    cdef Column *columns
    cdef Py_ssize_t width
    cdef int zero_dates
    cdef int nul_text
    cdef int special_values
    cdef bint busy
    cdef int row(self, Out *out, Cells *cells, Py_ssize_t first, Py_ssize_t row, Py_ssize_t *at) noexcept nogil
    cdef size_t estimate(self, Cells *cells, Py_ssize_t rows) noexcept nogil
    cdef tuple _encode(self, Cells *cells, Py_ssize_t first, Py_ssize_t rows)
    cdef int _rows(self, Out *out, Refusals *refusals, Cells *cells, Py_ssize_t first, Py_ssize_t rows) noexcept nogil
    cdef void _settle(self, bint written) noexcept nogil
    cdef void _add_up(self) noexcept nogil
    cdef void _forget(self) noexcept nogil
