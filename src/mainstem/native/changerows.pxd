"""Change events of one table in column buffers; see changerows.pyx."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from mainstem.native.rows cimport Column, RowBatch

cdef enum:
    # The values of `model.change.Op`.
    INSERT = 1
    UPDATE = 2
    DELETE = 3

    # What a change can come to besides those of rows.pxd.
    BAD_TUPLE = -30
    WRONG_WIDTH = -31
    BINARY_CELL = -32
    NO_IDENTITY = -33
    NOT_SENT = -34


cdef struct Cell:
    const uint8_t *data
    size_t size
    uint8_t kind  # n: null, u: unchanged and not sent, t: text
    bint mapped  # lies in a file that is mapped


cdef class ChangeRows(RowBatch):
    cdef int *ops
    cdef int *parameters
    cdef Py_ssize_t after  # columns of the row as it is now; those of its identity follow
    cdef bint mixed  # the batch holds more than INSERTs, so the identity's columns are filled
    cdef uint8_t *changes
    cdef int64_t *seqs
    cdef uint8_t **absent  # by column: a bit for each event, or NULL
    cdef uint8_t *_grown(self, uint8_t *bits, size_t capacity) noexcept nogil
    cdef int _mix(self) noexcept nogil
    cdef int _put(self, Column *column, Py_ssize_t number, const Cell *cell, const uint8_t *readable) noexcept nogil
    cdef Py_ssize_t _put_large(self, uint8_t *to, int op, const Cell *cell) noexcept nogil
    cdef int _skip(self, Py_ssize_t number) noexcept nogil
    cdef int _after(self, Relation relation, bint whole, const uint8_t *readable) noexcept nogil
    cdef int _before(self, Relation relation, const Cell *cells, const uint8_t *readable) noexcept nogil
    cdef int change(
        self, Relation relation, int op, uint8_t old, int64_t seq, const uint8_t *readable
    ) noexcept nogil


cdef class Relation:
    cdef readonly uint32_t oid
    cdef readonly ChangeRows rows  # None: nothing of it is followed
    cdef int width
    cdef int *sources  # for each column of `rows`: the number of the one that is sent, or -1
    cdef bint mapped  # the tuples lie in a file that is mapped
    cdef uint64_t since  # transactions that committed before this position are left out
    cdef Cell *new
    cdef Cell *old
    cdef int read(self, Cell *cells, const uint8_t **at, const uint8_t *end) noexcept nogil
