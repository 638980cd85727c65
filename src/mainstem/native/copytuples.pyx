# cython: language_level=3
"""Rows of PostgreSQL's COPY binary format, whose fields are texts or bytes → Arrow column buffers.

Why: in the text format bytes are sent in hex, and a row of 100 MiB takes twice as much of libpq's memory and ours.

Source: PostgreSQL manual, "COPY", "Binary Format".
"""

from libc.stdint cimport int32_t, uint8_t, uint64_t

from mainstem.native.copyheader cimport FIELD_NULL, HEADER_SIZE, TRAILER, begins
from mainstem.native.copyrows cimport CopyDecoder, plain
from mainstem.native.digits cimport big
from mainstem.native.rows cimport (
    BAD_HEADER, CELL_TOO_BIG, COLUMN_FULL, LARGE_CELL, MAX_COLUMN, MISSING_CELLS, NO_MEMORY, OK, SLACK, TRAILING_BYTES,
    Column, reserve,
)

cdef enum:
    TEXT = 0  # of `CopyOp`


cdef class TupleDecoder(CopyDecoder):
    """Turns tuples of COPY TO's binary format into batches of ``binary`` columns. For one thread at a time."""

    cdef bint begun
    cdef bint ended

    cdef int add(self, const uint8_t *row, size_t size) noexcept nogil:
        """Append a message: a tuple, with the header before the first; or the trailer."""
        cdef const uint8_t *end = row + size
        cdef int code = OK
        if not self.begun:
            if not begins(row, size):
                return BAD_HEADER
            row += HEADER_SIZE
        if row != end:
            code = self._tuple(row, end)
        if code == OK:
            self.begun = True
        return code

    cdef int _tuple(self, const uint8_t *row, const uint8_t *end) noexcept nogil:
        if self.ended:
            return TRAILING_BYTES
        if end - row < 2:
            return MISSING_CELLS
        if big(row, 2) == TRAILER and end - row == 2:
            self.ended = True
            return OK
        return self._row(row + 2, end, end) if big(row, 2) == <uint64_t> self.width else MISSING_CELLS

    cdef int cells(self, const uint8_t *cell, const uint8_t *end, const uint8_t *readable) noexcept nogil:
        cdef Column *column
        cdef size_t size
        cdef Py_ssize_t i
        cdef int code
        for i in range(self.width):
            column = &self.columns[i]
            if end - cell < 4:
                return MISSING_CELLS
            size = big(cell, 4)
            cell += 4
            if size == FIELD_NULL:
                if self.null(column) < 0:
                    return NO_MEMORY
            elif size > <size_t> (end - cell):
                return MISSING_CELLS
            else:
                code = self._field(column, self.ops[i], cell, size)
                if code != OK:
                    return code
                cell += size
            column.offsets[self.rows + 1] = <int32_t> column.size
        return OK if cell == end else TRAILING_BYTES

    cdef int _field(self, Column *column, int op, const uint8_t *cell, size_t size) noexcept nogil:
        cdef Py_ssize_t written
        cdef int lent = 0
        if size >= LARGE_CELL and op == TEXT:
            lent = self.lend(column, cell, size)
        if lent:
            return OK if lent > 0 else lent
        if size + SLACK > MAX_COLUMN - column.size:
            return COLUMN_FULL if self.rows else CELL_TOO_BIG
        if column.size + size + SLACK > column.capacity and reserve(column, size) < 0:
            return NO_MEMORY
        written = plain(op, column.data + column.size, cell, size)
        if written < 0:
            return <int> written
        column.size += written
        self.size_bytes += written
        return OK
