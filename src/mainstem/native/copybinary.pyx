# cython: language_level=3
"""Arrow ``binary`` columns of text cells → PostgreSQL's COPY binary format.

Why: the server spends most of a COPY in text format on parsing. In binary format it takes the benchmark's rows at less
than half the cost (docs/adr/0003).

Source: PostgreSQL manual, "COPY", File Formats, Binary Format; the layout of each type is that of its send function.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy

from mainstem.native.encoding cimport (
    BAD_OFFSETS, CHANGED_EPOCH, CHANGED_NULL, CHANGED_REPLACED, CHANGED_STRIPPED, MALFORMED, NO_MEMORY, NUL_IN_TEXT,
    NUL_STRIP, OK, POLICY_ERROR, ZERO_DATE, ZERO_DATE_NULL, Cells, Column, Out, RowEncoder, data_bytes,
    ewkb_head, infinite, is_zero_date, offset_at, room, valid, year_digits,
)

from mainstem.native.ops import BinaryOp

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"

cdef enum:
    # The values of `BinaryOp`.
    INT2 = 0
    INT4 = 1
    INT8 = 2
    FLOAT4 = 3
    FLOAT8 = 4
    NUMERIC = 5
    BOOL = 6
    BIT_BOOL = 7
    TEXT = 8
    JSONB = 9
    BYTEA = 10
    BITS = 11
    SET_ARRAY = 12
    DATE = 13
    TIMESTAMP = 14
    TIME = 15
    INTERVAL = 16
    UUID = 17
    EWKB = 18

    TEXT_OID = 25
    NUMERIC_DIGITS = 16383  # the server's limit of digits behind the point
    NUMERIC_SIGN = 0x4000
    DAYS_TO_2000 = 10957  # from 1970-01-01
    DAY_S = 86400
    MAX_YEAR_DIGITS = 7
    MAX_TIMESTAMP_DAY = 107000000  # whose microseconds 64 bits hold; beyond the last day of the type

cdef extern from "<stdint.h>":
    const int32_t INT32_MAX
    const int32_t INT32_MIN
    const int64_t INT64_MAX
    const int64_t INT64_MIN

cdef uint64_t INT64_TOP = <uint64_t> 1 << 63
cdef uint64_t TENTH = <uint64_t> 0xFFFFFFFFFFFFFFFF // 10
cdef int[13] MONTH_DAYS


def _fill_tables():
    for i, days in enumerate((0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)):
        MONTH_DAYS[i] = days


_fill_tables()


cdef inline void _u16(Out *out, uint32_t value) noexcept nogil:
    out.start[out.size] = value >> 8 & 255
    out.start[out.size + 1] = value & 255
    out.size += 2


cdef inline void _u32(Out *out, uint32_t value) noexcept nogil:
    cdef uint8_t *target = out.start + out.size
    target[0] = value >> 24
    target[1] = value >> 16 & 255
    target[2] = value >> 8 & 255
    target[3] = value & 255
    out.size += 4


cdef inline void _u64(Out *out, uint64_t value) noexcept nogil:
    _u32(out, <uint32_t> (value >> 32))
    _u32(out, <uint32_t> value)


cdef inline bint _digit(uint8_t letter) noexcept nogil:
    return 48 <= letter <= 57


cdef int _integer(Out *out, const uint8_t *cell, size_t size, int width) noexcept nogil:
    """Digits with an optional sign, of a value that fits into so many bytes."""
    cdef bint negative = size > 0 and cell[0] == c"-"
    cdef size_t i = 1 if negative else 0
    cdef uint64_t value = 0
    cdef uint64_t top = INT64_TOP >> (8 - width) * 8
    cdef uint8_t digit
    if i == size or size > 40:
        return MALFORMED
    while i < size:
        if not _digit(cell[i]):
            return MALFORMED
        digit = cell[i] - 48
        if value > TENTH or (value == TENTH and digit > 5):
            return MALFORMED
        value = value * 10 + digit
        i += 1
    if value > top or (value == top and not negative):
        return MALFORMED
    if negative:
        value = 0 - value
    _u32(out, width)
    if width == 8:
        _u64(out, value)
    elif width == 4:
        _u32(out, <uint32_t> value)
    else:
        _u16(out, <uint32_t> (value & 0xFFFF))
    return OK


cdef int _float(Out *out, const uint8_t *cell, size_t size, size_t width) noexcept nogil:
    cdef size_t i
    if size != width:
        return MALFORMED
    _u32(out, <uint32_t> width)
    for i in range(width):
        out.start[out.size + i] = cell[width - 1 - i]
    out.size += width
    return OK


cdef inline int _special_sign(const uint8_t *cell, size_t size) noexcept nogil:
    """The sign that stands for the whole of a numeric that has no digits; else 0."""
    if size == 3 and memcmp(cell, b"NaN", 3) == 0:
        return 0xC000
    if size == 8 and memcmp(cell, b"Infinity", 8) == 0:
        return 0xD000
    return 0xF000 if size == 9 and memcmp(cell, b"-Infinity", 9) == 0 else 0


cdef int _numeric(Out *out, const uint8_t *cell, size_t size) noexcept nogil:
    """Base 10,000: number of digits, weight of the first, sign, digits behind the point, the digits."""
    cdef int special = _special_sign(cell, size)
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
        _u32(out, 8)
        _u32(out, 0)
        _u32(out, <uint32_t> special << 16)
        return OK
    while point < end and _digit(point[0]):
        point += 1
    fraction = point + (point < end)
    if whole + (end - whole == 1 and whole[0] == c".") == end or (point < end and point[0] != c"."):
        return MALFORMED
    cell = fraction
    while cell < end:
        if not _digit(cell[0]):
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
        _u16(out, value)
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
        _u16(out, value)
    groups -= trailing
    out.size = start
    _u32(out, 8 + 2 * groups)
    _u16(out, groups)
    _u16(out, <uint32_t> (weight if groups else 0) & 0xFFFF)
    _u16(out, NUMERIC_SIGN if negative and groups else 0)
    _u16(out, <uint32_t> (end - point - 1 if end > point else 0))
    out.size += 2 * groups
    return OK


cdef void _length(Out *out, size_t mark) noexcept nogil:
    """Write the length of what stands behind its four bytes at ``mark``."""
    cdef size_t end = out.size
    out.size = mark
    _u32(out, <uint32_t> (end - mark - 4))
    out.size = end


cdef int _bytes(Out *out, const uint8_t *cell, size_t size) noexcept nogil:
    if room(out, size) < 0:
        return NO_MEMORY
    memcpy(out.start + out.size, cell, size)
    out.size += size
    return OK


cdef int _characters(Out *out, Column *column, const uint8_t *cell, size_t size, int nul) noexcept nogil:
    """Text without NUL, or with what the policy makes of it."""
    cdef const uint8_t *stop
    cdef size_t part
    while size:
        stop = <const uint8_t *> memchr(cell, 0, size)
        part = size if stop == NULL else stop - cell
        if _bytes(out, cell, part) < 0:
            return NO_MEMORY
        if stop == NULL:
            return OK
        if nul == POLICY_ERROR:
            return NUL_IN_TEXT
        out.changed = True
        column.change = CHANGED_STRIPPED if nul == NUL_STRIP else CHANGED_REPLACED
        if nul != NUL_STRIP and _bytes(out, b"\xef\xbf\xbd", 3) < 0:
            return NO_MEMORY
        cell += part + 1
        size -= part + 1
    return OK


cdef int _text(Out *out, Column *column, const uint8_t *cell, size_t size, int nul, bint version) noexcept nogil:
    cdef size_t mark = out.size
    cdef int code
    if size > 0x7FFFFF00:
        return MALFORMED
    out.size += 4
    if version:
        out.start[out.size] = 1
        out.size += 1
    code = _characters(out, column, cell, size, nul)
    if code == OK:
        _length(out, mark)
    return code


cdef int _set(Out *out, Column *column, const uint8_t *cell, size_t size, int nul) noexcept nogil:
    """text[]: dimensions, flags, element type; then length and lower bound, and each element with its length."""
    cdef size_t mark = out.size
    cdef size_t element
    cdef size_t count_at
    cdef const uint8_t *end = cell + size
    cdef const uint8_t *stop
    cdef uint32_t count = 0
    cdef int code
    out.size += 4
    _u32(out, 1 if size else 0)
    _u32(out, 0)
    _u32(out, TEXT_OID)
    if size:
        count_at = out.size
        _u32(out, 0)
        _u32(out, 1)
        while True:
            stop = <const uint8_t *> memchr(cell, c",", end - cell)
            if stop == NULL:
                stop = end
            if room(out, 4) < 0:
                return NO_MEMORY
            element = out.size
            out.size += 4
            code = _characters(out, column, cell, stop - cell, nul)
            if code != OK:
                return code
            _length(out, element)
            count += 1
            if stop == end:
                break
            cell = stop + 1
        element = out.size
        out.size = count_at
        _u32(out, count)
        out.size = element
    _length(out, mark)
    return OK


cdef int _bits(Out *out, const uint8_t *cell, size_t size, Py_ssize_t length) noexcept nogil:
    """Right-aligned bytes in, left-aligned bits out."""
    cdef size_t i
    cdef int spare = <int> (size * 8 - length)
    cdef uint8_t next
    if size != <size_t> (length + 7) // 8 or cell[0] >> (8 - spare):
        return MALFORMED
    if room(out, size) < 0:
        return NO_MEMORY
    _u32(out, <uint32_t> (4 + size))
    _u32(out, <uint32_t> length)
    for i in range(size):
        next = cell[i + 1] if i + 1 < size else 0
        out.start[out.size + i] = (cell[i] << spare | next >> (8 - spare)) & 255
    out.size += size
    return OK


cdef inline int _pair(const uint8_t *text) noexcept nogil:
    """Two digits, or -1."""
    if _digit(text[0]) and _digit(text[1]):
        return (text[0] - 48) * 10 + text[1] - 48
    return -1


cdef int _day(const uint8_t *cell, size_t digits, bint before_christ, int64_t *day) noexcept nogil:
    """Days since 2000-01-01 of ``Y…Y-MM-DD`` in the proleptic Gregorian calendar; MALFORMED for no such day.

    There are so many digits of the year, and six bytes more.
    """
    cdef int month = _pair(cell + digits + 1)
    cdef int date = _pair(cell + digits + 4)
    cdef int64_t year = 0
    cdef int limit
    cdef int64_t shifted
    cdef int64_t era
    cdef int64_t of_era
    cdef size_t i
    for i in range(digits):
        year = year * 10 + cell[i] - 48
    if month < 1 or month > 12 or cell[digits + 3] != c"-" or (before_christ and year == 0):
        return MALFORMED
    if before_christ:
        year = 1 - year  # the year before 1 is 1 BC
    limit = MONTH_DAYS[month]
    if month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0):
        limit = 29
    if date < 1 or date > limit:
        return MALFORMED
    # Years that begin in March: the leap day is their last.
    shifted = year - (month <= 2)
    era = shifted // 400
    of_era = shifted - era * 400
    of_era = of_era * 365 + of_era // 4 - of_era // 100 + (153 * (month - 3 if month > 2 else month + 9) + 2) // 5
    day[0] = era * 146097 + of_era + date - 1 - 719468 - DAYS_TO_2000
    return OK


cdef int _clock(const uint8_t *cell, size_t size, int hour_digits, int64_t *micros) noexcept nogil:
    """Microseconds of ``H…H:MM:SS[.f…]`` with so many digits of hours."""
    cdef int64_t hours = 0
    cdef int minute
    cdef int second
    cdef int64_t fraction = 0
    cdef size_t i
    cdef int digits = 0
    if size < <size_t> hour_digits + 6:
        return MALFORMED
    for i in range(hour_digits):
        if not _digit(cell[i]):
            return MALFORMED
        hours = hours * 10 + cell[i] - 48
    cell += hour_digits
    size -= hour_digits
    minute = _pair(cell + 1)
    second = _pair(cell + 4)
    if cell[0] != c":" or cell[3] != c":" or minute < 0 or minute > 59 or second < 0 or second > 59:
        return MALFORMED
    if size > 6:
        if cell[6] != c"." or size == 7 or size > 13:
            return MALFORMED
        for i in range(7, size):
            if not _digit(cell[i]):
                return MALFORMED
            fraction = fraction * 10 + cell[i] - 48
            digits += 1
        while digits < 6:
            fraction *= 10
            digits += 1
    micros[0] = ((hours * 60 + minute) * 60 + second) * 1000000 + fraction
    return OK


cdef int _put_date(Out *out, int64_t day, int64_t micros, bint with_time) noexcept nogil:
    """MALFORMED for a day beyond what the type's bits hold."""
    if with_time:
        if day > MAX_TIMESTAMP_DAY or day < -MAX_TIMESTAMP_DAY:
            return MALFORMED
        _u32(out, 8)
        _u64(out, <uint64_t> (day * DAY_S * 1000000 + micros))
        return OK
    if day >= INT32_MAX or day <= INT32_MIN:
        return MALFORMED
    _u32(out, 4)
    _u32(out, <uint32_t> <int32_t> day)
    return OK


cdef void _put_infinity(Out *out, int sign, bint with_time) noexcept nogil:
    if with_time:
        _u32(out, 8)
        _u64(out, <uint64_t> (INT64_MAX if sign > 0 else INT64_MIN))
    else:
        _u32(out, 4)
        _u32(out, <uint32_t> (INT32_MAX if sign > 0 else INT32_MIN))


cdef int _date(
    Out *out, Column *column, const uint8_t *cell, size_t size, int zero_dates, bint with_time
) noexcept nogil:
    cdef int64_t day = 0
    cdef int64_t micros = 0
    cdef int sign = infinite(cell, size)
    cdef size_t digits = year_digits(cell, size)
    cdef size_t head = digits + 6
    cdef bint before_christ
    if sign:
        _put_infinity(out, sign, with_time)
        return OK
    if not 4 <= digits <= MAX_YEAR_DIGITS or size < head:
        return MALFORMED
    if digits == 4 and is_zero_date(cell):
        if zero_dates == POLICY_ERROR:
            return ZERO_DATE
        out.changed = True
        if zero_dates == ZERO_DATE_NULL:
            column.change = CHANGED_NULL
            _u32(out, 0xFFFFFFFF)
            return OK
        column.change = CHANGED_EPOCH
        day = -DAYS_TO_2000
    else:
        before_christ = size >= head + 3 and memcmp(cell + size - 3, b" BC", 3) == 0
        if before_christ:
            size -= 3
        if _day(cell, digits, before_christ, &day) != OK:
            return MALFORMED
        if size > head:
            if not with_time or (cell[head] != c" " and cell[head] != c"T"):
                return MALFORMED
            if _clock(cell + head + 1, size - head - 1, 2, &micros) != OK:
                return MALFORMED
            if micros >= <int64_t> DAY_S * 1000000:
                return MALFORMED
    return _put_date(out, day, micros, with_time)


cdef int _time(Out *out, const uint8_t *cell, size_t size) noexcept nogil:
    cdef int64_t micros = 0
    if _clock(cell, size, 2, &micros) != OK or micros > <int64_t> DAY_S * 1000000:
        return MALFORMED
    _u32(out, 8)
    _u64(out, <uint64_t> micros)
    return OK


cdef int _interval(Out *out, const uint8_t *cell, size_t size) noexcept nogil:
    cdef int64_t micros = 0
    cdef bint negative = size > 0 and cell[0] == c"-"
    cdef int hour_digits = 0
    cell += negative
    size -= negative
    while <size_t> hour_digits < size and _digit(cell[hour_digits]):
        hour_digits += 1
    if hour_digits == 0 or hour_digits > 6 or _clock(cell, size, hour_digits, &micros) != OK:
        return MALFORMED
    _u32(out, 16)
    _u64(out, <uint64_t> (-micros if negative else micros))
    _u64(out, 0)  # days and months
    return OK


cdef inline int _nibble(uint8_t letter) noexcept nogil:
    if _digit(letter):
        return letter - 48
    letter |= 32
    return letter - 87 if 97 <= letter <= 102 else -1


cdef int _uuid(Out *out, const uint8_t *cell, size_t size) noexcept nogil:
    cdef int i = 0
    cdef int count = 0
    cdef int high
    cdef int low
    if size != 36:
        return MALFORMED
    _u32(out, 16)
    while i < 36:
        if i == 8 or i == 13 or i == 18 or i == 23:
            if cell[i] != c"-":
                return MALFORMED
            i += 1
        high = _nibble(cell[i])
        low = _nibble(cell[i + 1])
        if high < 0 or low < 0:
            return MALFORMED
        out.start[out.size + count] = high << 4 | low
        count += 1
        i += 2
    out.size += 16
    return OK


cdef int _ewkb(Out *out, const uint8_t *cell, size_t size) noexcept nogil:
    cdef uint8_t[9] head
    cdef int length = ewkb_head(head, cell, size)
    if length == MALFORMED:
        return MALFORMED
    _u32(out, <uint32_t> (size - 9 + length))
    if _bytes(out, head, length) < 0:
        return NO_MEMORY
    return _bytes(out, cell + 9, size - 9)


cdef int _one(Out *out, uint8_t value) noexcept nogil:
    _u32(out, 1)
    out.start[out.size] = value
    out.size += 1
    return OK


cdef int _write(Out *out, Column *column, const uint8_t *cell, size_t size, int zero_dates, int nul) noexcept nogil:
    """Write a cell with its length; there is room for SLACK bytes."""
    cdef int op = column.op
    if op == INT2 or op == INT4 or op == INT8:
        return _integer(out, cell, size, 2 << op)
    if op == TEXT or op == JSONB:
        return _text(out, column, cell, size, nul, op == JSONB)
    if op == NUMERIC:
        return _numeric(out, cell, size)
    if op == DATE or op == TIMESTAMP:
        return _date(out, column, cell, size, zero_dates, op == TIMESTAMP)
    if op == FLOAT8:
        return _float(out, cell, size, 8)
    if op == FLOAT4:
        return _float(out, cell, size, 4)
    if op == BOOL:
        if size != 1 or (cell[0] != c"0" and cell[0] != c"1"):
            return MALFORMED
        return _one(out, cell[0] - 48)
    if op == BIT_BOOL:
        return _one(out, cell[0] != 0) if size == 1 else MALFORMED
    if op == BYTEA:
        if size > 0x7FFFFF00:
            return MALFORMED
        _u32(out, <uint32_t> size)
        return _bytes(out, cell, size)
    if op == BITS:
        return _bits(out, cell, size, column.length)
    if op == SET_ARRAY:
        return _set(out, column, cell, size, nul)
    if op == TIME:
        return _time(out, cell, size)
    if op == INTERVAL:
        return _interval(out, cell, size)
    if op == UUID:
        return _uuid(out, cell, size)
    return _ewkb(out, cell, size)


cdef class CopyBinaryEncoder(RowEncoder):
    """Writes tuples of COPY's binary format. For one thread at a time."""

    def __init__(self, ops, parameters, str zero_dates, str nul_text):
        if len(ops) > 1664:
            raise ValueError("PostgreSQL has no tables of more than 1,664 columns")
        for i, (op, length) in enumerate(zip(ops, parameters)):
            if BinaryOp(op) == BITS and length < 1:
                raise ValueError(f"column {i} is written as bits and needs a length of at least 1")

    cdef int row(self, Out *out, Cells *cells, Py_ssize_t first, Py_ssize_t row, Py_ssize_t *at) noexcept nogil:
        """Write a row: the number of its fields, then each with its length, -1 for null."""
        cdef Py_ssize_t column
        cdef uint64_t begin
        cdef uint64_t end
        cdef int code
        if room(out, 0) < 0:
            return NO_MEMORY
        _u16(out, <uint32_t> self.width)
        for column in range(self.width):
            at[0] = column
            if room(out, 0) < 0:
                return NO_MEMORY
            if not valid(&cells[column], first + row):
                _u32(out, 0xFFFFFFFF)
                continue
            begin = offset_at(cells[column].offsets, row)
            end = offset_at(cells[column].offsets, row + 1)
            if begin > end or end > cells[column].data_size:
                return BAD_OFFSETS
            code = _write(
                out, &self.columns[column], cells[column].data + begin, end - begin, self.zero_dates, self.nul_text
            )
            if code != OK:
                return code
        return OK

    cdef size_t estimate(self, Cells *cells, Py_ssize_t rows) noexcept nogil:
        """The cells' own bytes, and what goes around them."""
        cdef uint64_t total = 1024 + rows * (2 + 8 * self.width)
        cdef Py_ssize_t i
        for i in range(self.width):
            total += data_bytes(&cells[i], rows)
        return total
