"""Numbers as the fields of COPY's binary format, each with its length before it.

Source: PostgreSQL source, the receive functions of the types (`numeric_recv` and others).
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp

from mainstem.native.encoding cimport MALFORMED, NO_MEMORY, OK, Out, room

cdef enum:
    NUMERIC_DIGITS = 16383  # the server's limit of digits behind the point
    NUMERIC_SIGN = 0x4000


cdef inline void put16(Out *out, uint32_t value) noexcept nogil:
    out.start[out.size] = value >> 8 & 255
    out.start[out.size + 1] = value & 255
    out.size += 2


cdef inline void put32(Out *out, uint32_t value) noexcept nogil:
    cdef uint8_t *target = out.start + out.size
    target[0] = value >> 24
    target[1] = value >> 16 & 255
    target[2] = value >> 8 & 255
    target[3] = value & 255
    out.size += 4


cdef inline void put64(Out *out, uint64_t value) noexcept nogil:
    put32(out, <uint32_t> (value >> 32))
    put32(out, <uint32_t> value)


cdef inline bint is_digit(uint8_t letter) noexcept nogil:
    return 48 <= letter <= 57


cdef inline int put_integer(Out *out, const uint8_t *cell, size_t size, int width) noexcept nogil:
    """Digits with an optional sign, of a value that fits into so many bytes."""
    cdef bint negative = size > 0 and cell[0] == c"-"
    cdef size_t i = 1 if negative else 0
    cdef uint64_t value = 0
    cdef uint64_t top = (<uint64_t> 1 << 63) >> (8 - width) * 8
    cdef uint64_t tenth = <uint64_t> 0xFFFFFFFFFFFFFFFF // 10
    cdef uint8_t digit
    if i == size or size > 40:
        return MALFORMED
    while i < size:
        if not is_digit(cell[i]):
            return MALFORMED
        digit = cell[i] - 48
        if value > tenth or (value == tenth and digit > 5):
            return MALFORMED
        value = value * 10 + digit
        i += 1
    if value > top or (value == top and not negative):
        return MALFORMED
    if negative:
        value = 0 - value
    put32(out, width)
    if width == 8:
        put64(out, value)
    elif width == 4:
        put32(out, <uint32_t> value)
    else:
        put16(out, <uint32_t> (value & 0xFFFF))
    return OK


cdef inline int put_float(Out *out, const uint8_t *cell, size_t size, size_t width) noexcept nogil:
    cdef size_t i
    if size != width:
        return MALFORMED
    put32(out, <uint32_t> width)
    for i in range(width):
        out.start[out.size + i] = cell[width - 1 - i]
    out.size += width
    return OK


cdef inline int special_sign(const uint8_t *cell, size_t size) noexcept nogil:
    """The sign that stands for the whole of a numeric that has no digits; else 0."""
    if size == 3 and memcmp(cell, b"NaN", 3) == 0:
        return 0xC000
    if size == 8 and memcmp(cell, b"Infinity", 8) == 0:
        return 0xD000
    return 0xF000 if size == 9 and memcmp(cell, b"-Infinity", 9) == 0 else 0


cdef inline int put_numeric(Out *out, const uint8_t *cell, size_t size) noexcept nogil:
    """Base 10,000: number of digits, weight of the first, sign, digits behind the point, the digits."""
    cdef int special = special_sign(cell, size)
    cdef bint negative = size > 0 and cell[0] == c"-"
    cdef const uint8_t *whole = cell + negative
    cdef const uint8_t *end = cell + size
    cdef const uint8_t *point = whole
    cdef const uint8_t *fraction
    cdef size_t head
    cdef int weight
    cdef int groups = 0
    cdef size_t start
    cdef int trailing = 0
    cdef int value
    cdef int i
    if special:
        put32(out, 8)
        put32(out, 0)
        put32(out, <uint32_t> special << 16)
        return OK
    while point < end and is_digit(point[0]):
        point += 1
    fraction = point + (point < end)
    if whole + (end - whole == 1 and whole[0] == c".") == end or (point < end and point[0] != c"."):
        return MALFORMED
    cell = fraction
    while cell < end:
        if not is_digit(cell[0]):
            return MALFORMED
        cell += 1
    if end - fraction > NUMERIC_DIGITS or point - whole > 4 * NUMERIC_DIGITS:
        return MALFORMED
    if room(out, 16 + (end - whole)) < 0:
        return NO_MEMORY
    while whole < point and whole[0] == c"0":
        whole += 1
    weight = <int> ((point - whole + 3) // 4) - 1
    start = out.size
    out.size += 12
    head = (point - whole) & 3
    while whole < point:
        value = 0
        for i in range(<int> (head if head else 4)):
            value = value * 10 + (whole[i] - 48)
        whole += head if head else 4
        head = 0
        groups += 1
        trailing = 0 if value else trailing + 1
        put16(out, value)
    while fraction < end:
        value = 0
        for i in range(4):
            value = value * 10 + (fraction[i] - 48 if fraction + i < end else 0)
        fraction += 4
        if groups == 0 and value == 0:
            weight -= 1
            continue
        groups += 1
        trailing = 0 if value else trailing + 1
        put16(out, value)
    groups -= trailing
    out.size = start
    put32(out, 8 + 2 * groups)
    put16(out, groups)
    put16(out, <uint32_t> (weight if groups else 0) & 0xFFFF)
    put16(out, NUMERIC_SIGN if negative and groups else 0)
    put16(out, <uint32_t> (end - point - 1 if end > point else 0))
    out.size += 2 * groups
    return OK
