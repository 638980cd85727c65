# cython: language_level=3
"""Row images of MySQL's binary log → Arrow column buffers.

An event is first cut into cells, image by image, and then appended, so that an UPDATE can take from the image before it
what the one behind it lacks. Source: MySQL source documentation, "Rows_event".
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memset

from mainstem.native.binlogcells cimport (
    TEXT_SIZE, decimal_bytes, fraction_bytes, old_datetime_bytes, old_time_bytes,
)
from mainstem.native.digits cimport little
from mainstem.native.binlogvalues cimport (
    BIT, BYTES, COMPRESSED, DATE, DATETIME, DATETIME2, DECIMAL, ENUM, FLOAT, INET6, INT, JSON, NOTHING, PADDED, SET,
    TIME, TIME2, TIMESTAMP, TIMESTAMP2, UINT, YEAR, Form, convert,
)
from mainstem.native.jsonb cimport json_text
from mainstem.native.memory cimport Block
from mainstem.native.rows cimport (
    BAD_CELL, CELL_CUT, CELL_TOO_BIG, COLUMN_FULL, MAX_COLUMN, MISSING_CELLS, NO_MEMORY, OK, SLACK, Column, RowBatch,
    reserve,
)

from collections import namedtuple

from mainstem.errors import WireError
from mainstem.native.inflate import inflate
from mainstem.native.ops import BinlogOp


cdef str _FULL_IMAGES = (
    "SET GLOBAL binlog_row_image = 'FULL'; reconnect the writers, or have them not set it; copy the table again"
)
cdef dict _PROBLEMS = {
    MISSING_CELLS: "a row image ends before its last cell",
    CELL_CUT: "a cell is longer than what is left of its row image",
    BAD_CELL: "a cell does not have the form of its column's type",
    CELL_TOO_BIG: "a cell is longer than 2 GiB",
    NO_BYTES: "a row event has images without a byte",
    EXTRA_COLUMNS: "a row event has other columns than its table",
    NO_IDENTITY: "a row image lacks a column that tells the row apart from others",
    NO_VALUE: "the image of a new row lacks a column, whose default is not known",
}

BinlogBatch = namedtuple("BinlogBatch", "rows size_bytes ops seqs after before absent")


cdef struct Cell:
    int state
    const uint8_t *start
    size_t size


cdef int _fixed_size(int op, int width, int extra) except -1:
    """The bytes of a value whose size does not depend on it; `ValueError` for a form that does not exist."""
    known = {
        DATE: 3, YEAR: 1, NOTHING: 0,
        DATETIME2: 5 + fraction_bytes(extra), TIMESTAMP2: 4 + fraction_bytes(extra), TIME2: 3 + fraction_bytes(extra),
        DATETIME: old_datetime_bytes(extra), TIMESTAMP: 4 + fraction_bytes(extra), TIME: old_time_bytes(extra),
    }
    widths = {
        INT: (1, 2, 3, 4, 8), UINT: (1, 2, 3, 4, 8), FLOAT: (4, 8), BIT: range(1, 9), ENUM: (1, 2), SET: range(1, 9),
    }
    if op in known:
        if not 0 <= extra <= 6:
            raise ValueError("a time has up to six digits behind the point")
        return known[op]
    if op == DECIMAL:
        if not 1 <= width <= 65 or not 0 <= extra <= min(width, 30):
            raise ValueError("a DECIMAL has up to 65 digits, 30 of them behind the point")
        return decimal_bytes(width, extra)
    if width not in widths[op]:
        raise ValueError("a value of this form does not have this width")
    return width


cdef class BinlogRows:
    cdef RowBatch batch  # the columns of the row as it is now, then those of its identity
    cdef Form *forms
    cdef Cell *old
    cdef Cell *new
    cdef int *sources  # of each output column, in the table
    cdef Py_ssize_t table_width
    cdef Py_ssize_t after_width
    cdef uint8_t *ops
    cdef int64_t *seqs
    cdef uint8_t **absent
    cdef list kept  # labels and default cells
    cdef bint busy
    cdef bint has_before
    cdef Py_ssize_t problem_column

    def __cinit__(self, forms, after, before, defaults=None):
        cdef Py_ssize_t i
        cdef Py_ssize_t width = len(after) + len(before)
        self.table_width = len(forms)
        self.after_width = len(after)
        if not 1 <= self.table_width <= MOST_COLUMNS or not 1 <= width:
            raise ValueError("a table has at least one column, and some of them are wanted")
        self.batch = RowBatch(width)
        self.forms = <Form *> calloc(self.table_width, sizeof(Form))
        self.old = <Cell *> calloc(self.table_width, sizeof(Cell))
        self.new = <Cell *> calloc(self.table_width, sizeof(Cell))
        self.sources = <int *> calloc(width, sizeof(int))
        self.absent = <uint8_t **> calloc(self.after_width + 1, sizeof(uint8_t *))
        if (
            self.forms == NULL or self.old == NULL or self.new == NULL or self.sources == NULL or self.absent == NULL
        ):
            raise MemoryError
        for i, column in enumerate((*after, *before)):
            if not 0 <= column < self.table_width:
                raise ValueError("a wanted column is not in the table")
            self.sources[i] = column
        self.kept = []
        for i, form in enumerate(forms):
            self._set_form(&self.forms[i], form)
        for column, cell in (defaults or {}).items():
            if not 0 <= column < self.table_width:
                raise ValueError("a default is of a column that is not in the table")
            self.forms[column].has_default = True
            if cell is not None:
                self.kept.append(cell)
                self.forms[column].default_cell = <bytes> cell
                self.forms[column].default_size = len(cell)

    def __dealloc__(self):
        cdef Py_ssize_t i
        if self.forms != NULL:
            for i in range(self.table_width):
                free(self.forms[i].ends)
        if self.absent != NULL:
            for i in range(self.after_width):
                free(self.absent[i])
        free(self.forms)
        free(self.old)
        free(self.new)
        free(self.sources)
        free(self.ops)
        free(self.seqs)
        free(self.absent)

    cdef int _set_form(self, Form *form, given) except -1:
        cdef int i
        cdef size_t end = 0
        cdef bytes joined
        op, width, extra, labels = given
        form.op = int(BinlogOp(op))
        form.width = width
        form.extra = extra
        if BYTES <= form.op <= INET6:
            if not 1 <= width <= 4 or (form.op == PADDED and not 0 <= extra <= 0xFFFF):
                raise ValueError("a length stands in one to four bytes")
            form.prefix = width
        else:
            form.size = _fixed_size(form.op, width, extra)
        if form.op == ENUM or form.op == SET:
            joined = b"".join(labels)
            self.kept.append(joined)
            form.labels = joined
            form.count = len(labels)
            form.ends = <uint32_t *> malloc((form.count + 1) * sizeof(uint32_t))
            if form.ends == NULL:
                raise MemoryError
            form.ends[0] = 0
            for i in range(form.count):
                end += len(labels[i])
                form.ends[i + 1] = <uint32_t> end
        return 0

    @property
    def rows(self):
        return self.batch.rows

    @property
    def size_bytes(self):
        return self.batch.size_bytes

    def feed(
        self, data, Py_ssize_t start, Py_ssize_t end, int op, bytes present, bytes present_after, int64_t seq,
        Py_ssize_t max_bytes
    ):
        cdef Py_buffer view
        cdef const uint8_t *at
        cdef const uint8_t *first
        cdef const uint8_t *old_bits = NULL
        cdef const uint8_t *new_bits = NULL
        cdef int code
        if self.busy:
            raise RuntimeError("this decoder is in use by another thread")
        if op != INSERT and op != UPDATE and op != DELETE or max_bytes < 1:
            raise ValueError("op is one of model.change.Op, and max_bytes at least 1")
        if len(present) != (self.table_width + 7) // 8 or len(present_after) != len(present):
            raise WireError(_PROBLEMS[EXTRA_COLUMNS])
        if op != INSERT:
            old_bits = present
        if op != DELETE:
            new_bits = present if op == INSERT else present_after
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        self.busy = True
        try:
            if not 0 <= start <= end <= view.len:
                raise ValueError("start and end must lie within the data")
            first = <const uint8_t *> view.buf
            at = first + start
            if end - start < SMALL_EVENT:  # others would take the lock, and keep it for longer than this takes
                code = self._feed(&at, first + end, first + view.len, op, old_bits, new_bits, seq, max_bytes)
            else:
                with nogil:
                    code = self._feed(&at, first + end, first + view.len, op, old_bits, new_bits, seq, max_bytes)
            start = at - first
        finally:
            self.busy = False
            PyBuffer_Release(&view)
        if code == NO_MEMORY:
            raise MemoryError
        if code != OK and code != BATCH_FULL and code != COLUMN_FULL:
            self._refuse(code)
        return start

    def _refuse(self, int code):
        """Raise what an event came to."""
        named = code in (NO_IDENTITY, NO_VALUE)
        raise WireError(
            _PROBLEMS[code],
            remedy=_FULL_IMAGES if named else "",
            row=self.batch.rows,
            column=self.problem_column + 1 if named or code == BAD_CELL else None,
        )

    cdef int _feed(
        self, const uint8_t **at, const uint8_t *end, const uint8_t *readable, int op, const uint8_t *old_bits,
        const uint8_t *new_bits, int64_t seq, Py_ssize_t max_bytes
    ) noexcept nogil:
        """Append events from ``at`` on, which is left where decoding stopped."""
        cdef const uint8_t *next
        cdef Py_ssize_t size_before
        cdef int code = OK
        while at[0] < end:
            if self.batch.rows and (self.batch.size_bytes >= max_bytes or self.batch.rows >= MAX_ROWS):
                return BATCH_FULL
            if <size_t> self.batch.rows >= self.batch.row_capacity and self._grow() < 0:
                return NO_MEMORY
            next = at[0]
            if old_bits != NULL:
                code = self._cut(self.old, &next, end, old_bits)
            if code == OK and new_bits != NULL:
                code = self._cut(self.new, &next, end, new_bits)
            if code == OK and next == at[0]:
                code = NO_BYTES
            if code != OK:
                return code
            size_before = self.batch.size_bytes
            code = self._append(op, readable)
            if code != OK:
                self.batch.size_bytes = size_before
                self._forget()
                return CELL_TOO_BIG if code == COLUMN_FULL and self.batch.rows == 0 else code
            self.ops[self.batch.rows] = <uint8_t> op
            self.seqs[self.batch.rows] = seq
            seq += 1
            self.batch.rows += 1
            at[0] = next
        return OK

    cdef int _cut(
        self, Cell *cells, const uint8_t **at, const uint8_t *end, const uint8_t *present
    ) noexcept nogil:
        """Find the cells of an image."""
        cdef const uint8_t *nulls = at[0]
        cdef const uint8_t *cell
        cdef Form *form
        cdef Py_ssize_t i
        cdef Py_ssize_t there = 0
        cdef size_t size
        for i in range(self.table_width):
            there += present[i >> 3] >> (i & 7) & 1
        if end - nulls < (there + 7) // 8:
            return MISSING_CELLS
        cell = nulls + (there + 7) // 8
        there = 0
        for i in range(self.table_width):
            if not present[i >> 3] >> (i & 7) & 1:
                cells[i].state = NOT_THERE
                continue
            if nulls[there >> 3] >> (there & 7) & 1:
                cells[i].state = IS_NULL
                there += 1
                continue
            there += 1
            form = &self.forms[i]
            size = form.size
            if form.prefix:
                if end - cell < form.prefix:
                    return MISSING_CELLS
                size = little(cell, form.prefix)
                cell += form.prefix
            if size > <size_t> (end - cell):
                return CELL_CUT
            cells[i].state = IS_VALUE
            cells[i].start = cell
            cells[i].size = size
            cell += size
        at[0] = cell
        return OK

    cdef int _append(self, int op, const uint8_t *readable) noexcept nogil:
        """Append the event whose images were cut; on anything but OK the row must be forgotten."""
        cdef Column *column
        cdef Cell *cell
        cdef Py_ssize_t i
        cdef int source
        cdef int code
        for i in range(self.batch.width):
            column = &self.batch.columns[i]
            source = self.sources[i]
            self.problem_column = source
            cell = NULL
            code = OK
            if i >= self.after_width:
                if op != INSERT:
                    cell = &self.old[source]
                    if cell.state == NOT_THERE:
                        return NO_IDENTITY
            elif op != DELETE:
                cell = &self.new[source]
                if cell.state == NOT_THERE:
                    if op == INSERT:
                        code = self._default(column, &self.forms[source])
                        cell = NULL
                    else:
                        cell = &self.old[source]
                        if cell.state == NOT_THERE and self._mark_absent(i) < 0:
                            return NO_MEMORY
            if cell != NULL and cell.state == IS_VALUE:
                code = self._value(column, &self.forms[source], cell.start, cell.size, readable)
            elif code == OK and self.batch.null(column) < 0:
                code = NO_MEMORY
            if code < 0:
                return code
            column.offsets[self.batch.rows + 1] = <int32_t> column.size
        if op != INSERT:
            self.has_before = True
        return OK

    cdef int _value(
        self, Column *column, Form *form, const uint8_t *cell, size_t size, const uint8_t *readable
    ) noexcept nogil:
        cdef size_t before = column.size
        cdef size_t room
        cdef int code
        if form.op == JSON or form.op == COMPRESSED:
            if form.op == JSON:
                code = json_text(column, cell, size)
            else:
                code = _inflate(column, cell, size)
            self.batch.size_bytes += column.size - before
            return code
        room = size if form.op == BYTES else form.extra if form.op == PADDED else TEXT_SIZE
        if form.op == SET or form.op == ENUM:
            room = form.ends[form.count] + form.count
        if room + SLACK > MAX_COLUMN - column.size:
            return COLUMN_FULL
        if column.size + room + SLACK > column.capacity and reserve(column, room) < 0:
            return NO_MEMORY
        code = convert(form, column.data + column.size, cell, size, readable)
        if code < 0:
            return BAD_CELL
        column.size += code
        self.batch.size_bytes += code
        return OK

    cdef int _default(self, Column *column, Form *form) noexcept nogil:
        """The cell of a column that a new row's image lacks; OK for a null, more for a cell."""
        if not form.has_default:
            return NO_VALUE
        if form.default_cell == NULL:
            return OK
        if form.default_size + SLACK > MAX_COLUMN - column.size:
            return COLUMN_FULL
        if reserve(column, form.default_size) < 0:
            return NO_MEMORY
        memcpy(column.data + column.size, form.default_cell, form.default_size)
        column.size += form.default_size
        self.batch.size_bytes += form.default_size
        return OK + 1

    cdef int _mark_absent(self, Py_ssize_t column) noexcept nogil:
        cdef Py_ssize_t row = self.batch.rows
        if self.absent[column] == NULL:
            self.absent[column] = <uint8_t *> calloc(self.batch.row_capacity // 8, 1)
            if self.absent[column] == NULL:
                return -1
        self.absent[column][row >> 3] |= 1 << (row & 7)
        return 0

    cdef void _forget(self) noexcept nogil:
        cdef Py_ssize_t row = self.batch.rows
        cdef Py_ssize_t i
        self.batch._forget_row()
        for i in range(self.after_width):
            if self.absent[i] != NULL:
                self.absent[i][row >> 3] &= ~(1 << (row & 7))

    cdef int _grow(self) noexcept nogil:
        """Make room for at least one more row; 0, or -1 without memory."""
        cdef size_t before = self.batch.row_capacity
        cdef size_t capacity
        if self.batch._grow_rows() < 0:
            return -1
        capacity = self.batch.row_capacity
        if self._fit(before, capacity) < 0:
            self.batch.row_capacity = before  # what is there for more rows does no harm
            return -1
        return 0

    cdef int _fit(self, size_t before, size_t capacity) noexcept nogil:
        cdef void *grown = realloc(self.ops, capacity)
        cdef Py_ssize_t i
        if grown == NULL:
            return -1
        self.ops = <uint8_t *> grown
        grown = realloc(self.seqs, capacity * sizeof(int64_t))
        if grown == NULL:
            return -1
        self.seqs = <int64_t *> grown
        for i in range(self.after_width):
            if self.absent[i] == NULL:
                continue
            grown = realloc(self.absent[i], capacity // 8)
            if grown == NULL:
                return -1
            self.absent[i] = <uint8_t *> grown
            memset(self.absent[i] + before // 8, 0, (capacity - before) // 8)
        return 0

    def take(self):
        cdef Py_ssize_t size_bytes = self.batch.size_bytes
        cdef Py_ssize_t rows = self.batch.rows
        cdef Py_ssize_t i
        cdef Block ops = Block()
        cdef Block seqs = Block()
        cdef list absent = [Block() if self.absent[i] != NULL else None for i in range(self.after_width)]
        if self.busy:
            raise RuntimeError("this decoder is in use by another thread")
        if self.batch.row_capacity == 0 and self._grow() < 0:
            raise MemoryError
        _, columns = self.batch.take()
        ops.own(self.ops, rows)
        seqs.own(<uint8_t *> self.seqs, rows * sizeof(int64_t))
        for i in range(self.after_width):
            if self.absent[i] != NULL:
                (<Block> absent[i]).own(self.absent[i], (rows + 7) // 8)
                self.absent[i] = NULL
        self.ops = NULL
        self.seqs = NULL
        before = columns[self.after_width:] if self.has_before else None
        self.has_before = False
        return BinlogBatch(rows, size_bytes, ops, seqs, columns[:self.after_width], before, absent)


cdef int _inflate(Column *column, const uint8_t *cell, size_t size) noexcept with gil:
    cdef bytes data
    cdef const uint8_t *start
    cdef size_t length
    try:
        data = inflate((<const char *> cell)[:size])
    except MemoryError:
        return NO_MEMORY
    except Exception:
        return BAD_CELL
    length = len(data)
    start = data
    if length + SLACK > MAX_COLUMN - column.size:
        return COLUMN_FULL
    if reserve(column, length) < 0:
        return NO_MEMORY
    memcpy(column.data + column.size, start, length)
    column.size += length
    return OK
