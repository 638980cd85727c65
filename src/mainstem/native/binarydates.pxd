"""Dates, times and intervals as the fields of COPY's binary format, each with its length before it.

Source: PostgreSQL source, `date_recv`, `timestamp_recv`, `time_recv`, `interval_recv`.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp

from mainstem.native.binarynumbers cimport is_digit, put32, put64
from mainstem.native.encoding cimport (
    CHANGED_EPOCH, CHANGED_NULL, MALFORMED, OK, POLICY_ERROR, ZERO_DATE, ZERO_DATE_NULL, Column, Out, infinite,
    is_zero_date, year_digits,
)

cdef enum:
    DAYS_TO_2000 = 10957  # from 1970-01-01
    DAY_S = 86400
    MAX_YEAR_DIGITS = 7
    MAX_TIMESTAMP_DAY = 107000000  # whose microseconds 64 bits hold; beyond the last day of the type

cdef extern from "<stdint.h>":
    const int32_t INT32_MAX
    const int32_t INT32_MIN
    const int64_t INT64_MAX
    const int64_t INT64_MIN


cdef inline int two_digits(const uint8_t *text) noexcept nogil:
    """Two digits, or -1."""
    if is_digit(text[0]) and is_digit(text[1]):
        return (text[0] - 48) * 10 + text[1] - 48
    return -1


cdef inline int day_of(const uint8_t *cell, size_t digits, bint before_christ, int64_t *day) noexcept nogil:
    """Days since 2000-01-01 of ``Y…Y-MM-DD`` in the proleptic Gregorian calendar; MALFORMED for no such day.

    There are so many digits of the year, and six bytes more.
    """
    cdef int month = two_digits(cell + digits + 1)
    cdef int date = two_digits(cell + digits + 4)
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
    limit = 30 + ((month + (month >> 3)) & 1)
    if month == 2:
        limit = 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    if date < 1 or date > limit:
        return MALFORMED
    # Years that begin in March: the leap day is their last.
    shifted = year - (month <= 2)
    era = shifted // 400
    of_era = shifted - era * 400
    of_era = of_era * 365 + of_era // 4 - of_era // 100 + (153 * (month - 3 if month > 2 else month + 9) + 2) // 5
    day[0] = era * 146097 + of_era + date - 1 - 719468 - DAYS_TO_2000
    return OK


cdef inline int clock_of(const uint8_t *cell, size_t size, int hour_digits, int64_t *micros) noexcept nogil:
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
        if not is_digit(cell[i]):
            return MALFORMED
        hours = hours * 10 + cell[i] - 48
    cell += hour_digits
    size -= hour_digits
    minute = two_digits(cell + 1)
    second = two_digits(cell + 4)
    if cell[0] != c":" or cell[3] != c":" or minute < 0 or minute > 59 or second < 0 or second > 59:
        return MALFORMED
    if size > 6:
        if cell[6] != c"." or size == 7 or size > 13:
            return MALFORMED
        for i in range(7, size):
            if not is_digit(cell[i]):
                return MALFORMED
            fraction = fraction * 10 + cell[i] - 48
            digits += 1
        while digits < 6:
            fraction *= 10
            digits += 1
    micros[0] = ((hours * 60 + minute) * 60 + second) * 1000000 + fraction
    return OK


cdef inline int put_day(Out *out, int64_t day, int64_t micros, bint with_time) noexcept nogil:
    """MALFORMED for a day beyond what the type's bits hold."""
    if with_time:
        if day > MAX_TIMESTAMP_DAY or day < -MAX_TIMESTAMP_DAY:
            return MALFORMED
        put32(out, 8)
        put64(out, <uint64_t> (day * DAY_S * 1000000 + micros))
        return OK
    if day >= INT32_MAX or day <= INT32_MIN:
        return MALFORMED
    put32(out, 4)
    put32(out, <uint32_t> <int32_t> day)
    return OK


cdef inline void put_infinity(Out *out, int sign, bint with_time) noexcept nogil:
    if with_time:
        put32(out, 8)
        put64(out, <uint64_t> (INT64_MAX if sign > 0 else INT64_MIN))
    else:
        put32(out, 4)
        put32(out, <uint32_t> (INT32_MAX if sign > 0 else INT32_MIN))


cdef inline int put_date(
    Out *out, Column *column, const uint8_t *cell, size_t size, int zero_dates, bint with_time
) noexcept nogil:
    cdef int64_t day = 0
    cdef int64_t micros = 0
    cdef int sign = infinite(cell, size)
    cdef size_t digits = year_digits(cell, size)
    cdef size_t head = digits + 6
    cdef bint before_christ
    if sign:
        put_infinity(out, sign, with_time)
        return OK
    if not 4 <= digits <= MAX_YEAR_DIGITS or size < head:
        return MALFORMED
    if digits == 4 and is_zero_date(cell):
        if zero_dates == POLICY_ERROR:
            return ZERO_DATE
        out.changed = True
        if zero_dates == ZERO_DATE_NULL:
            column.change = CHANGED_NULL
            put32(out, 0xFFFFFFFF)
            return OK
        column.change = CHANGED_EPOCH
        day = -DAYS_TO_2000
    else:
        before_christ = size >= head + 3 and memcmp(cell + size - 3, b" BC", 3) == 0
        if before_christ:
            size -= 3
        if day_of(cell, digits, before_christ, &day) != OK:
            return MALFORMED
        if size > head:
            if not with_time or (cell[head] != c" " and cell[head] != c"T"):
                return MALFORMED
            if clock_of(cell + head + 1, size - head - 1, 2, &micros) != OK:
                return MALFORMED
            if micros >= <int64_t> DAY_S * 1000000:
                return MALFORMED
    return put_day(out, day, micros, with_time)


cdef inline int put_time(Out *out, const uint8_t *cell, size_t size) noexcept nogil:
    cdef int64_t micros = 0
    if clock_of(cell, size, 2, &micros) != OK or micros > <int64_t> DAY_S * 1000000:
        return MALFORMED
    put32(out, 8)
    put64(out, <uint64_t> micros)
    return OK


cdef inline int put_interval(Out *out, const uint8_t *cell, size_t size) noexcept nogil:
    cdef int64_t micros = 0
    cdef bint negative = size > 0 and cell[0] == c"-"
    cdef int hour_digits = 0
    cell += negative
    size -= negative
    while <size_t> hour_digits < size and is_digit(cell[hour_digits]):
        hour_digits += 1
    if hour_digits == 0 or hour_digits > 6 or clock_of(cell, size, hour_digits, &micros) != OK:
        return MALFORMED
    put32(out, 16)
    put64(out, <uint64_t> (-micros if negative else micros))
    put64(out, 0)  # days and months
    return OK
