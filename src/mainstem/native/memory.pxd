from libc.stdint cimport uint8_t


cdef class Block:
    cdef uint8_t *start
    cdef Py_ssize_t size

    cdef void own(self, uint8_t *start, size_t size) noexcept
