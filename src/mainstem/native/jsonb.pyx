# cython: language_level=3
"""MySQL's binary JSON → the text that the server prints.

Source: MySQL source documentation, "json_binary.h"; what is printed: `Json_wrapper::to_string` and, of floating-point
numbers, `my_gcvt`.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.stdlib cimport free, strtod
from libc.string cimport memcpy, memset

from mainstem.native.binlogcells cimport (
    TEXT_SIZE, decimal_bytes, decimal_text, hex_byte, packed_moment, span_text,
)
from mainstem.native.digits cimport digits, little, signed_text, unsigned_text
from mainstem.native.rows cimport BAD_CELL, COLUMN_FULL, MAX_COLUMN, NO_MEMORY, OK, Column, reserve

from mainstem.errors import WireError

cdef enum:
    SMALL_OBJECT = 0
    LARGE_OBJECT = 1
    SMALL_ARRAY = 2
    LARGE_ARRAY = 3
    LITERAL = 4
    INT16 = 5
    UINT16 = 6
    INT32 = 7
    UINT32 = 8
    INT64 = 9
    UINT64 = 10
    DOUBLE = 11
    STRING = 12
    OPAQUE = 15

    OPAQUE_TIMESTAMP = 7
    OPAQUE_DATE = 10
    OPAQUE_TIME = 11
    OPAQUE_DATETIME = 12
    OPAQUE_DECIMAL = 246
    OPAQUE_STRING = 253

    MAX_DEPTH = 100  # of the server's own documents
    LINE = 76  # characters of base64 before a newline
    MOST_PLAIN = 15  # digits before the point, or zeros behind it, of a number without exponent


cdef struct Document:
    Column *column
    const uint8_t *end
    size_t budget  # bytes that may still be read: a document that reads its parts twice is none


cdef inline int _room(Column *column, size_t more) noexcept nogil:
    if more > MAX_COLUMN - column.size:
        return COLUMN_FULL
    if column.size + more + 64 > column.capacity and reserve(column, more + 64) < 0:
        return NO_MEMORY
    return OK


cdef inline int _put(Column *column, const char *text, size_t size) noexcept nogil:
    cdef int code = _room(column, size)
    if code == OK:
        memcpy(column.data + column.size, text, size)
        column.size += size
    return code


cdef inline int _advance(Column *column, int size) noexcept nogil:
    """Keep what was written behind the column's end."""
    if size < 0:
        return BAD_CELL
    column.size += size
    return OK


cdef int _quoted(Column *column, const uint8_t *text, size_t size) noexcept nogil:
    """A string in double quotes with the escapes that it needs."""
    cdef size_t at = 0
    cdef size_t start
    cdef uint8_t letter
    cdef int code = _put(column, b'"', 1)
    while code == OK and at < size:
        start = at
        while at < size and text[at] >= 0x20 and text[at] != c'"' and text[at] != c"\\":
            at += 1
        code = _put(column, <const char *> text + start, at - start)
        if code != OK or at == size:
            continue
        letter = text[at]
        at += 1
        code = _room(column, 8)
        if code == OK:
            column.size += _escape(column.data + column.size, letter)
    return code if code != OK else _put(column, b'"', 1)


cdef inline int _escape(uint8_t *text, uint8_t letter) noexcept nogil:
    text[0] = c"\\"
    text[1] = letter
    if letter == c"\b":
        text[1] = c"b"
    elif letter == c"\t":
        text[1] = c"t"
    elif letter == c"\n":
        text[1] = c"n"
    elif letter == c"\f":
        text[1] = c"f"
    elif letter == c"\r":
        text[1] = c"r"
    elif letter < 0x20:
        memcpy(text + 1, <const char *> b"u00", 3)
        return 4 + hex_byte(text + 4, letter)
    return 2


cdef bint _next_up(char *text) noexcept nogil:
    """Count the last digit up: around a power of two the next decimal may read back where the nearest does not."""
    cdef int i = 0
    while text[i] != c"e":
        i += 1
    while i > 0:
        i -= 1
        if 48 <= text[i] < 57:
            text[i] += 1
            return True
        if text[i] == 57:
            text[i] = 48
    return False


cdef int _double(Column *column, double value) noexcept nogil:
    """As few digits as read back to the same value; an exponent where there would be many zeros."""
    cdef char[40] text
    cdef char[20] found
    cdef uint8_t *out
    cdef int count = 1 if -2.3e-308 < value < 2.3e-308 else 15
    cdef int exponent, i
    cdef int code
    if value - value != 0:
        return BAD_CELL
    code = _room(column, TEXT_SIZE)
    if code != OK:
        return code
    while True:
        snprintf(text, 40, b"%.*e", count - 1, value)
        if count == 17 or strtod(text, NULL) == value:
            break
        if count == 16 and _next_up(text) and strtod(text, NULL) == value:
            break
        count += 1
    out = column.data + column.size
    i = 0
    if text[0] == c"-":
        out[0] = c"-"
        column.size += 1
        i = 1
    count = 0
    while text[i] != c"e":
        if 48 <= text[i] <= 57:
            found[count] = text[i]
            count += 1
        i += 1
    while count > 1 and found[count - 1] == 48:
        count -= 1
    exponent = _exponent(text + i + 1)
    column.size += _spread(column.data + column.size, found, count, exponent + 1)
    return OK


cdef inline int _exponent(const char *text) noexcept nogil:
    """Of what snprintf writes: a sign, and two digits or three."""
    cdef int value = 0
    cdef int i = 1
    while text[i]:
        value = value * 10 + text[i] - 48
        i += 1
    return -value if text[0] == c"-" else value


cdef int _spread(uint8_t *out, const char *found, int count, int point) noexcept nogil:
    """Digits with the point behind so many of them (before them where that is not positive)."""
    cdef int size = 0
    if -MOST_PLAIN < point <= 0:
        out[0] = 48
        out[1] = c"."
        memset(out + 2, 48, -point)
        memcpy(out + 2 - point, found, count)
        return 2 - point + count
    if 0 < point <= MOST_PLAIN or 0 < point < count:
        if count <= point:
            memcpy(out, found, count)
            memset(out + count, 48, point - count)
            out[point] = c"."
            out[point + 1] = 48
            return point + 2
        memcpy(out, found, point)
        out[point] = c"."
        memcpy(out + point + 1, found + point, count - point)
        return count + 1
    out[0] = found[0]
    size = 1
    if count > 1:
        out[1] = c"."
        memcpy(out + 2, found + 1, count - 1)
        size = count + 1
    out[size] = c"e"
    size += 1
    point -= 1
    if point < 0:
        out[size] = c"-"
        size += 1
        point = -point
    return size + digits(out + size, point, 1)


cdef inline const uint8_t *_length(const uint8_t *at, const uint8_t *end, size_t *size) noexcept nogil:
    """A length of seven bits in each byte; NULL where it is cut or too long."""
    cdef int i
    size[0] = 0
    for i in range(5):
        if at >= end:
            return NULL
        size[0] |= <size_t> (at[0] & 0x7F) << (7 * i)
        at += 1
        if not at[-1] & 0x80:
            return at if size[0] <= <size_t> (end - at) else NULL
    return NULL


cdef inline int _spend(Document *document, size_t size) noexcept nogil:
    if size > document.budget:
        return BAD_CELL
    document.budget -= size
    return OK


cdef int _base64(Column *column, uint8_t kind, const uint8_t *data, size_t size) noexcept nogil:
    """A value of a type that JSON does not know: ``"base64:type15:…"``."""
    cdef const char *letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    cdef uint8_t *out
    cdef size_t at = 0
    cdef size_t line = 0
    cdef uint32_t three
    cdef int left
    cdef int code = _room(column, 40 + (size + 2) // 3 * 4 + size // 57 * 2)
    if code != OK:
        return code
    out = column.data + column.size
    memcpy(out, <const char *> b'"base64:type', 12)
    out += 12
    out += digits(out, kind, 1)
    out[0] = c":"
    out += 1
    while at < size:
        if line == LINE:
            out[0] = c"\\"
            out[1] = c"n"
            out += 2
            line = 0
        left = 3 if size - at >= 3 else <int> (size - at)
        three = <uint32_t> data[at] << 16
        if left > 1:
            three |= <uint32_t> data[at + 1] << 8
        if left > 2:
            three |= data[at + 2]
        out[0] = letters[three >> 18]
        out[1] = letters[three >> 12 & 63]
        out[2] = letters[three >> 6 & 63] if left > 1 else c"="
        out[3] = letters[three & 63] if left > 2 else c"="
        out += 4
        line += 4
        at += left
    out[0] = c'"'
    column.size = out + 1 - column.data
    return OK


cdef int _packed(Column *column, uint8_t kind, const uint8_t *data, size_t size) noexcept nogil:
    """A date or time in eight bytes, in quotes, with six digits behind the point."""
    cdef int64_t value
    cdef bint negative
    cdef uint8_t *out
    cdef uint32_t micros
    cdef int length
    cdef int code = _room(column, TEXT_SIZE)
    if code != OK:
        return code
    if size != 8:
        return BAD_CELL
    value = <int64_t> little(data, 8)
    negative = value < 0
    if negative:
        if kind != OPAQUE_TIME or value == <int64_t> (<uint64_t> 1 << 63):
            return BAD_CELL
        value = -value
    micros = value & 0xFFFFFF
    out = column.data + column.size
    out[0] = c'"'
    if kind == OPAQUE_TIME:
        length = span_text(out + 1, negative, value >> 24, micros, 6)
    else:
        length = packed_moment(out + 1, value >> 24, micros, kind == OPAQUE_DATE, 6)
    if length < 0:
        return BAD_CELL
    out[length + 1] = c'"'
    column.size += length + 2
    return OK


cdef int _opaque(Document *document, const uint8_t *at) noexcept nogil:
    cdef Column *column = document.column
    cdef uint8_t kind
    cdef size_t size
    if at >= document.end:
        return BAD_CELL
    kind = at[0]
    at = _length(at + 1, document.end, &size)
    if at == NULL or _spend(document, size) != OK:
        return BAD_CELL
    if kind == OPAQUE_STRING:
        return _quoted(column, at, size)
    if kind == OPAQUE_DECIMAL:
        return _decimal(column, at, size)
    if kind == OPAQUE_DATE or kind == OPAQUE_TIME or kind == OPAQUE_DATETIME or kind == OPAQUE_TIMESTAMP:
        return _packed(column, kind, at, size)
    return _base64(column, kind, at, size)


cdef int _decimal(Column *column, const uint8_t *data, size_t size) noexcept nogil:
    """Its precision and scale in a byte each, then as in a column."""
    cdef int code = _room(column, TEXT_SIZE)
    if code != OK:
        return code
    if size < 3 or not 1 <= data[0] <= 65 or data[1] > 30 or data[1] > data[0]:
        return BAD_CELL
    if size - 2 < <size_t> decimal_bytes(data[0], data[1]):
        return BAD_CELL
    return _advance(column, decimal_text(column.data + column.size, data + 2, data[0], data[1]))


cdef int _scalar(Document *document, int kind, const uint8_t *at) noexcept nogil:
    cdef Column *column = document.column
    cdef int width = 2 if kind <= UINT16 else 4 if kind <= UINT32 else 8
    cdef uint64_t bits
    cdef double value
    cdef int code = _room(column, TEXT_SIZE)
    if code != OK:
        return code
    if document.end - at < width:
        return BAD_CELL
    bits = little(at, width)
    if kind == DOUBLE:
        memcpy(&value, &bits, 8)
        return _double(column, value)
    if kind == INT16 or kind == INT32 or kind == INT64:
        return _advance(column, signed_text(column.data + column.size, bits, width))
    return _advance(column, unsigned_text(column.data + column.size, bits))


cdef int _literal(Column *column, uint64_t which) noexcept nogil:
    if which == 0:
        return _put(column, b"null", 4)
    if which == 1:
        return _put(column, b"true", 4)
    return _put(column, b"false", 5) if which == 2 else BAD_CELL


cdef int _value(Document *document, int kind, const uint8_t *at, int depth) noexcept nogil:
    cdef size_t size
    if kind <= LARGE_ARRAY:
        return _container(document, kind, at, depth + 1)
    if kind == LITERAL:
        return _literal(document.column, at[0]) if at < document.end else BAD_CELL
    if kind <= DOUBLE:
        return _scalar(document, kind, at)
    if kind == STRING:
        at = _length(at, document.end, &size)
        if at == NULL or _spend(document, size) != OK:
            return BAD_CELL
        return _quoted(document.column, at, size)
    return _opaque(document, at) if kind == OPAQUE else BAD_CELL


cdef int _element(Document *document, const uint8_t *start, const uint8_t *entry, int wide, int depth) noexcept nogil:
    """A value by its entry: its type, and itself where it is small, else its place in the container."""
    cdef int kind = entry[0]
    cdef uint64_t place
    if kind == INT16 or kind == UINT16 or (wide == 4 and (kind == INT32 or kind == UINT32)):
        return _scalar(document, kind, entry + 1)
    place = little(entry + 1, wide)
    if kind == LITERAL:
        return _literal(document.column, place)
    if place >= <uint64_t> (document.end - start):
        return BAD_CELL
    return _value(document, kind, start + place, depth)


cdef int _key(Document *document, const uint8_t *start, const uint8_t *entry, int wide) noexcept nogil:
    cdef uint64_t place = little(entry, wide)
    cdef size_t size = little(entry + wide, 2)
    cdef int code
    if place > <uint64_t> (document.end - start) or size > <uint64_t> (document.end - start) - place:
        return BAD_CELL
    if _spend(document, size) != OK:
        return BAD_CELL
    code = _quoted(document.column, start + place, size)
    return code if code != OK else _put(document.column, b": ", 2)


cdef int _container(Document *document, int kind, const uint8_t *start, int depth) noexcept nogil:
    cdef bint is_object = kind <= LARGE_OBJECT
    cdef int wide = 4 if kind & 1 else 2
    cdef int key_size = wide + 2 if is_object else 0
    cdef const uint8_t *outer = document.end
    cdef const uint8_t *values
    cdef uint64_t count, size, i
    cdef int code
    if depth > MAX_DEPTH or outer - start < 2 * wide:
        return BAD_CELL
    count = little(start, wide)
    size = little(start + wide, wide)
    if size > <uint64_t> (outer - start) or 2 * wide + count * (key_size + 1 + wide) > size:
        return BAD_CELL
    if _spend(document, count * (key_size + 1 + wide)) != OK:
        return BAD_CELL
    document.end = start + size
    values = start + 2 * wide + count * key_size
    code = _put(document.column, b"{" if is_object else b"[", 1)
    i = 0
    while code == OK and i < count:
        if i:
            code = _put(document.column, b", ", 2)
        if code == OK and is_object:
            code = _key(document, start, start + 2 * wide + i * key_size, wide)
        if code == OK:
            code = _element(document, start, values + i * (1 + wide), wide, depth)
        i += 1
    document.end = outer
    return code if code != OK else _put(document.column, b"}" if is_object else b"]", 1)


cdef int json_text(Column *column, const uint8_t *start, size_t size) noexcept nogil:
    """Append the text of a document to a column, which may be left longer on an error. An empty one is null."""
    cdef Document document
    if size == 0:
        return _put(column, b"null", 4)
    document = Document(column, start + size, size)
    return _value(&document, start[0], start + 1, 0)


def to_text(document):
    cdef Py_buffer view
    cdef Column column
    cdef int code
    memset(&column, 0, sizeof(Column))
    PyObject_GetBuffer(document, &view, PyBUF_SIMPLE)
    try:
        with nogil:
            code = json_text(&column, <const uint8_t *> view.buf, view.len)
        if code == NO_MEMORY:
            raise MemoryError
        if code != OK:
            raise WireError("a JSON document breaks its binary format")
        return (<char *> column.data)[:column.size]
    finally:
        free(column.data)
        PyBuffer_Release(&view)
