"""What the sources of a COPY's messages share; see copystream.pyx."""

from mainstem.native.memory cimport FreeMemory

cdef enum:
    LARGE_BYTES = 0x400000  # a message of this size is passed on as it is, not copied


cdef class Messages:
    cdef char *held  # a message that did not fit into the batch, or is being looked at
    cdef size_t size
    cdef FreeMemory release

    cdef int _next(self) noexcept nogil
    cdef void _drop(self) noexcept nogil
