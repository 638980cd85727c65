"""What frames the rows of COPY's binary format.

Source: PostgreSQL manual, "COPY", "Binary Format".
"""

from libc.stdint cimport uint8_t
from libc.string cimport memcmp

from mainstem.native.digits cimport big

cdef enum:
    SIGNATURE_SIZE = 11
    HEADER_SIZE = 19  # signature, flags, size of the extension
    FIELD_NULL = 0xFFFFFFFF
    TRAILER = 0xFFFF


cdef inline bint begins(const uint8_t *data, size_t size) noexcept nogil:
    """Whether there is a header without flags and extension."""
    return (
        size >= HEADER_SIZE
        and memcmp(data, b"PGCOPY\n\xff\r\n\0", SIGNATURE_SIZE) == 0
        and big(data + SIGNATURE_SIZE, 8) == 0
    )
