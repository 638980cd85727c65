"""Values of MySQL's binary log as text cells: numbers, dates, times, addresses.

Each function writes at most TEXT_SIZE bytes and returns how many, or -1 for a value that does not exist.

Source: MySQL source documentation, "Rows_event"; manual, "Date and Time Data Type Representation" and "DECIMAL Data
Type Characteristics"; MariaDB source, `Field_datetime_hires`, `Inet6::to_string` and `UUID::record_to_memory`.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from mainstem.native.digits cimport big, digits, little, pair

cdef enum:
    TEXT_SIZE = 96  # a DECIMAL of 65 digits with all that stands around them
    MAX_DIGITS = 65
    GROUP_DIGITS = 9  # of a DECIMAL, in four bytes
    MICROSECONDS = 6
    MAX_TIME_SECONDS = 3020399  # 838:59:59


cdef inline uint32_t power(int exponent) noexcept nogil:
    cdef uint32_t value = 1
    while exponent > 0:
        value *= 10
        exponent -= 1
    return value


cdef inline int fraction(uint8_t *text, uint32_t micros, int count) noexcept nogil:
    """The point and so many of the six digits."""
    cdef uint8_t[8] six
    if count == 0:
        return 0
    digits(six, micros, MICROSECONDS)
    text[0] = c"."
    memcpy(text + 1, six, count)
    return count + 1


cdef inline int date_text(uint8_t *text, uint32_t year, uint32_t month, uint32_t day) noexcept nogil:
    cdef int size
    if year > 9999 or month > 12 or day > 31:
        return -1
    size = digits(text, year, 4)
    size += pair(text + size, c"-", month)
    return size + pair(text + size, c"-", day)


cdef inline int clock_text(
    uint8_t *text, uint32_t hour, uint32_t minute, uint32_t second, uint32_t micros, int count
) noexcept nogil:
    """``HH:MM:SS`` and the fraction; hours may have three digits."""
    cdef int size
    if hour > 838 or minute > 59 or second > 59 or micros > 999999:
        return -1
    size = digits(text, hour, 2)
    size += pair(text + size, c":", minute)
    size += pair(text + size, c":", second)
    return size + fraction(text + size, micros, count)


cdef inline int moment_text(
    uint8_t *text, uint32_t year, uint32_t month, uint32_t day, uint32_t hour, uint32_t minute, uint32_t second,
    uint32_t micros, int count
) noexcept nogil:
    cdef int size = date_text(text, year, month, day)
    cdef int clock
    if size < 0 or hour > 23:
        return -1
    text[size] = c" "
    clock = clock_text(text + size + 1, hour, minute, second, micros, count)
    return -1 if clock < 0 else size + 1 + clock


cdef inline int instant_text(uint8_t *text, uint32_t seconds, uint32_t micros, int count) noexcept nogil:
    """Seconds since 1970, UTC; the zero is the date that is none."""
    cdef uint32_t days = seconds // 86400
    cdef uint32_t rest = seconds % 86400
    cdef uint32_t era, of_era, year, of_year, month
    if seconds == 0 and micros == 0:
        return moment_text(text, 0, 0, 0, 0, 0, 0, 0, count)
    # Years that begin in March, in eras of 400: the leap day is the last.
    days += 719468
    era = days // 146097
    of_era = days % 146097
    year = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    days = of_year - (153 * month + 2) // 5 + 1
    year += era * 400 + (month >= 10)
    month = month + 3 if month < 10 else month - 9
    return moment_text(text, year, month, days, rest // 3600, rest // 60 % 60, rest % 60, micros, count)


cdef inline int packed_moment(uint8_t *text, uint64_t value, uint32_t micros, bint date, int count) noexcept nogil:
    """Year * 13 + month, day, hour, minute and second in 5, 5, 6 and 6 bits."""
    cdef uint64_t months = value >> 22
    cdef uint32_t day = value >> 17 & 31
    if months > 9999 * 13 + 12:
        return -1
    if date:
        return date_text(text, <uint32_t> months // 13, <uint32_t> months % 13, day)
    return moment_text(
        text, <uint32_t> months // 13, <uint32_t> months % 13, day, value >> 12 & 31, value >> 6 & 63, value & 63,
        micros, count,
    )


cdef inline int fraction_bytes(int count) noexcept nogil:
    return (count + 1) // 2


cdef inline uint32_t micros_of(uint64_t value, int count) noexcept nogil:
    """What stands in the bytes of a fraction, which hold an even number of digits."""
    return <uint32_t> value * power(MICROSECONDS - (count + 1) // 2 * 2)


cdef inline int datetime2_text(uint8_t *text, const uint8_t *cell, int count) noexcept nogil:
    cdef uint64_t value = big(cell, 5)
    cdef uint64_t part = big(cell + 5, fraction_bytes(count))
    if not value >> 39 or part > 999999:
        return -1
    return packed_moment(text, value & (<uint64_t> 1 << 39) - 1, micros_of(part, count), False, count)


cdef inline int timestamp2_text(uint8_t *text, const uint8_t *cell, int count) noexcept nogil:
    cdef uint64_t part = big(cell + 4, fraction_bytes(count))
    if part > 999999:
        return -1
    return instant_text(text, <uint32_t> big(cell, 4), micros_of(part, count), count)


cdef inline int span_text(uint8_t *text, bint negative, uint64_t clock, uint32_t micros, int count) noexcept nogil:
    """Hours, minutes and seconds in 10, 6 and 6 bits."""
    cdef int size
    if clock >> 22:
        return -1
    text[0] = c"-"
    size = clock_text(text + negative, clock >> 12, clock >> 6 & 63, clock & 63, micros, count)
    return -1 if size < 0 else size + negative


cdef inline int time2_text(uint8_t *text, const uint8_t *cell, int count) noexcept nogil:
    cdef int part = fraction_bytes(count)
    cdef uint64_t value = big(cell, 3 + part)
    cdef uint64_t zero = <uint64_t> 0x800000 << (8 * part)
    cdef bint negative = value < zero
    value = zero - value if negative else value - zero
    if (value & (<uint64_t> 1 << (8 * part)) - 1) > 999999:
        return -1
    return span_text(
        text, negative, value >> (8 * part), micros_of(value & (<uint64_t> 1 << (8 * part)) - 1, count), count
    )


cdef inline int old_date_text(uint8_t *text, const uint8_t *cell) noexcept nogil:
    cdef uint32_t value = <uint32_t> little(cell, 3)
    return date_text(text, value >> 9, value >> 5 & 15, value & 31)


cdef inline int scaled_moment(uint8_t *text, uint64_t value, int count) noexcept nogil:
    """MariaDB's own DATETIME with a fraction: all parts as one number, of which the fraction is the lowest digits."""
    cdef uint64_t scale = power(count)
    cdef uint32_t micros = <uint32_t> (value % scale) * power(MICROSECONDS - count)
    cdef uint32_t second, minute, hour, day, month
    value //= scale
    second = value % 60
    value //= 60
    minute = value % 60
    value //= 60
    hour = value % 24
    value //= 24
    day = value % 32
    value //= 32
    month = value % 13
    value //= 13
    if value > 9999:
        return -1
    return moment_text(text, <uint32_t> value, month, day, hour, minute, second, micros, count)


cdef inline int old_datetime_text(uint8_t *text, const uint8_t *cell, int count) noexcept nogil:
    cdef uint64_t value
    cdef uint64_t date
    cdef uint32_t clock
    if count:
        return scaled_moment(text, big(cell, old_datetime_bytes(count)), count)
    value = little(cell, 8)
    date = value // 1000000
    clock = <uint32_t> (value % 1000000)
    if date // 10000 > 9999:
        return -1
    return moment_text(
        text, <uint32_t> (date // 10000), date // 100 % 100, date % 100, clock // 10000, clock // 100 % 100,
        clock % 100, 0, 0,
    )


cdef inline int old_datetime_bytes(int count) noexcept nogil:
    return 8 if count == 0 or count == 6 else 6 if count < 3 else 7


cdef inline int old_timestamp_text(uint8_t *text, const uint8_t *cell, int count) noexcept nogil:
    cdef uint64_t part
    if not count:
        return instant_text(text, <uint32_t> little(cell, 4), 0, 0)
    part = big(cell + 4, fraction_bytes(count))
    if part >= power(count):
        return -1
    return instant_text(text, <uint32_t> big(cell, 4), <uint32_t> part * power(MICROSECONDS - count), count)


cdef inline int old_time_bytes(int count) noexcept nogil:
    return 3 if count == 0 else 4 if count < 3 else 6 if count == 6 else 5


cdef inline int old_time_text(uint8_t *text, const uint8_t *cell, int count) noexcept nogil:
    cdef int64_t value
    cdef int64_t scale = power(count)
    cdef bint negative
    cdef int size
    if count:
        value = <int64_t> big(cell, old_time_bytes(count)) - (<int64_t> MAX_TIME_SECONDS + 1) * scale
        negative = value < 0
        value = -value if negative else value
        if value // scale > MAX_TIME_SECONDS:
            return -1
        text[0] = c"-"
        size = clock_text(
            text + negative, value // scale // 3600, value // scale // 60 % 60, value // scale % 60,
            <uint32_t> (value % scale) * power(MICROSECONDS - count), count,
        )
        return -1 if size < 0 else size + negative
    value = <int64_t> little(cell, 3)
    negative = value >> 23 != 0
    if negative:
        value = 0x1000000 - value
    text[0] = c"-"
    size = clock_text(text + negative, value // 10000, value // 100 % 100, value % 100, 0, 0)
    return -1 if size < 0 else size + negative


cdef inline int group_bytes(int count) noexcept nogil:
    """Bytes of a group of 0 to 9 digits of a DECIMAL."""
    return (count + 1) // 2 if count < 8 else 4


cdef inline int decimal_bytes(int precision, int scale) noexcept nogil:
    cdef int whole = precision - scale
    return (
        whole // GROUP_DIGITS * 4 + group_bytes(whole % GROUP_DIGITS)
        + scale // GROUP_DIGITS * 4 + group_bytes(scale % GROUP_DIGITS)
    )


cdef inline const uint8_t *decimal_group(
    uint8_t *text, const uint8_t *cell, int count, uint8_t flip, uint8_t first
) noexcept nogil:
    """Write so many digits of one group; returns where the next begins, or NULL. ``first`` undoes the sign bit."""
    cdef int width = group_bytes(count)
    cdef uint64_t value = 0
    cdef int i
    for i in range(width):
        value = value << 8 | (cell[i] ^ flip ^ (first if i == 0 else 0))
    if value >= power(count):
        return NULL
    digits(text, value, count)
    return cell + width


cdef inline int decimal_text(uint8_t *text, const uint8_t *cell, int precision, int scale) noexcept nogil:
    cdef int whole = precision - scale
    cdef uint8_t flip = 0 if cell[0] & 0x80 else 0xFF
    cdef uint8_t first = 0x80
    cdef uint8_t[MAX_DIGITS + GROUP_DIGITS] all_digits
    cdef int at = 0
    cdef int count = whole % GROUP_DIGITS
    cdef int size = 0
    cdef int skip = 0
    while at < whole:
        if count:
            cell = decimal_group(all_digits + at, cell, count, flip, first)
            if cell == NULL:
                return -1
            first = 0
        at += count
        count = GROUP_DIGITS
    while at < precision:
        count = GROUP_DIGITS if precision - at > GROUP_DIGITS else precision - at
        cell = decimal_group(all_digits + at, cell, count, flip, first)
        if cell == NULL:
            return -1
        first = 0
        at += count
    while skip < whole and all_digits[skip] == 48:
        skip += 1
    if flip:
        text[0] = c"-"
        size = 1
    if skip == whole:
        text[size] = 48
        size += 1
    else:
        memcpy(text + size, all_digits + skip, whole - skip)
        size += whole - skip
    if scale:
        text[size] = c"."
        memcpy(text + size + 1, all_digits + whole, scale)
        size += scale + 1
    return size


cdef inline int hex_byte(uint8_t *text, uint8_t value) noexcept nogil:
    cdef const char *letters = b"0123456789abcdef"
    text[0] = letters[value >> 4]
    text[1] = letters[value & 15]
    return 2


cdef inline int uuid_text(uint8_t *text, const uint8_t *cell, bint always) noexcept nogil:
    """MariaDB stores the parts of most UUIDs in reverse order, so that those of one server lie together."""
    cdef const uint8_t *order
    cdef int size = 0
    cdef int i
    cdef bint swapped = always or (cell[6] & 0x80 and 0 < cell[8] <= 0x80)
    order = b"\x0c\x0d\x0e\x0f\x0a\x0b\x08\x09\x06\x07\x00\x01\x02\x03\x04\x05"
    for i in range(16):
        if i == 4 or i == 6 or i == 8 or i == 10:
            text[size] = c"-"
            size += 1
        size += hex_byte(text + size, cell[order[i]] if swapped else cell[i])
    return size


cdef inline int inet4_text(uint8_t *text, const uint8_t *cell) noexcept nogil:
    cdef int size = 0
    cdef int i
    for i in range(4):
        if i:
            text[size] = c"."
            size += 1
        size += digits(text + size, cell[i], 1)
    return size


cdef inline int inet6_word(uint8_t *text, const uint8_t *cell) noexcept nogil:
    """Up to four hex digits without leading zeros."""
    cdef uint8_t[4] four
    cdef int skip = 0
    hex_byte(four, cell[0])
    hex_byte(four + 2, cell[1])
    while skip < 3 and four[skip] == 48:
        skip += 1
    memcpy(text, four + skip, 4 - skip)
    return 4 - skip


cdef inline int inet6_text(uint8_t *text, const uint8_t *cell) noexcept nogil:
    """The first of the longest runs of zero words is left out; an IPv4 address behind it is printed as one."""
    cdef int gap = -1
    cdef int longest = 0
    cdef int run = 0
    cdef int size = 0
    cdef int i
    for i in range(8):
        run = run + 1 if cell[2 * i] == 0 and cell[2 * i + 1] == 0 else 0
        if run > longest:
            longest = run
            gap = i - run + 1
    i = 0
    while i < 8:
        if i == gap:
            if i == 0:
                text[size] = c":"
                size += 1
            text[size] = c":"
            size += 1
            i += longest
            continue
        if i == 6 and gap == 0 and (longest == 6 or (longest == 5 and cell[10] == 0xFF and cell[11] == 0xFF)):
            return size + inet4_text(text + size, cell + 12)
        size += inet6_word(text + size, cell + 2 * i)
        if i < 7:
            text[size] = c":"
            size += 1
        i += 1
    return size
