# cython: language_level=3
"""Memory that compiled loops have filled, as Python objects."""

from cpython.buffer cimport PyBuffer_FillInfo
from libc.stdlib cimport free


cdef class Block:
    """Bytes made by a compiled loop, freed with the object. Read-only; wrap it by ``pyarrow.py_buffer`` or
    ``memoryview`` without a copy."""

    def __dealloc__(self):
        if self.release != NULL:
            self.release(self.base)
        else:
            free(self.start)

    def __len__(self):
        return self.size

    def __getbuffer__(self, Py_buffer *view, int flags):
        PyBuffer_FillInfo(view, self, self.start, self.size, 1, flags)

    cdef void own(self, uint8_t *start, size_t size) noexcept:
        # Blocks are made empty first, so that a failing allocation of the object loses no memory.
        self.start = start
        self.size = <Py_ssize_t> size

    cdef void adopt(self, void *base, FreeMemory release, uint8_t *start, size_t size) noexcept:
        """The same for memory that another library has given, of which the bytes are a part."""
        self.own(start, size)
        self.base = base
        self.release = release
