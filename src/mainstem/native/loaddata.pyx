# cython: language_level=3
"""Arrow ``binary`` columns of text cells → rows for MySQL: LOAD DATA's file, the tuples of an INSERT, or parameters.

Source: MySQL manual, "LOAD DATA Statement", Field and Line Handling; "String Literals"; "Hexadecimal Literals";
"Geometry Values", Internal Storage Format. MariaDB documentation, "COM_STMT_BULK_EXECUTE".
"""

from libc.stdint cimport uint8_t, uint64_t
from libc.stdio cimport snprintf
from libc.stdlib cimport strtod
from libc.string cimport memcmp, memcpy, memmove

from mainstem.native.encoding cimport (
    BAD_OFFSETS, CHANGED_NO_LABEL, CHANGED_SPECIAL, MALFORMED, NO_MEMORY, NULL_VALUE, OK, POLICY_ERROR, SLACK,
    SPECIAL_VALUE, TOO_FINE, Cells, Column, Out, RowEncoder, data_bytes, offset_at, piece, plain, put, room, valid,
)

from mainstem.native.ops import LoadForm, LoadOp


cdef const char *HEX_DIGITS = b"0123456789abcdef"
cdef double FLOAT_MAX = 3.4028234663852886e38
cdef double FLOAT_SAFE = 3.402e38
# 0: as it is; else the letter after the backslash. For the file of LOAD DATA, and for a literal in single quotes; a
# parameter has none.
cdef uint8_t[256] _IN_FILE
cdef uint8_t[256] _IN_LITERAL


cdef void _fill_tables():
    cdef int i
    for i in range(256):
        _IN_FILE[i] = 0
        _IN_LITERAL[i] = 0
    for byte, letter in zip(b"\0\t\n\\", b"0tn\\"):
        _IN_FILE[<int> byte] = letter
    for byte, letter in zip(b"\0'\\", b"0'\\"):
        _IN_LITERAL[<int> byte] = letter


_fill_tables()


cdef int _text(Out *out, const uint8_t *cell, size_t size, const uint8_t *escapes) noexcept nogil:
    cdef const uint8_t *end
    cdef const uint8_t *stop
    cdef uint8_t *target
    cdef size_t part
    cdef uint8_t letter
    if escapes == NULL:
        if room(out, size) < 0:
            return NO_MEMORY
        memcpy(out.start + out.size, cell, size)
        out.size += size
        return OK
    while size:
        part = piece(size)
        if room(out, part * ESCAPED) < 0:
            return NO_MEMORY
        target = out.start + out.size
        end = cell + part
        size -= part
        while cell != end:
            if escapes == &_IN_FILE[0]:
                part = plain(target, cell, end - cell)
                target += part
                cell += part
                stop = end if end - cell < 8 else cell + 8
            else:
                stop = end
            while cell != stop:
                letter = escapes[cell[0]]
                if letter:
                    target[0] = c"\\"
                    target += 1
                target[0] = letter if letter else cell[0]
                target += 1
                cell += 1
        out.size = target - out.start
    return OK


cdef int _hex(Out *out, const uint8_t *cell, size_t size) noexcept nogil:
    cdef uint8_t *target
    cdef size_t part
    cdef size_t i
    while size:
        part = piece(size)
        if room(out, part * 2) < 0:
            return NO_MEMORY
        target = out.start + out.size
        for i in range(part):
            target[2 * i] = HEX_DIGITS[cell[i] >> 4]
            target[2 * i + 1] = HEX_DIGITS[cell[i] & 15]
        out.size += 2 * part
        cell += part
        size -= part
    return OK


cdef int _uuid_hex(Out *out, const uint8_t *cell, size_t size) noexcept nogil:
    cdef size_t i
    if size != UUID_BYTES:
        return MALFORMED
    for i in range(UUID_BYTES):
        if i == 8 or i == 13 or i == 18 or i == 23:
            if cell[i] != c"-":
                return MALFORMED
        elif _digit(cell[i]) or c"a" <= cell[i] <= c"f" or c"A" <= cell[i] <= c"F":
            out.start[out.size] = cell[i]
            out.size += 1
        else:
            return MALFORMED
    return OK


cdef int _geometry(Out *out, const uint8_t *cell, size_t size) noexcept nogil:
    """As the server itself stores it: four bytes SRID, then WKB of two dimensions, all little-endian."""
    if size < 9 or cell[4] != 1 or cell[6] or cell[7] or cell[8] or not 1 <= cell[5] <= GEOMETRY_KINDS:
        return MALFORMED
    return _hex(out, cell, size)


cdef int _say_length(Out *out, size_t begin) noexcept nogil:
    """Write the length of what is there from ``begin`` on before it; there is a byte for it, which most need."""
    cdef size_t size = out.size - begin
    cdef uint8_t *length
    cdef int width
    cdef int i
    if size < SHORT:
        out.start[begin - 1] = <uint8_t> size
        return OK
    width = 2 if size < 1 << 16 else 3 if size < 1 << 24 else 8
    if room(out, LONGEST) < 0:
        return NO_MEMORY
    memmove(out.start + begin + width, out.start + begin, size)
    length = out.start + begin - 1
    length[0] = 0xFC if width == 2 else 0xFD if width == 3 else 0xFE
    for i in range(width):
        length[1 + i] = <uint8_t> (size >> 8 * i)
    out.size += width
    return OK


cdef inline bint _digit(uint8_t byte) noexcept nogil:
    return c"0" <= byte <= c"9"


cdef bint _are_digits(const uint8_t *cell, size_t size) noexcept nogil:
    cdef size_t i = 1 if size > 1 and cell[0] == c"-" else 0
    if size == 0:
        return False
    while i < size:
        if not _digit(cell[i]):
            return False
        i += 1
    return True


cdef inline bint _starts(const uint8_t *cell, size_t size, const char *text, size_t length) noexcept nogil:
    return size >= length and memcmp(cell, text, length) == 0


cdef bint _is_special_number(const uint8_t *cell, size_t size) noexcept nogil:
    """NaN and the infinities, as PostgreSQL writes them."""
    if size > 1 and cell[0] == c"-":
        return _starts(cell + 1, size - 1, b"Infinity", 8)
    return _starts(cell, size, b"NaN", 3) or _starts(cell, size, b"Infinity", 8)


cdef bint _is_special_date(const uint8_t *cell, size_t size) noexcept nogil:
    """The infinities, years before the first or of more than four digits, as PostgreSQL writes them."""
    cdef size_t i = 0
    if _starts(cell, size, b"infinity", 8) or _starts(cell, size, b"-infinity", 9):
        return True
    while i < size and _digit(cell[i]):
        i += 1
    if i < 4 or i == size or cell[i] != c"-":
        return False
    return i > 4 or memcmp(cell + size - 3, b" BC", 3) == 0


cdef inline bint _is_date(const uint8_t *cell, size_t size) noexcept nogil:
    return (
        size >= DATE_BYTES
        and cell[4] == c"-"
        and cell[7] == c"-"
        and _digit(cell[0]) and _digit(cell[1]) and _digit(cell[2]) and _digit(cell[3])
        and (size == DATE_BYTES or (size >= POINT_BYTE and cell[DATE_BYTES] == c" " and _digit(cell[size - 1])))
    )


cdef size_t _kept(const uint8_t *cell, size_t size, size_t least) noexcept nogil:
    """How much of a cell must be written if no more than ``least`` bytes can be: what follows are zeros, or 0."""
    cdef size_t i
    for i in range(least, size):
        if _digit(cell[i]) and cell[i] != c"0":
            return 0
    return least


cdef int _time(Out *out, Column *column, const uint8_t *cell, size_t size, const uint8_t *escapes) noexcept nogil:
    cdef size_t point = 0
    cdef size_t fine
    while point < size and cell[point] != c".":
        point += 1
    fine = column.length
    if size > point + 1 + fine:
        size = _kept(cell, size, point + 1 + fine if fine else point)
        if size == 0:
            return TOO_FINE
    return _text(out, cell, size, escapes)


cdef int _date(Out *out, Column *column, const uint8_t *cell, size_t size, const uint8_t *escapes) noexcept nogil:
    if column.length != NO_TIME:
        return _time(out, column, cell, size, escapes)
    if _kept(cell, size, DATE_BYTES) == 0:
        return TOO_FINE
    return _text(out, cell, DATE_BYTES, escapes)


cdef int _float(Out *out, const uint8_t *cell, size_t size, bint any_digits) noexcept nogil:
    """Digits that the server, which reads doubles, turns back into the same value; SPECIAL_VALUE for no number.

    17 (of a single, 9) always do; fewer are only looked for where they are kept as they are. The largest singles
    rounded to nine digits are above the largest of all, which the server would refuse.
    """
    cdef char *text = <char *> out.start + out.size
    cdef double value
    cdef double read
    cdef float single = 0
    cdef int most = MAX_DIGITS
    cdef int digits
    cdef int length
    if size == 8:
        memcpy(&value, cell, 8)
    elif size == 4:
        memcpy(&single, cell, 4)
        value = single
        if -FLOAT_SAFE <= value <= FLOAT_SAFE:
            most = MAX_SINGLE_DIGITS
    else:
        return MALFORMED
    if value - value != 0:
        return SPECIAL_VALUE
    digits = most if any_digits else 15 if size == 8 else 6
    while True:
        length = snprintf(text, SLACK, b"%.*g", digits, value)
        if digits == most:
            break
        read = strtod(text, NULL)
        if size == 8 and read == value:
            break
        if size == 4 and -FLOAT_MAX <= read <= FLOAT_MAX and <float> read == single:
            break
        digits += 1
    out.size += length
    return OK


cdef int _ieee(Out *out, const uint8_t *cell, size_t size, size_t width) noexcept nogil:
    """As it is, without a length: the parameter's type says it."""
    cdef double value
    cdef float single
    if size != width:
        return MALFORMED
    if width == 8:
        memcpy(&value, cell, 8)
    else:
        memcpy(&single, cell, 4)
        value = single
    if value - value != 0:
        return SPECIAL_VALUE
    put(out, b"\0", 1)
    memcpy(out.start + out.size, cell, size)
    out.size += size
    return OK


cdef class LoadDataEncoder(RowEncoder):
    """Writes batches of one table for LOAD DATA or INSERT. For one thread at a time."""

    cdef int form
    cdef const uint8_t *escapes

    def __init__(self, ops, lengths, *, required=(), special_values="error", form=LoadForm.FILE):
        cdef Py_ssize_t i
        for op in ops:
            LoadOp(op)
        for i in required:
            if not 0 <= i < self.width:
                raise ValueError("required names a column that is not there")
            self.columns[i].required = True
        self.form = LoadForm(form)
        if self.form == LITERALS:
            self.escapes = &_IN_LITERAL[0]
        elif self.form == PARAMETERS:
            self.escapes = NULL
        else:
            self.escapes = &_IN_FILE[0]

    cdef int row(self, Out *out, Cells *cells, Py_ssize_t first, Py_ssize_t row, Py_ssize_t *at) noexcept nogil:
        if self.form == LITERALS:
            return self._tuple(out, cells, first, row, at)
        if self.form == PARAMETERS:
            return self._parameters(out, cells, first, row, at)
        return self._line(out, cells, first, row, at)

    cdef int _line(self, Out *out, Cells *cells, Py_ssize_t first, Py_ssize_t row, Py_ssize_t *at) noexcept nogil:
        """Write a row's cells, a tab after each but the last; on anything but OK ``at`` is the column in question."""
        cdef uint8_t *target = out.start + out.size
        cdef uint8_t *limit = out.start + out.capacity - SLACK
        cdef Py_ssize_t column
        cdef uint64_t begin
        cdef uint64_t end
        cdef int code
        for column in range(self.width):
            if target > limit or not valid(&cells[column], first + row):
                begin = end = 0
            else:
                begin = offset_at(cells[column].offsets, row)
                end = offset_at(cells[column].offsets, row + 1)
            if (
                begin < end <= cells[column].data_size
                and end - begin <= <uint64_t> (limit - target)
                and _copies(&self.columns[column], cells[column].data + begin, end - begin)
                and plain(target, cells[column].data + begin, end - begin) == end - begin
            ):
                target += end - begin
            else:
                out.size = target - out.start
                code = self._cell(out, &self.columns[column], &cells[column], first, row)
                if code != OK:
                    at[0] = column
                    return code
                target = out.start + out.size
                limit = out.start + out.capacity - SLACK
            target[0] = c"\t"
            target += 1
        target[-1] = c"\n"
        out.size = target - out.start
        return OK

    cdef int _tuple(self, Out *out, Cells *cells, Py_ssize_t first, Py_ssize_t row, Py_ssize_t *at) noexcept nogil:
        """Write a row's cells in brackets, and a comma after it."""
        cdef Py_ssize_t column
        cdef int code
        if room(out, 0) < 0:
            return NO_MEMORY
        for column in range(self.width):
            put(out, b"," if column else b"(", 1)
            code = self._cell(out, &self.columns[column], &cells[column], first, row)
            if code != OK:
                at[0] = column
                return code
            if room(out, 0) < 0:
                return NO_MEMORY
        put(out, b"),", 2)
        return OK

    cdef int _parameters(self, Out *out, Cells *cells, Py_ssize_t first, Py_ssize_t row, Py_ssize_t *at) noexcept nogil:
        """Write a row's cells one behind the other."""
        cdef Py_ssize_t column
        cdef int code
        for column in range(self.width):
            code = self._cell(out, &self.columns[column], &cells[column], first, row)
            if code != OK:
                at[0] = column
                return code
        return OK

    cdef int _cell(self, Out *out, Column *column, Cells *cells, Py_ssize_t first, Py_ssize_t row) noexcept nogil:
        """Write any cell, also where there is no room for it yet."""
        cdef uint64_t begin
        cdef uint64_t end
        cdef size_t mark
        cdef int code
        if room(out, 0) < 0:
            return NO_MEMORY
        if not valid(cells, first + row):
            return self._null(out, column)
        begin = offset_at(cells.offsets, row)
        end = offset_at(cells.offsets, row + 1)
        if begin > end or end > cells.data_size:
            return BAD_OFFSETS
        mark = out.size
        if self.form == PARAMETERS:
            code = self._parameter(out, column, cells.data + begin, end - begin)
        else:
            code = self._literal(out, column, cells.data + begin, end - begin)
        if code != SPECIAL_VALUE or self.special_values == POLICY_ERROR:
            return code
        out.size = mark
        out.changed = True
        column.change = CHANGED_SPECIAL
        return self._null(out, column)

    cdef int _null(self, Out *out, Column *column) noexcept nogil:
        if column.required:
            return NULL_VALUE
        if self.form == PARAMETERS:
            put(out, b"\1", 1)
        else:
            put(out, b"NULL" if self.form == LITERALS else b"\\N", 4 if self.form == LITERALS else 2)
        return OK

    cdef int _parameter(self, Out *out, Column *column, const uint8_t *cell, size_t size) noexcept nogil:
        cdef size_t begin = out.size + 2
        cdef int code
        if column.op == FLOAT and (column.length == 4 or column.length == 8):
            return _ieee(out, cell, size, column.length)
        put(out, b"\0\0", 2)
        code = self._value(out, column, cell, size)
        return code if code != OK else _say_length(out, begin)

    cdef int _literal(self, Out *out, Column *column, const uint8_t *cell, size_t size) noexcept nogil:
        cdef int code
        if self.form == LITERALS and column.op != DIGITS:
            put(out, b"x'" if HEX <= column.op <= GEOMETRY else b"'", 2 if HEX <= column.op <= GEOMETRY else 1)
        code = self._value(out, column, cell, size)
        if code != OK:
            return code
        if self.form == LITERALS and column.op != DIGITS:
            if room(out, 0) < 0:
                return NO_MEMORY
            put(out, b"'", 1)
        return OK

    cdef int _value(self, Out *out, Column *column, const uint8_t *cell, size_t size) noexcept nogil:
        cdef int op = column.op
        if op == FLOAT:
            return _float(out, cell, size, column.length != 0)
        if op == HEX:
            return _hex(out, cell, size)
        if op == UUID_HEX:
            return _uuid_hex(out, cell, size)
        if op == GEOMETRY:
            return _geometry(out, cell, size)
        if op == DATE and _is_date(cell, size):
            return _date(out, column, cell, size, self.escapes)
        if op == DATE:
            return SPECIAL_VALUE if _is_special_date(cell, size) else MALFORMED
        if op == DIGITS and not _are_digits(cell, size):
            return MALFORMED
        if op == DECIMAL and _is_special_number(cell, size):
            return SPECIAL_VALUE
        if op == TIME:
            return _time(out, column, cell, size, self.escapes)
        if op == ENUM and size == 0 and column.length:
            out.changed = True
            column.change = CHANGED_NO_LABEL
            return OK
        return _text(out, cell, size, self.escapes)

    cdef size_t estimate(self, Cells *cells, Py_ssize_t rows) noexcept nogil:
        """About the bytes that the rows will need, so that memory seldom has to grow."""
        cdef uint64_t total = 1024
        cdef Py_ssize_t i
        for i in range(self.width):
            total += rows * (1 if self.form == FILE else 4)
            total += data_bytes(&cells[i], rows) * (2 if self.columns[i].op in (FLOAT, HEX, GEOMETRY) else 1)
        return total + total // 32


cdef inline bint _copies(Column *column, const uint8_t *cell, size_t size) noexcept nogil:
    """Whether the cell is written as it is unless it has a byte to escape."""
    if column.op == TEXT or column.op == ENUM:
        return True
    if column.op == DIGITS:
        return _are_digits(cell, size)
    if column.op == DECIMAL:
        return not _is_special_number(cell, size)
    return column.op == DATE and _is_date(cell, size) and <Py_ssize_t> size <= (
        DATE_BYTES if column.length == NO_TIME else POINT_BYTE + (column.length + 1 if column.length else 0)
    )
