"""Integers of either byte order, and their digits."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t


cdef inline uint64_t little(const uint8_t *start, int width) noexcept nogil:
    cdef uint64_t value = 0
    cdef int i
    for i in range(width):
        value |= <uint64_t> start[i] << (8 * i)
    return value


cdef inline uint64_t big(const uint8_t *start, int width) noexcept nogil:
    cdef uint64_t value = 0
    cdef int i
    for i in range(width):
        value = value << 8 | start[i]
    return value


cdef inline int digits(uint8_t *text, uint64_t value, int least) noexcept nogil:
    """A number with at least so many digits."""
    cdef uint8_t[20] reverse
    cdef int size = 0
    cdef int i
    while value or size < least:
        reverse[size] = 48 + <uint8_t> (value % 10)
        value //= 10
        size += 1
    for i in range(size):
        text[i] = reverse[size - 1 - i]
    return size


cdef inline int unsigned_text(uint8_t *text, uint64_t value) noexcept nogil:
    return digits(text, value, 1)


cdef inline int signed_text(uint8_t *text, uint64_t value, int width) noexcept nogil:
    """A two's complement of so many bytes."""
    if not value >> (8 * width - 1) & 1:
        return digits(text, value, 1)
    if width < 8:
        value |= ~<uint64_t> 0 << (8 * width)
    text[0] = c"-"
    return digits(text + 1, 0 - value, 1) + 1


cdef inline int pair(uint8_t *text, uint8_t before, uint32_t value) noexcept nogil:
    """A separator and two digits."""
    text[0] = before
    text[1] = 48 + <uint8_t> (value // 10 % 10)
    text[2] = 48 + <uint8_t> (value % 10)
    return 3
