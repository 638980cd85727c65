# cython: language_level=3
"""Tuples of PostgreSQL's logical replication protocol → Arrow column buffers of change events.

Source: PostgreSQL manual, "Logical Replication Message Formats" (TupleData), "Monetary Types".
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t, uintptr_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcmp, memcpy, memset

from mainstem.native.copyrows cimport plain, unhex
from mainstem.native.memory cimport Block
from mainstem.native.rows cimport (
    BAD_CELL, CELL_TOO_BIG, MAX_COLUMN, MISSING_CELLS, NO_MEMORY, OK, SLACK, Column, RowBatch, reserve,
)

from mainstem.native.ops import LogOp

cdef extern from "sys/mman.h":
    int madvise(void *start, size_t size, int advice) noexcept nogil
    enum:
        MADV_DONTNEED

cdef enum:
    # The values of `LogOp` that this deals with itself.
    TEXT = 0
    BYTEA = 2
    INSTANT = 7
    MONEY = 8

    MAX_AMOUNT = 64  # digits of an amount with all that stands between them
    MAX_SCALE = 19
    LARGE_BYTES = 4194304  # a cell in a mapped file from this size on is read in pieces …
    PIECE_BYTES = 1048576  # … of so much, each of which is let go of then
    PAGE_BYTES = 65536  # no system has larger ones

    KIND_NULL = 110  # n
    KIND_TEXT = 116  # t
    KIND_UNCHANGED = 117  # u
    KIND_BINARY = 98  # b


cdef inline uint32_t _number(const uint8_t *at, int width) noexcept nogil:
    cdef uint32_t value = 0
    cdef int i
    for i in range(width):
        value = value << 8 | at[i]
    return value


cdef Py_ssize_t _instant(uint8_t *to, const uint8_t *cell, size_t size) noexcept nogil:
    """Take the offset away; infinities have none."""
    cdef size_t era = 3 if size > 3 and memcmp(cell + size - 3, b" BC", 3) == 0 else 0
    cdef size_t rest = size - era
    if (size == 8 and memcmp(cell, b"infinity", 8) == 0) or (size == 9 and memcmp(cell, b"-infinity", 9) == 0):
        memcpy(to, cell, size)
        return size
    if rest < 3 or memcmp(cell + rest - 3, b"+00", 3) != 0:
        return BAD_CELL
    memcpy(to, cell, rest - 3)
    memcpy(to + rest - 3, cell + rest, era)
    return rest - 3 + era


cdef Py_ssize_t _money(uint8_t *to, const uint8_t *cell, size_t size, int scale) noexcept nogil:
    """``-$1,234.50`` → ``-1234.50`` with so many digits behind the point, whatever their number was."""
    cdef uint8_t[MAX_AMOUNT] digits
    cdef uint8_t *start = to
    cdef size_t count = 0
    cdef size_t first = 0
    cdef size_t i
    if size == 0 or size >= MAX_AMOUNT - MAX_SCALE:
        return BAD_CELL
    count = <size_t> scale + 1
    memset(digits, c"0", count)
    for i in range(size):
        if c"0" <= cell[i] <= c"9":
            digits[count] = cell[i]
            count += 1
        elif cell[i] == c"-" and i == 0:
            to[0] = c"-"
            to += 1
        elif cell[i] != c"$" and cell[i] != c"," and cell[i] != c".":
            return BAD_CELL
    while count - first > <size_t> scale + 1 and digits[first] == c"0":
        first += 1
    memcpy(to, digits + first, count - first - scale)
    to += count - first - scale
    if scale:
        to[0] = c"."
        memcpy(to + 1, digits + count - scale, scale)
        to += 1 + scale
    return to - start


cdef void _let_go(const uint8_t *start, size_t size) noexcept nogil:
    """Of a mapped file: these bytes are not read any more. Whole pages; what is left stays a little longer."""
    cdef uintptr_t first = (<uintptr_t> start + PAGE_BYTES - 1) // PAGE_BYTES * PAGE_BYTES
    cdef uintptr_t last = (<uintptr_t> start + size) // PAGE_BYTES * PAGE_BYTES
    if last > first:
        madvise(<void *> first, last - first, MADV_DONTNEED)


cdef class ChangeRows(RowBatch):
    """Gathers the changes of one table. For one thread at a time."""

    def __cinit__(self, Py_ssize_t columns, Py_ssize_t after, ops, parameters):
        cdef Py_ssize_t i
        if not 0 <= after <= columns or len(ops) != columns or len(parameters) != columns:
            raise ValueError("there must be an op and a parameter for each column")
        self.after = after
        self.ops = <int *> calloc(columns, sizeof(int))
        self.parameters = <int *> calloc(columns, sizeof(int))
        self.absent = <uint8_t **> calloc(columns, sizeof(uint8_t *))
        if self.ops == NULL or self.parameters == NULL or self.absent == NULL:
            raise MemoryError
        for i in range(columns):
            self.ops[i] = int(LogOp(ops[i]))
            self.parameters[i] = parameters[i]
            if not 0 <= self.parameters[i] <= MAX_SCALE:
                raise ValueError("a parameter is out of range")

    def __dealloc__(self):
        cdef Py_ssize_t i
        if self.absent != NULL:
            for i in range(self.width):
                free(self.absent[i])
        free(self.absent)
        free(self.ops)
        free(self.parameters)
        free(self.changes)
        free(self.seqs)

    def take_changes(self):
        cdef Py_ssize_t rows = self.rows
        cdef size_t bits = (rows + 7) // 8
        cdef bint mixed = self.mixed
        cdef Py_ssize_t i
        cdef dict absent = {}
        cdef Block changes = Block()
        cdef Block seqs = Block()
        if rows == 0:
            raise ValueError("there are no changes to take")
        marks = {i: Block() for i in range(self.after) if self.absent[i] != NULL}
        _, blocks = self.take()
        changes.own(self.changes, rows)
        seqs.own(<uint8_t *> self.seqs, rows * sizeof(int64_t))
        self.changes = NULL
        self.seqs = NULL
        for i, mark in marks.items():
            (<Block> mark).own(self.absent[i], bits)
            self.absent[i] = NULL
            absent[i] = mark
        self.mixed = False
        return rows, changes, seqs, blocks[:self.after], blocks[self.after:] if mixed else None, absent

    cdef int _grow_rows(self) noexcept nogil:
        cdef size_t before = self.row_capacity
        cdef void *grown
        cdef Py_ssize_t i
        if RowBatch._grow_rows(self) < 0:
            return -1
        grown = realloc(self.changes, self.row_capacity)
        if grown == NULL:
            return -1
        self.changes = <uint8_t *> grown
        grown = realloc(self.seqs, self.row_capacity * sizeof(int64_t))
        if grown == NULL:
            return -1
        self.seqs = <int64_t *> grown
        for i in range(self.after):
            if self.absent[i] != NULL:
                self.absent[i] = self._grown(self.absent[i], before)
                if self.absent[i] == NULL:
                    return -1
        return 0

    cdef uint8_t *_grown(self, uint8_t *bits, size_t capacity) noexcept nogil:
        """Bits for as many rows as there is room for; the new ones are 0. NULL without memory: the old are freed."""
        cdef uint8_t *grown = <uint8_t *> realloc(bits, self.row_capacity // 8)
        if grown == NULL:
            free(bits)
            return NULL
        memset(grown + capacity // 8, 0, (self.row_capacity - capacity) // 8)
        return grown

    cdef int _mix(self) noexcept nogil:
        """The first event that is no INSERT: the identities of those before it are null."""
        cdef Py_ssize_t i
        for i in range(self.after, self.width):
            if self.columns[i].validity == NULL and self.null(&self.columns[i]) < 0:
                return NO_MEMORY
            memset(self.columns[i].validity, 0xFF, self.row_capacity // 8)
            memset(self.columns[i].validity, 0, self.rows // 8)
            if self.rows % 8:
                self.columns[i].validity[self.rows // 8] = <uint8_t> (0xFF << (self.rows % 8))
            memset(self.columns[i].offsets, 0, (self.rows + 1) * sizeof(int32_t))
        self.mixed = True
        return OK

    cdef int _put(self, Column *column, Py_ssize_t number, const Cell *cell, const uint8_t *readable) noexcept nogil:
        """Append a cell that was sent, a null among them."""
        cdef int op = self.ops[number]
        cdef size_t size = cell.size
        cdef uint8_t *to
        cdef Py_ssize_t written
        if cell.kind == KIND_NULL:
            return OK if self.null(column) == 0 else NO_MEMORY
        if size + SLACK > MAX_COLUMN - column.size:
            return CELL_TOO_BIG
        if column.size + size + SLACK > column.capacity and reserve(column, size) < 0:
            return NO_MEMORY
        to = column.data + column.size
        if cell.mapped and size >= LARGE_BYTES and (op == TEXT or op == BYTEA):
            written = self._put_large(to, op, cell)
        elif op == TEXT:
            if size <= SLACK and readable - cell.data >= SLACK:
                memcpy(to, cell.data, SLACK)
            else:
                memcpy(to, cell.data, size)
            written = size
        elif op == INSTANT:
            written = _instant(to, cell.data, size)
        elif op == MONEY:
            written = _money(to, cell.data, size, self.parameters[number])
        else:
            written = plain(op, to, cell.data, size)
        if written < 0:
            return BAD_CELL
        column.size += written
        self.size_bytes += written
        return OK

    cdef Py_ssize_t _put_large(self, uint8_t *to, int op, const Cell *cell) noexcept nogil:
        """Piece by piece, so that memory is taken for the copy alone. Returns the bytes written, or BAD_CELL."""
        cdef const uint8_t *at = cell.data
        cdef const uint8_t *end = cell.data + cell.size
        cdef uint8_t *start = to
        cdef size_t piece, back
        cdef Py_ssize_t written
        if op == BYTEA:
            if memcmp(at, b"\\x", 2) != 0:
                return BAD_CELL
            at += 2
        while at < end:
            piece = PIECE_BYTES if end - at > PIECE_BYTES else end - at
            written = piece
            if op == BYTEA:
                written = unhex(to, at, piece)
                if written < 0:
                    return BAD_CELL
            else:
                memcpy(to, at, piece)
            to += written
            back = PAGE_BYTES if at - cell.data >= PAGE_BYTES else 0  # the page in between was left the last time
            _let_go(at - back, piece + back)
            at += piece
        return to - start

    cdef int _skip(self, Py_ssize_t number) noexcept nogil:
        """The cell of a column is not in the log."""
        if self.absent[number] == NULL:
            self.absent[number] = self._grown(NULL, 0)
            if self.absent[number] == NULL:
                return NO_MEMORY
        self.absent[number][self.rows >> 3] |= 1 << (self.rows & 7)
        return OK if self.null(&self.columns[number]) == 0 else NO_MEMORY

    cdef int _after(self, Relation relation, bint whole, const uint8_t *readable) noexcept nogil:
        """The row as it is now. ``whole``: the old tuple has what the new one leaves out."""
        cdef const Cell *cell
        cdef Column *column
        cdef Py_ssize_t i
        cdef int code
        for i in range(self.after):
            column = &self.columns[i]
            if relation.sources[i] < 0:
                return NOT_SENT
            cell = &relation.new[relation.sources[i]]
            if cell.kind == KIND_UNCHANGED and whole:
                cell = &relation.old[relation.sources[i]]
            code = self._skip(i) if cell.kind == KIND_UNCHANGED else self._put(column, i, cell, readable)
            if code != OK:
                return code
            column.offsets[self.rows + 1] = <int32_t> column.size
        return OK

    cdef int _before(self, Relation relation, const Cell *cells, const uint8_t *readable) noexcept nogil:
        """The row's identity; ``cells`` NULL: it has none, as it is new."""
        cdef Column *column
        cdef Py_ssize_t i
        cdef int source, code
        for i in range(self.after, self.width):
            column = &self.columns[i]
            source = relation.sources[i]
            if cells == NULL:
                code = OK if self.null(column) == 0 else NO_MEMORY
            elif source < 0 or cells[source].kind == KIND_UNCHANGED:
                code = NO_IDENTITY
            else:
                code = self._put(column, i, &cells[source], readable)
            if code != OK:
                return code
            column.offsets[self.rows + 1] = <int32_t> column.size
        return OK

    cdef int change(
        self, Relation relation, int op, uint8_t old, int64_t seq, const uint8_t *readable
    ) noexcept nogil:
        """Append an event whose tuples the relation has read. ``old``: K, O, or 0 where no old tuple was sent."""
        cdef const Cell *identity = NULL
        cdef Py_ssize_t i
        cdef int code = OK
        if <size_t> self.rows >= self.row_capacity and self._grow_rows() < 0:
            return NO_MEMORY
        if op != INSERT and not self.mixed:
            code = self._mix()
        if code == OK and op == DELETE:
            for i in range(self.after):
                if self.null(&self.columns[i]) < 0:
                    return NO_MEMORY
                self.columns[i].offsets[self.rows + 1] = <int32_t> self.columns[i].size
        elif code == OK:
            code = self._after(relation, old == c"O", readable)
        if code == OK and self.mixed:
            if op != INSERT:
                identity = relation.old if old else relation.new
            code = self._before(relation, identity, readable)
        if code != OK:
            return code
        self.changes[self.rows] = op
        self.seqs[self.rows] = seq
        self.rows += 1
        return OK


cdef class Relation:
    """What is sent of a table, and where it goes."""

    def __cinit__(self, uint32_t oid, int width, ChangeRows rows, sources, uint64_t since):
        cdef Py_ssize_t i
        cdef Py_ssize_t columns = rows.width if rows is not None else 0
        if width < 0 or len(sources) != columns:
            raise ValueError("each column must have a source")
        self.oid = oid
        self.width = width
        self.rows = rows
        self.since = since
        self.new = <Cell *> calloc(width + 1, sizeof(Cell))
        self.old = <Cell *> calloc(width + 1, sizeof(Cell))
        self.sources = <int *> calloc(columns + 1, sizeof(int))
        if self.new == NULL or self.old == NULL or self.sources == NULL:
            raise MemoryError
        for i in range(columns):
            self.sources[i] = sources[i]
            if not -1 <= self.sources[i] < width:
                raise ValueError("a source is out of range")

    def __dealloc__(self):
        free(self.new)
        free(self.old)
        free(self.sources)

    cdef int read(self, Cell *cells, const uint8_t **at, const uint8_t *end) noexcept nogil:
        """Find the cells of a tuple."""
        cdef const uint8_t *place = at[0]
        cdef size_t size
        cdef int i
        if end - place < 2:
            return MISSING_CELLS
        if _number(place, 2) != <uint32_t> self.width:
            return WRONG_WIDTH
        place += 2
        for i in range(self.width):
            if place == end:
                return MISSING_CELLS
            cells[i].kind = place[0]
            place += 1
            if cells[i].kind == KIND_TEXT:
                if end - place < 4:
                    return MISSING_CELLS
                size = _number(place, 4)
                place += 4
                if size > <size_t> (end - place):
                    return MISSING_CELLS
                cells[i].data = place
                cells[i].size = size
                cells[i].mapped = self.mapped
                place += size
            elif cells[i].kind != KIND_NULL and cells[i].kind != KIND_UNCHANGED:
                return BINARY_CELL if cells[i].kind == KIND_BINARY else BAD_TUPLE
        at[0] = place
        return OK
