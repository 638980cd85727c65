"""The decoder of COPY's text format; see copyrows.pyx."""

from libc.stdint cimport uint8_t

from mainstem.native.rows cimport Column, RowBatch


cdef Py_ssize_t unhex(uint8_t *to, const uint8_t *digits, size_t size) noexcept nogil
cdef Py_ssize_t plain(int op, uint8_t *to, const uint8_t *cell, size_t size) noexcept nogil


cdef class CopyDecoder(RowBatch):
    cdef int *ops
    cdef int add(self, const uint8_t *row, size_t size) noexcept nogil
    cdef int _cell(
        self, Column *column, int op, const uint8_t *cell, size_t size, const uint8_t *readable
    ) noexcept nogil
