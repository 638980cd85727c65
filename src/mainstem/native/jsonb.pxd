"""MySQL's binary JSON; see jsonb.pyx."""

from libc.stdint cimport uint8_t

from mainstem.native.rows cimport Column

cdef int json_text(Column *column, const uint8_t *document, size_t size) noexcept nogil
