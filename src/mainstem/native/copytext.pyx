# cython: language_level=3
"""Arrow ``binary`` columns of text cells → PostgreSQL's COPY text format.

Source: PostgreSQL manual, "COPY", File Formats, Text Format; "Arrays", Array Input and Output Syntax; "Binary Data
Types", bytea Hex Format; PostGIS manual, "Extended WKB".
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcpy, memset

from mainstem.native.memory cimport Block

from mainstem.errors import WireError
from mainstem.native.ops import Op, Refusal


cdef enum:
    PIECE = 4096  # longer cells are written in pieces, so that room is made for what is there, not for the worst case
    SLACK = 64    # room that every writer leaves for what goes around a cell: separator, prefix, quotes, end of row
    WORST = 4     # bytes out for one byte in: a backslash in an array literal

    # The values of `Op`.
    RAW = 0
    TEXT = 1
    BYTEA = 2
    BITS = 3
    BIT_BOOLEAN = 4
    SET_ARRAY = 5
    DATE = 6
    EWKB = 7
    EWKB_BYTEA = 8

    # The values of `Refusal`, and what else a cell can come to.
    OK = 0
    ZERO_DATE = 1
    NUL_IN_TEXT = 2
    MALFORMED = 3
    NO_MEMORY = -1
    BAD_OFFSETS = -2

    # Policies: indexes into _ZERO_DATES and _NUL_TEXT.
    POLICY_ERROR = 0
    ZERO_DATE_NULL = 1
    ZERO_DATE_EPOCH = 2
    NUL_STRIP = 1
    NUL_REPLACE = 2

    # Indexes into _CHANGES; 0 is "unchanged".
    CHANGED_NULL = 1
    CHANGED_EPOCH = 2
    CHANGED_STRIPPED = 3
    CHANGED_REPLACED = 4
    CHANGES = 5


_ZERO_DATES = ("error", "null", "epoch")
_NUL_TEXT = ("error", "strip", "replace")
_CHANGES = ("", "zero_date_null", "zero_date_epoch", "nul_stripped", "nul_replaced")

cdef uint64_t ONES = 0x0101010101010101
cdef uint64_t HIGHS = 0x8080808080808080


cdef struct Cells:
    const uint8_t *validity  # NULL when all are valid
    const uint8_t *offsets   # of the batch's first row; perhaps not aligned
    const uint8_t *data
    uint64_t data_size


cdef struct Column:
    int op
    int change  # of the row in progress
    Py_ssize_t length
    int64_t fresh[CHANGES]  # of the call in progress
    int64_t counts[CHANGES]


cdef struct Out:
    uint8_t *start
    size_t size
    size_t capacity
    bint changed  # whether a policy changed a cell of the row in progress


cdef struct Refused:
    Py_ssize_t row
    Py_ssize_t column
    int reason


cdef struct Refusals:
    Refused *start
    Py_ssize_t size
    Py_ssize_t capacity


# 0: as it is; 1: NUL; else the letter after the backslash.
cdef uint8_t[256] _ESCAPE
cdef uint16_t[256] _HEX


cdef void _fill_tables():
    cdef int i
    cdef bytes pair
    for i in range(256):
        pair = b"%02x" % i
        memcpy(&_HEX[i], <const char *> pair, 2)
        _ESCAPE[i] = 0
    _ESCAPE[0] = 1
    for byte, letter in zip(b"\b\t\n\v\f\r\\", b"btnvfr\\"):
        _ESCAPE[<int> byte] = letter


_fill_tables()


cdef int _grow(Out *out, size_t more) noexcept nogil:
    cdef size_t capacity = out.capacity * 2
    cdef uint8_t *start
    if capacity < out.size + more:
        capacity = out.size + more
    start = <uint8_t *> realloc(out.start, capacity)
    if start == NULL:
        return NO_MEMORY
    out.start = start
    out.capacity = capacity
    return OK


cdef inline int _room(Out *out, size_t more) noexcept nogil:
    """Make room for so many bytes and SLACK."""
    if out.capacity - out.size < more + SLACK:
        return _grow(out, more + SLACK)
    return OK


cdef inline size_t _piece(size_t size) noexcept nogil:
    return size if size < PIECE else PIECE


cdef inline bint _special(uint64_t word) noexcept nogil:
    """Whether one of eight bytes may need an escape: is below 14, or a backslash. Exact in both halves."""
    cdef uint64_t slashes = word ^ (ONES * 0x5C)
    return (((word - ONES * 14) & ~word) | ((slashes - ONES) & ~slashes)) & HIGHS != 0


cdef inline size_t _plain(uint8_t *target, const uint8_t *source, size_t size) noexcept nogil:
    """Copy as far as no byte may need an escape; returns how far, which is ``size`` or a little before such a byte.

    Ends are copied by pieces that overlap: cells are short, and a loop over single bytes would cost more than the rest.
    """
    cdef size_t done = 0
    cdef uint64_t word
    cdef uint32_t low
    cdef uint32_t high
    if size >= 8:
        while size - done > 8:
            memcpy(&word, source + done, 8)
            if _special(word):
                return done
            memcpy(target + done, &word, 8)
            done += 8
        memcpy(&word, source + size - 8, 8)
        if _special(word):
            return done
        memcpy(target + size - 8, &word, 8)
    elif size >= 4:
        memcpy(&low, source, 4)
        memcpy(&high, source + size - 4, 4)
        if _special(low | <uint64_t> high << 32):
            return 0
        memcpy(target, &low, 4)
        memcpy(target + size - 4, &high, 4)
    elif size:
        if _ESCAPE[source[0]] | _ESCAPE[source[size >> 1]] | _ESCAPE[source[size - 1]]:
            return 0
        target[0] = source[0]
        target[size >> 1] = source[size >> 1]
        target[size - 1] = source[size - 1]
    return size


cdef int _raw(Out *out, const uint8_t *cell, size_t size) noexcept nogil:
    cdef size_t part
    cdef size_t i
    while size:
        part = _piece(size)
        if _room(out, part) < 0:
            return NO_MEMORY
        i = _plain(out.start + out.size, cell, part)
        while i < part:  # a false alarm, or the end of what can be written as it is
            if _ESCAPE[cell[i]]:
                return MALFORMED
            out.start[out.size + i] = cell[i]
            i += 1
        out.size += part
        cell += part
        size -= part
    return OK


cdef int _text(Out *out, Column *column, const uint8_t *cell, size_t size, int nul) noexcept nogil:
    cdef const uint8_t *end
    cdef const uint8_t *stop
    cdef uint8_t *target
    cdef size_t part
    cdef uint8_t letter
    while size:
        part = _piece(size)
        if _room(out, part * WORST) < 0:
            return NO_MEMORY
        target = out.start + out.size
        end = cell + part
        size -= part
        while True:
            part = _plain(target, cell, end - cell)
            target += part
            cell += part
            if cell == end:
                break
            stop = end if end - cell < 8 else cell + 8
            while cell != stop:
                letter = _ESCAPE[cell[0]]
                if letter == 0:
                    target[0] = cell[0]
                    target += 1
                elif letter != 1:
                    target[0] = c"\\"
                    target[1] = letter
                    target += 2
                elif nul == POLICY_ERROR:
                    return NUL_IN_TEXT
                else:
                    target = _nul(out, target, column, nul)
                cell += 1
        out.size = target - out.start
    return OK


cdef uint8_t *_nul(Out *out, uint8_t *target, Column *column, int nul) noexcept nogil:
    """Write what stands for a NUL: nothing, or U+FFFD in UTF-8."""
    out.changed = True
    if nul == NUL_STRIP:
        column.change = CHANGED_STRIPPED
        return target
    column.change = CHANGED_REPLACED
    target[0] = 0xEF
    target[1] = 0xBF
    target[2] = 0xBD
    return target + 3


cdef int _set(Out *out, Column *column, const uint8_t *cell, size_t size, int nul) noexcept nogil:
    """An array literal. What the literal escapes by a backslash, COPY escapes by another."""
    cdef size_t part
    cdef int code
    if _room(out, 0) < 0:
        return NO_MEMORY
    if size == 0:
        _put(out, b"{}", 2)
        return OK
    _put(out, b'{"', 2)
    while size:
        part = _piece(size)
        if _room(out, part * WORST) < 0:
            return NO_MEMORY
        code = _labels(out, column, cell, part, nul)
        if code != OK:
            return code
        cell += part
        size -= part
    _put(out, b'"}', 2)
    return OK


cdef int _labels(Out *out, Column *column, const uint8_t *cell, size_t size, int nul) noexcept nogil:
    cdef uint8_t *target = out.start + out.size
    cdef uint8_t letter
    cdef size_t i
    for i in range(size):
        letter = _ESCAPE[cell[i]]
        if cell[i] == c",":
            memcpy(target, b'","', 3)
            target += 3
        elif cell[i] == c'"':
            memcpy(target, b'\\\\"', 3)
            target += 3
        elif cell[i] == c"\\":
            memcpy(target, b"\\\\\\\\", 4)
            target += 4
        elif letter == 0:
            target[0] = cell[i]
            target += 1
        elif letter != 1:
            target[0] = c"\\"
            target[1] = letter
            target += 2
        elif nul == POLICY_ERROR:
            return NUL_IN_TEXT
        else:
            target = _nul(out, target, column, nul)
    out.size = target - out.start
    return OK


cdef inline void _put(Out *out, const char *text, size_t size) noexcept nogil:
    """Write a few bytes into the slack."""
    memcpy(out.start + out.size, text, size)
    out.size += size


cdef int _hex(Out *out, const uint8_t *cell, size_t size) noexcept nogil:
    cdef uint8_t *target
    cdef size_t part
    cdef size_t i
    while size:
        part = _piece(size)
        if _room(out, part * 2) < 0:
            return NO_MEMORY
        target = out.start + out.size
        for i in range(part):
            memcpy(target + 2 * i, &_HEX[cell[i]], 2)
        out.size += 2 * part
        cell += part
        size -= part
    return OK


cdef int _bytea(Out *out, const uint8_t *cell, size_t size) noexcept nogil:
    if _room(out, 0) < 0:
        return NO_MEMORY
    _put(out, b"\\\\x", 3)
    return _hex(out, cell, size)


cdef int _bits(Out *out, const uint8_t *cell, size_t size, Py_ssize_t length) noexcept nogil:
    cdef size_t i
    cdef size_t spare
    cdef uint8_t *target
    if size != <size_t> (length + 7) // 8:
        return MALFORMED
    spare = size * 8 - length
    if cell[0] >> (8 - spare):
        return MALFORMED
    if _room(out, length) < 0:
        return NO_MEMORY
    target = out.start + out.size
    for i in range(spare, size * 8):
        target[i - spare] = c"0" + (cell[i >> 3] >> (7 - (i & 7)) & 1)
    out.size += length
    return OK


cdef int _bit_boolean(Out *out, const uint8_t *cell, size_t size) noexcept nogil:
    if size != 1:
        return MALFORMED
    if _room(out, 1) < 0:
        return NO_MEMORY
    _put(out, b"t" if cell[0] else b"f", 1)
    return OK


cdef inline bint _is_date(const uint8_t *cell, size_t size) noexcept nogil:
    return size >= 10 and cell[4] == c"-" and cell[7] == c"-"


cdef inline bint _is_zero_date(const uint8_t *cell) noexcept nogil:
    return (
        (cell[5] == c"0" and cell[6] == c"0")
        or (cell[8] == c"0" and cell[9] == c"0")
        or (cell[0] == c"0" and cell[1] == c"0" and cell[2] == c"0" and cell[3] == c"0")
    )


cdef int _date(Out *out, Column *column, const uint8_t *cell, size_t size, int zero_dates) noexcept nogil:
    if not _is_date(cell, size):
        return MALFORMED
    if not _is_zero_date(cell):
        return _raw(out, cell, size)
    if zero_dates == POLICY_ERROR:
        return ZERO_DATE
    if _room(out, 0) < 0:
        return NO_MEMORY
    out.changed = True
    if zero_dates == ZERO_DATE_NULL:
        column.change = CHANGED_NULL
        _put(out, b"\\N", 2)
        return OK
    column.change = CHANGED_EPOCH
    _put(out, b"1970-01-01", 10)
    if size > 10:
        _put(out, b" 00:00:00", 9)
    return OK


cdef int _ewkb(Out *out, const uint8_t *cell, size_t size) noexcept nogil:
    """A cell is SRID (4 bytes, little-endian), then byte order (1), type (4) and the rest of the WKB."""
    cdef uint8_t[9] head
    cdef int top
    cdef int i
    if size < 9 or cell[4] > 1:
        return MALFORMED
    top = 4 if cell[4] == 1 else 1  # where the type's highest byte is, with the flags
    memcpy(head, cell + 4, 5)
    if head[top] & 0x20:  # would have an SRID of its own
        return MALFORMED
    if cell[0] == 0 and cell[1] == 0 and cell[2] == 0 and cell[3] == 0:
        return _hex(out, cell + 4, size - 4)
    head[top] |= 0x20
    for i in range(4):
        head[5 + i] = cell[i if top == 4 else 3 - i]
    if _hex(out, head, 9) < 0:
        return NO_MEMORY
    return _hex(out, cell + 9, size - 9)


cdef int _write(Out *out, Column *column, const uint8_t *cell, size_t size, int zero_dates, int nul) noexcept nogil:
    if column.op == TEXT:
        return _text(out, column, cell, size, nul)
    if column.op == RAW:
        return _raw(out, cell, size)
    if column.op == DATE:
        return _date(out, column, cell, size, zero_dates)
    if column.op == BYTEA:
        return _bytea(out, cell, size)
    if column.op == BITS:
        return _bits(out, cell, size, column.length)
    if column.op == BIT_BOOLEAN:
        return _bit_boolean(out, cell, size)
    if column.op == SET_ARRAY:
        return _set(out, column, cell, size, nul)
    if column.op == EWKB_BYTEA:
        if _room(out, 0) < 0:
            return NO_MEMORY
        _put(out, b"\\\\x", 3)
    return _ewkb(out, cell, size)


cdef inline bint _copies(int op, const uint8_t *cell, size_t size) noexcept nogil:
    """Whether the cell is written as it is unless it has a byte to escape."""
    return op == TEXT or op == RAW or (op == DATE and _is_date(cell, size) and not _is_zero_date(cell))


cdef inline bint _valid(Cells *cells, Py_ssize_t i) noexcept nogil:
    return cells.validity == NULL or cells.validity[i >> 3] >> (i & 7) & 1


cdef inline uint64_t _offset(const uint8_t *offsets, Py_ssize_t i) noexcept nogil:
    """A negative one comes out larger than any buffer."""
    cdef int32_t value
    memcpy(&value, offsets + 4 * i, 4)
    return <uint64_t> <int64_t> value


cdef class CopyTextEncoder:
    """Writes batches of one table as COPY text. For one thread at a time."""

    cdef Column *columns
    cdef Py_ssize_t width
    cdef int zero_dates
    cdef int nul_text
    cdef bint busy

    def __cinit__(self, ops, lengths, str zero_dates, str nul_text):
        cdef Py_ssize_t i
        if zero_dates not in _ZERO_DATES:
            raise ValueError(f"zero_dates must be one of {', '.join(_ZERO_DATES)}")
        if nul_text not in _NUL_TEXT:
            raise ValueError(f"nul_text must be one of {', '.join(_NUL_TEXT)}")
        if not ops or len(ops) != len(lengths):
            raise ValueError("ops and lengths must have one entry per column, for at least one column")
        self.zero_dates = _ZERO_DATES.index(zero_dates)
        self.nul_text = _NUL_TEXT.index(nul_text)
        self.columns = <Column *> calloc(len(ops), sizeof(Column))
        if self.columns == NULL:
            raise MemoryError
        self.width = len(ops)
        for i in range(self.width):
            self.columns[i].op = Op(ops[i])
            self.columns[i].length = lengths[i]
            if self.columns[i].op == BITS and self.columns[i].length < 1:
                raise ValueError(f"column {i} is written as bits and needs a length of at least 1")

    def __dealloc__(self):
        free(self.columns)

    @property
    def coerced(self):
        cdef Py_ssize_t column
        cdef int change
        return {
            (column, _CHANGES[change]): self.columns[column].counts[change]
            for column in range(self.width)
            for change in range(1, CHANGES)
            if self.columns[column].counts[change]
        }

    def take_coerced(self):
        cdef Py_ssize_t column
        cdef int change
        taken = self.coerced
        for column in range(self.width):
            for change in range(CHANGES):
                self.columns[column].counts[change] = 0
        return taken

    def encode(self, columns, Py_ssize_t offset, Py_ssize_t start, Py_ssize_t stop):
        cdef Py_buffer *views
        cdef Cells *cells = NULL
        cdef Py_ssize_t i
        if len(columns) != self.width:
            raise ValueError(f"{len(columns)} columns were given to an encoder of {self.width}")
        if not (0 <= start <= stop and 0 <= offset <= (<Py_ssize_t> 1 << 40) and stop <= (<Py_ssize_t> 1 << 40)):
            raise ValueError("offset, start and stop must be in order and not negative")
        if self.busy:
            raise RuntimeError("this encoder is in use by another thread")
        views = <Py_buffer *> calloc(3 * self.width, sizeof(Py_buffer))
        cells = <Cells *> calloc(self.width, sizeof(Cells))
        self.busy = True
        try:
            if views == NULL or cells == NULL:
                raise MemoryError
            for i, (validity, offsets, data) in enumerate(columns):
                _open(&cells[i], &views[3 * i], validity, offsets, data, i, offset, start, stop)
            return self._encode(cells, offset + start, stop - start)
        finally:
            self.busy = False
            if views != NULL:
                for i in range(3 * self.width):
                    PyBuffer_Release(&views[i])  # nothing to release in one that was never filled
            free(views)
            free(cells)

    cdef tuple _encode(self, Cells *cells, Py_ssize_t first, Py_ssize_t rows):
        cdef Out out = Out(NULL, 0, 0, False)
        cdef Refusals refusals = Refusals(NULL, 0, 0)
        cdef Block block = Block()
        cdef Py_ssize_t i
        cdef int code
        cdef void *smaller
        try:
            with nogil:
                code = self._rows(&out, &refusals, cells, first, rows)
            if code == NO_MEMORY:
                raise MemoryError
            if code == BAD_OFFSETS:
                raise WireError("a column's offsets are not in order or leave its data")
            refused = [
                (refusals.start[i].row, refusals.start[i].column, Refusal(refusals.start[i].reason))
                for i in range(refusals.size)
            ]
            if out.capacity - out.size > out.size // 4 + 1024:
                smaller = realloc(out.start, out.size if out.size else 1)
                if smaller != NULL:
                    out.start = <uint8_t *> smaller
            block.own(out.start, out.size)
            out.start = NULL
            self._add_up()
            return memoryview(block), refused
        finally:
            self._forget()
            free(out.start)
            free(refusals.start)

    cdef int _rows(
        self, Out *out, Refusals *refusals, Cells *cells, Py_ssize_t first, Py_ssize_t rows
    ) noexcept nogil:
        cdef Py_ssize_t row
        cdef Py_ssize_t column = 0
        cdef size_t mark
        cdef int code
        if _grow(out, self._estimate(cells, rows)) < 0:
            return NO_MEMORY
        for row in range(rows):
            mark = out.size
            code = self._row(out, cells, first, row, &column)
            if code < 0:
                return code
            if code == OK:
                out.start[out.size - 1] = c"\n"  # where the separator after the last cell is
            else:
                out.size = mark
                if _refuse(refusals, row, column, code) < 0:
                    return NO_MEMORY
            if out.changed:
                self._settle(code == OK)
                out.changed = False
        return OK

    cdef inline int _row(
        self, Out *out, Cells *cells, Py_ssize_t first, Py_ssize_t row, Py_ssize_t *at
    ) noexcept nogil:
        """Write a row's cells, a separator after each; on anything but OK ``at`` is the column that it is about."""
        cdef uint8_t *target = out.start + out.size
        cdef uint8_t *limit = out.start + out.capacity - SLACK
        cdef Py_ssize_t column
        cdef uint64_t begin
        cdef uint64_t end
        cdef int code
        for column in range(self.width):
            if target > limit or not _valid(&cells[column], first + row):
                begin = end = 0
            else:
                begin = _offset(cells[column].offsets, row)
                end = _offset(cells[column].offsets, row + 1)
            if (
                begin < end <= cells[column].data_size
                and end - begin <= <uint64_t> (limit - target)
                and _copies(self.columns[column].op, cells[column].data + begin, end - begin)
                and _plain(target, cells[column].data + begin, end - begin) == end - begin
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
        out.size = target - out.start
        return OK

    cdef int _cell(self, Out *out, Column *column, Cells *cells, Py_ssize_t first, Py_ssize_t row) noexcept nogil:
        """Write any cell, also where there is no room for it yet."""
        cdef uint64_t begin
        cdef uint64_t end
        if _room(out, 0) < 0:
            return NO_MEMORY
        if not _valid(cells, first + row):
            _put(out, b"\\N", 2)
            return OK
        begin = _offset(cells.offsets, row)
        end = _offset(cells.offsets, row + 1)
        if begin > end or end > cells.data_size:
            return BAD_OFFSETS
        return _write(out, column, cells.data + begin, end - begin, self.zero_dates, self.nul_text)

    cdef size_t _estimate(self, Cells *cells, Py_ssize_t rows) noexcept nogil:
        """About the bytes that the rows will need, so that memory seldom has to grow."""
        cdef uint64_t total = 1024
        cdef uint64_t begin
        cdef uint64_t end
        cdef Py_ssize_t i
        for i in range(self.width):
            if rows == 0:
                break
            begin = _offset(cells[i].offsets, 0)
            end = _offset(cells[i].offsets, rows)
            total += rows
            if begin <= end <= cells[i].data_size:
                total += (end - begin) * (1 if self.columns[i].op in (RAW, TEXT, DATE) else 2)
        return total + total // 32

    cdef void _settle(self, bint written) noexcept nogil:
        """Count what a row's policies changed, if it is written."""
        cdef Py_ssize_t i
        for i in range(self.width):
            if written:
                self.columns[i].fresh[self.columns[i].change] += 1
            self.columns[i].change = 0

    cdef void _add_up(self) noexcept nogil:
        cdef Py_ssize_t i
        cdef int change
        for i in range(self.width):
            for change in range(1, CHANGES):
                self.columns[i].counts[change] += self.columns[i].fresh[change]

    cdef void _forget(self) noexcept nogil:
        cdef Py_ssize_t i
        for i in range(self.width):
            self.columns[i].change = 0
            memset(self.columns[i].fresh, 0, sizeof(self.columns[i].fresh))


cdef int _refuse(Refusals *refusals, Py_ssize_t row, Py_ssize_t column, int reason) noexcept nogil:
    cdef Refused *start
    cdef Py_ssize_t capacity
    if refusals.size == refusals.capacity:
        capacity = refusals.capacity * 2 + 16
        start = <Refused *> realloc(refusals.start, capacity * sizeof(Refused))
        if start == NULL:
            return NO_MEMORY
        refusals.start = start
        refusals.capacity = capacity
    refusals.start[refusals.size] = Refused(row, column, reason)
    refusals.size += 1
    return OK


cdef int _open(
    Cells *cells, Py_buffer *views, validity, offsets, data, Py_ssize_t i, Py_ssize_t offset, Py_ssize_t start,
    Py_ssize_t stop
) except -1:
    """Look into a column's buffers, and check that they are long enough."""
    if validity is not None:
        PyObject_GetBuffer(validity, &views[0], PyBUF_SIMPLE)
        if views[0].len < (offset + stop + 7) // 8:
            raise WireError("a column's validity is shorter than its rows need", column=i)
        cells.validity = <const uint8_t *> views[0].buf
    if start == stop:
        return 0
    PyObject_GetBuffer(offsets, &views[1], PyBUF_SIMPLE)
    if views[1].len // 4 < offset + stop + 1:
        raise WireError("a column's offsets are fewer than its rows need", column=i)
    cells.offsets = <const uint8_t *> views[1].buf + 4 * (offset + start)
    if data is not None:
        PyObject_GetBuffer(data, &views[2], PyBUF_SIMPLE)
        cells.data = <const uint8_t *> views[2].buf
        cells.data_size = <uint64_t> views[2].len
    return 0
