from libc.stdint cimport uint8_t

ctypedef void (*FreeMemory)(void *start) noexcept nogil


cdef class Block:
    cdef uint8_t *start
    cdef Py_ssize_t size
    cdef void *base  # what is freed, if it is another library's
    cdef FreeMemory release

    cdef void own(self, uint8_t *start, size_t size) noexcept
    cdef void adopt(self, void *base, FreeMemory release, uint8_t *start, size_t size) noexcept
