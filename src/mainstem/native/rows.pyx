# cython: language_level=3
"""MySQL result-set rows of the text protocol → Arrow column buffers; the base of the binary protocol's decoder.

Source: MySQL Internals, "Protocol::Packet", "Text Resultset Row" and "Length-Encoded Integer"; Arrow columnar format,
"Variable-size Binary Layout".
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int32_t, uint8_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memmove, memset

from mainstem.native.memory cimport Block

from mainstem.errors import WireError
from mainstem.native.status import Status


cdef enum:
    FULL_PACKET = 0xFFFFFF
    MAX_ROWS = 0x7FFFFFFF - 64

    # The values of `Status`.
    NEED_MORE = 0
    FULL = 1
    END = 2
    ERROR = 3


cdef dict _PROBLEMS = {
    EMPTY_PACKET: "a packet without payload stands where a row should",
    MISSING_CELLS: "a row packet ends before its last cell",
    TRAILING_BYTES: "a row packet has bytes after its last cell",
    CELL_CUT: "a cell is longer than what is left of its row packet",
    BAD_PREFIX: "a cell begins with a length byte that does not exist (0xFF; in a binary row 0xFB too)",
    CELL_TOO_BIG: "a cell is longer than 2 GiB",
    BIG_ERROR: "an error packet is longer than 16 MiB",
    BAD_ROW: "a binary row does not begin with a zero byte",
    BAD_TIME: "a binary date or time has a length that does not exist, or a part out of range",
}


cdef uint8_t *_fitted(void *start, size_t size, size_t capacity) noexcept:
    """Give memory back when more than a quarter of it is unused."""
    cdef void *smaller
    if capacity - size > size // 4 + 1024:
        smaller = realloc(start, size if size else 1)
        if smaller != NULL:
            return <uint8_t *> smaller
    return <uint8_t *> start


cdef class RowBatch:
    """Gathers rows in ``binary`` columns; what a row looks like is told by those that are made from this."""

    def __cinit__(self, Py_ssize_t columns, *_):  # a decoder that is made from this one may take more
        if columns < 1:
            raise ValueError("columns must be at least 1")
        self.columns = <Column *> calloc(columns, sizeof(Column))
        if self.columns == NULL:
            raise MemoryError
        self.width = columns

    def __dealloc__(self):
        cdef Py_ssize_t i
        if self.columns == NULL:
            return
        for i in range(self.width):
            free(self.columns[i].data)
            free(self.columns[i].offsets)
            free(self.columns[i].validity)
        free(self.columns)

    def take(self):
        cdef Py_ssize_t rows = self.rows
        cdef Py_ssize_t i
        cdef list taken = []
        if self.busy:
            raise RuntimeError("this decoder is in use by another thread")
        if self.row_capacity == 0 and self._grow_rows() < 0:
            raise MemoryError
        for i in range(self.width):
            if self.columns[i].data == NULL and reserve(&self.columns[i], 0) < 0:
                raise MemoryError
        lent = memoryview(self.owner) if self.lent else None
        # Every Block exists before the first is given memory: a failure leaves the batch as it was.
        blocks = [(Block(), Block(), Block()) for _ in range(self.width)]
        for i in range(self.width):
            taken.append(self._take_column(&self.columns[i], blocks[i], lent))
        if rows:
            self.row_hint = <size_t> rows + 1
        self.row_capacity = 0
        self.rows = 0
        self.size_bytes = 0
        self.lent = False
        self.owner = None
        return rows, taken

    cdef tuple _take_column(self, Column *column, tuple blocks, object lent):
        cdef size_t rows = <size_t> self.rows
        cdef size_t bitmap = (rows + 63) // 64 * 8
        cdef Block validity = <Block> blocks[0]
        cdef Block offsets = <Block> blocks[1]
        cdef Block data = <Block> blocks[2]
        cdef bint nulls = column.validity != NULL
        if nulls:
            if rows % 8:
                column.validity[rows // 8] &= (1 << (rows % 8)) - 1
            memset(column.validity + (rows + 7) // 8, 0, bitmap - (rows + 7) // 8)
            validity.own(_fitted(column.validity, bitmap, self.row_capacity // 8), bitmap)
        offsets.own(
            _fitted(column.offsets, (rows + 1) * sizeof(int32_t), (self.row_capacity + 1) * sizeof(int32_t)),
            (rows + 1) * sizeof(int32_t),
        )
        if column.lent == NULL:
            data.own(_fitted(column.data, column.size, column.capacity), column.size)
            column.data = NULL
            column.capacity = 0
            if rows:
                column.hint = column.size + column.size // 8 + SLACK
            found = data
        else:
            found = lent[column.lent - self.lender:column.lent - self.lender + <Py_ssize_t> column.size]
        column.validity = NULL
        column.offsets = NULL
        column.lent = NULL
        column.size = 0
        return validity if nulls else None, offsets, found

    cdef int _grow_rows(self) noexcept nogil:
        """Make room for at least one more row; 0, or -1 without memory."""
        cdef size_t capacity = self.row_capacity * 2 if self.row_capacity else self.row_hint
        cdef Column *column
        cdef void *grown
        cdef Py_ssize_t i
        capacity = (capacity + 64) // 64 * 64
        for i in range(self.width):
            column = &self.columns[i]
            grown = realloc(column.offsets, (capacity + 1) * sizeof(int32_t))
            if grown == NULL:
                return -1
            column.offsets = <int32_t *> grown
            if column.validity != NULL:
                grown = realloc(column.validity, capacity // 8)
                if grown == NULL:
                    return -1
                column.validity = <uint8_t *> grown
                memset(column.validity + self.row_capacity // 8, 0xFF, (capacity - self.row_capacity) // 8)
            if self.row_capacity == 0:
                column.offsets[0] = 0
        self.row_capacity = capacity
        return 0

    cdef int _row(self, const uint8_t *cell, const uint8_t *end, const uint8_t *readable) noexcept nogil:
        """Append a row; on anything but OK the batch is left as it was. ``readable`` ends the caller's memory."""
        cdef Py_ssize_t row = self.rows
        cdef Py_ssize_t bytes_before = self.size_bytes
        cdef int code
        if <size_t> row >= self.row_capacity and self._grow_rows() < 0:
            return NO_MEMORY
        code = self.cells(cell, end, readable)
        if code == OK:
            self.rows = row + 1
        else:
            self.size_bytes = bytes_before
            self._forget_row()
        return code

    cdef int cells(self, const uint8_t *cell, const uint8_t *end, const uint8_t *readable) noexcept nogil:
        """Append a row's cells; on anything but OK the row is forgotten."""
        return EMPTY_PACKET

    cdef int null(self, Column *column) noexcept nogil:
        if column.validity == NULL:
            column.validity = <uint8_t *> malloc(self.row_capacity // 8)
            if column.validity == NULL:
                return -1
            memset(column.validity, 0xFF, self.row_capacity // 8)
        column.validity[self.rows >> 3] &= ~(1 << (self.rows & 7))
        return 0

    cdef int lend(self, Column *column, const uint8_t *cell, size_t size) noexcept nogil:
        """Leave a large cell where it is: 1 if it is lent, 0 if not, COLUMN_FULL to have the row in the next batch."""
        if not self.lends or size < LARGE_CELL or size > MAX_COLUMN:
            return 0
        if self.rows:
            return COLUMN_FULL
        column.lent = cell
        column.size = size
        self.size_bytes += size
        self.lent = True
        return 1

    cdef void _forget_row(self) noexcept nogil:
        cdef Py_ssize_t i
        self.lent = False
        for i in range(self.width):
            self.columns[i].lent = NULL
            self.columns[i].size = self.columns[i].offsets[self.rows]
            if self.columns[i].validity != NULL:
                self.columns[i].validity[self.rows >> 3] |= 1 << (self.rows & 7)


cdef class RowDecoder(RowBatch):
    """Turns the row packets of one result set into batches of ``binary`` columns. For one thread at a time."""

    def feed(
        self, data, Py_ssize_t start, Py_ssize_t end, Py_ssize_t max_rows, Py_ssize_t max_bytes, *, bint lend=False
    ):
        cdef Py_buffer view
        cdef const uint8_t *first
        cdef const uint8_t *stop
        cdef int status
        if max_rows < 1 or max_bytes < 1:
            raise ValueError("max_rows and max_bytes must be at least 1")
        if self.busy:
            raise RuntimeError("this decoder is in use by another thread")
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        self.busy = True
        self.writable = not view.readonly
        self.lends = lend and self.writable
        self.lender = <const uint8_t *> view.buf
        try:
            if not 0 <= start <= end <= view.len:
                raise ValueError("start and end must lie within the data")
            first = <const uint8_t *> view.buf + start
            stop = first
            with nogil:
                status = self._feed(&stop, first + (end - start), min(max_rows, MAX_ROWS), max_bytes)
            if self.lent:
                self.owner = data
        finally:
            self.busy = False
            PyBuffer_Release(&view)
        if status == NO_MEMORY:
            raise MemoryError
        if status < 0:
            raise WireError(_PROBLEMS[status], row=self.rows)
        return Status(status), stop - first

    cdef int _feed(
        self, const uint8_t **at, const uint8_t *end, Py_ssize_t max_rows, Py_ssize_t max_bytes
    ) noexcept nogil:
        """Decode packets from ``at`` on, which is left where decoding stopped."""
        cdef const uint8_t *packet
        cdef size_t length
        cdef int code
        self.needed = 0
        while True:
            packet = at[0]
            if self.rows >= max_rows or self.size_bytes >= max_bytes or self.lent:
                return FULL
            if end - packet < 4:
                return NEED_MORE
            length = packet[0] | <size_t> packet[1] << 8 | <size_t> packet[2] << 16
            if length == FULL_PACKET:
                code = self._long_row(at, end)
            elif <size_t> (end - packet) < 4 + length:
                self.needed = 4 + length
                return NEED_MORE
            elif length == 0:
                return EMPTY_PACKET
            elif packet[4] == 0xFF:
                return ERROR
            elif packet[4] == 0xFE and length < 9:
                at[0] = packet + 4 + length
                return END
            else:
                code = self._row(packet + 4, packet + 4 + length, end)
                if code == OK:
                    at[0] = packet + 4 + length
            if code == COLUMN_FULL:
                return FULL
            if code != OK:
                return NEED_MORE if code == INCOMPLETE else code

    cdef int _long_row(self, const uint8_t **at, const uint8_t *end) noexcept nogil:
        """Decode a row that spans packets; INCOMPLETE when they are not all there (``needed`` is set)."""
        cdef const uint8_t *packet = at[0]
        cdef size_t total = 0
        cdef size_t length = FULL_PACKET
        cdef uint8_t *joined
        cdef int code
        if end - packet > 4 and packet[4] == 0xFF:
            return BIG_ERROR
        while length == FULL_PACKET:
            if end - packet < 4:
                self.needed = packet - at[0] + 4
                return INCOMPLETE
            length = packet[0] | <size_t> packet[1] << 8 | <size_t> packet[2] << 16
            if <size_t> (end - packet) < 4 + length:
                self.needed = packet - at[0] + 4 + length + (4 if length == FULL_PACKET else 0)
                return INCOMPLETE
            total += length
            packet += 4 + length
        # Such a row is large: where the caller's memory may be written to, it takes no second one of its size.
        joined = <uint8_t *> at[0] + 4 if self.writable else <uint8_t *> malloc(total)
        if joined == NULL:
            return NO_MEMORY
        self._join(joined, at[0])
        code = self._row(joined, joined + total, joined + total)
        if not self.writable:
            free(joined)
        elif code != OK:
            _part(joined, total)
        if code == OK:
            at[0] = packet
        return code

    cdef void _join(self, uint8_t *joined, const uint8_t *packet) noexcept nogil:
        """Put the payloads of packets side by side; ``joined`` may be where the first of them is."""
        cdef size_t length = FULL_PACKET
        while length == FULL_PACKET:
            length = packet[0] | <size_t> packet[1] << 8 | <size_t> packet[2] << 16
            if joined != packet + 4:
                memmove(joined, packet + 4, length)
            joined += length
            packet += 4 + length

    cdef int cells(self, const uint8_t *cell, const uint8_t *end, const uint8_t *readable) noexcept nogil:
        cdef Column *column = self.columns
        cdef Column *last = self.columns + self.width
        cdef Py_ssize_t row = self.rows
        cdef int code = OK
        while column != last:
            if cell >= end:
                return MISSING_CELLS
            if cell[0] == 0xFB:
                if self.null(column) < 0:
                    return NO_MEMORY
                cell += 1
            else:
                cell = self.lenenc(column, cell, end, readable, &code)
                if code != OK:
                    return code
            column.offsets[row + 1] = <int32_t> column.size
            column += 1
        return OK if cell == end else TRAILING_BYTES

    cdef const uint8_t *lenenc(
        self, Column *column, const uint8_t *cell, const uint8_t *end, const uint8_t *readable, int *code
    ) noexcept nogil:
        """Append a cell that begins with its length; returns where the next begins. There is at least one byte."""
        cdef size_t size = cell[0]
        cdef int prefix
        cdef int lent = 0
        cell += 1
        if size >= 0xFB:
            if size == 0xFB or size == 0xFF:
                code[0] = BAD_PREFIX
                return cell
            prefix = 2 if size == 0xFC else (3 if size == 0xFD else 8)
            if end - cell < prefix:
                code[0] = CELL_CUT
                return cell
            size = _little_endian(cell, prefix)
            cell += prefix
        if size > <size_t> (end - cell):
            code[0] = CELL_CUT
            return cell
        if size >= LARGE_CELL:
            lent = self.lend(column, cell, size)
        if lent:
            code[0] = COLUMN_FULL if lent == COLUMN_FULL else OK
        elif size > MAX_COLUMN - column.size:
            code[0] = COLUMN_FULL if self.rows else CELL_TOO_BIG
        elif column.size + size + SLACK > column.capacity and reserve(column, size) < 0:
            code[0] = NO_MEMORY
        else:
            if size <= SLACK and readable - cell >= SLACK:
                memcpy(column.data + column.size, cell, SLACK)
            else:
                memcpy(column.data + column.size, cell, size)
            column.size += size
            self.size_bytes += size
        return cell + size


cdef void _part(uint8_t *joined, size_t total) noexcept nogil:
    """Undo a `RowDecoder._join` in place: the same packets, whose numbers nobody reads."""
    cdef size_t number = total // FULL_PACKET
    cdef size_t length = total % FULL_PACKET
    cdef uint8_t *packet
    while number:
        packet = joined - 4 + number * (FULL_PACKET + 4)
        memmove(packet + 4, joined + number * FULL_PACKET, length)
        packet[0] = length & 0xFF
        packet[1] = length >> 8 & 0xFF
        packet[2] = length >> 16
        packet[3] = 0
        length = FULL_PACKET
        number -= 1


cdef inline size_t _little_endian(const uint8_t *start, int width) noexcept nogil:
    cdef size_t value = 0
    cdef int i
    for i in range(width):
        value |= <size_t> start[i] << (8 * i)
    return value
