"""A value of a row image as the text cell that it becomes."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from mainstem.native.binlogcells cimport (
    datetime2_text, decimal_text, inet4_text, inet6_text, old_date_text, old_datetime_text, old_time_text,
    old_timestamp_text, time2_text, timestamp2_text, uuid_text,
)
from mainstem.native.digits cimport digits, little, signed_text
from mainstem.native.rows cimport SLACK

cdef enum:
    # The values of `BinlogOp`.
    INT = 0
    UINT = 1
    FLOAT = 2
    DECIMAL = 3
    YEAR = 4
    DATE = 5
    DATETIME2 = 6
    TIMESTAMP2 = 7
    TIME2 = 8
    DATETIME = 9
    TIMESTAMP = 10
    TIME = 11
    BIT = 12
    ENUM = 13
    SET = 14
    BYTES = 15
    PADDED = 16
    JSON = 17
    COMPRESSED = 18
    UUID = 19
    INET4 = 20
    INET6 = 21
    NOTHING = 22


cdef struct Form:
    int op
    int width
    int extra
    int prefix  # bytes of the length in front; 0 where all values have the same size
    int size  # that size
    const uint8_t *labels  # joined; each ends where the next begins
    uint32_t *ends
    int count
    bint has_default  # the cell of a new row whose image lacks the column is known
    const uint8_t *default_cell  # NULL is a null
    size_t default_size


cdef inline void _copy(uint8_t *to, const uint8_t *cell, size_t size, const uint8_t *readable) noexcept nogil:
    """Short cells as a whole piece, which needs no loop."""
    if size <= SLACK and readable - cell >= SLACK:
        memcpy(to, cell, SLACK)
    else:
        memcpy(to, cell, size)


cdef inline int _label(Form *form, uint8_t *text, uint64_t number) noexcept nogil:
    """A label by its number, from 1 on."""
    cdef uint32_t start
    if number > <uint64_t> form.count:
        return -1
    if number == 0:
        return 0
    start = form.ends[number - 1]
    memcpy(text, form.labels + start, form.ends[number] - start)
    return <int> (form.ends[number] - start)


cdef inline int _labels(Form *form, uint8_t *text, uint64_t bits) noexcept nogil:
    cdef int size = 0
    cdef int i
    if form.count < 64 and bits >> form.count:
        return -1
    for i in range(form.count):
        if bits >> i & 1:
            if size:
                text[size] = c","
                size += 1
            size += _label(form, text + size, i + 1)
    return size


cdef inline int _padded(uint8_t *text, const uint8_t *cell, size_t size, size_t full) noexcept nogil:
    if size > full:
        return -1
    memcpy(text, cell, size)
    memset(text + size, 0, full - size)
    return <int> full


cdef inline int _address(int op, int extra, uint8_t *text, const uint8_t *cell, size_t size) noexcept nogil:
    """Trailing zero bytes are not in the log."""
    cdef uint8_t[16] whole
    if _padded(whole, cell, size, 4 if op == INET4 else 16) < 0:
        return -1
    if op == UUID:
        return uuid_text(text, whole, extra)
    return inet4_text(text, whole) if op == INET4 else inet6_text(text, whole)


cdef inline int _year(uint8_t *text, uint8_t value) noexcept nogil:
    return digits(text, value + 1900 if value else 0, 4)


cdef inline int convert(
    Form *form, uint8_t *text, const uint8_t *cell, size_t size, const uint8_t *readable
) noexcept nogil:
    """Write a value's text; returns its size, or -1 for a value that does not exist."""
    if form.op == BYTES or form.op == FLOAT or form.op == BIT:
        _copy(text, cell, size, readable)
        return <int> size
    if form.op == INT:
        return signed_text(text, little(cell, form.width), form.width)
    if form.op == UINT:
        return digits(text, little(cell, form.width), 1)
    if form.op == DATETIME2:
        return datetime2_text(text, cell, form.extra)
    if form.op == TIMESTAMP2:
        return timestamp2_text(text, cell, form.extra)
    if form.op == TIME2:
        return time2_text(text, cell, form.extra)
    if form.op == DECIMAL:
        return decimal_text(text, cell, form.width, form.extra)
    if form.op == DATE:
        return old_date_text(text, cell)
    if form.op == YEAR:
        return _year(text, cell[0])
    if form.op == ENUM:
        return _label(form, text, little(cell, form.width))
    if form.op == SET:
        return _labels(form, text, little(cell, form.width))
    if form.op == PADDED:
        return _padded(text, cell, size, form.extra)
    if form.op == DATETIME:
        return old_datetime_text(text, cell, form.extra)
    if form.op == TIMESTAMP:
        return old_timestamp_text(text, cell, form.extra)
    if form.op == TIME:
        return old_time_text(text, cell, form.extra)
    if form.op == NOTHING:
        return -1
    return _address(form.op, form.extra, text, cell, size)
