"""The batch that rows of a result set are gathered in; see rows.pyx."""

from libc.stdint cimport int32_t, uint8_t
from libc.stdlib cimport realloc

cdef enum:
    SLACK = 32  # short cells are copied as a whole piece of this size, so data buffers keep so much room at their end
    MAX_COLUMN = 0x7FFFFFFF  # int32 offsets
    LARGE_CELL = 0x400000  # a cell of this size is worth lending, not copying

    # What a row can come to.
    OK = 0
    COLUMN_FULL = -1
    NO_MEMORY = -2
    EMPTY_PACKET = -3
    MISSING_CELLS = -4
    TRAILING_BYTES = -5
    CELL_CUT = -6
    BAD_PREFIX = -7
    CELL_TOO_BIG = -8
    BIG_ERROR = -9
    INCOMPLETE = -10
    BAD_ROW = -11
    BAD_TIME = -12
    UNENDED_ROW = -13
    BAD_CELL = -14
    BAD_HEADER = -21


cdef struct Column:
    uint8_t *data
    size_t size
    size_t capacity
    size_t hint  # what the next batch will need
    int32_t *offsets
    uint8_t *validity  # NULL until the batch's first null
    const uint8_t *lent  # the batch's only cell, where it lies in somebody else's memory; else NULL


cdef inline int reserve(Column *column, size_t more) noexcept nogil:
    """Make room for so many bytes and SLACK; 0, or -1 without memory."""
    cdef size_t need = column.size + more + SLACK
    cdef size_t capacity
    cdef uint8_t *data
    if need <= column.capacity:
        return 0
    capacity = column.capacity * 2 if column.capacity else column.hint
    if capacity < need:
        capacity = need
    data = <uint8_t *> realloc(column.data, capacity)
    if data == NULL:
        return -1
    column.data = data
    column.capacity = capacity
    return 0


cdef class RowBatch:
    cdef Column *columns
    cdef Py_ssize_t width
    cdef size_t row_capacity  # of offsets (and one more) and of validity; a multiple of 64
    cdef size_t row_hint
    cdef bint busy
    cdef bint lends  # the memory that rows are read from may be kept
    cdef readonly bint lent  # and is, by the batch in progress
    cdef const uint8_t *lender  # where that memory begins
    cdef object owner  # which keeps it, and shows it from there on
    cdef readonly Py_ssize_t rows
    cdef readonly Py_ssize_t size_bytes
    cdef tuple _take_column(self, Column *column, tuple blocks, object lent)
    cdef int lend(self, Column *column, const uint8_t *cell, size_t size) noexcept nogil
    cdef int _grow_rows(self) noexcept nogil
    cdef int _row(self, const uint8_t *cell, const uint8_t *end, const uint8_t *readable) noexcept nogil
    cdef int cells(self, const uint8_t *cell, const uint8_t *end, const uint8_t *readable) noexcept nogil
    cdef int null(self, Column *column) noexcept nogil
    cdef void _forget_row(self) noexcept nogil


cdef class RowDecoder(RowBatch):
    cdef readonly Py_ssize_t needed
    cdef bint writable
    cdef int _feed(
        self, const uint8_t **at, const uint8_t *end, Py_ssize_t max_rows, Py_ssize_t max_bytes
    ) noexcept nogil
    cdef int _long_row(self, const uint8_t **at, const uint8_t *end) noexcept nogil
    cdef void _join(self, uint8_t *joined, const uint8_t *packet) noexcept nogil
    cdef const uint8_t *lenenc(
        self, Column *column, const uint8_t *cell, const uint8_t *end, const uint8_t *readable, int *code
    ) noexcept nogil
