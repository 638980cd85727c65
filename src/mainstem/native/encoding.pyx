# cython: language_level=3
"""What the encoders share (see the .pxd for the rest)."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uint8_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memset

from mainstem.native.memory cimport Block

from mainstem.errors import WireError
from mainstem.native.ops import Refusal

_ZERO_DATES = ("error", "null", "epoch")
_NUL_TEXT = ("error", "strip", "replace")
_SPECIAL_VALUES = ("error", "null")
_CHANGES = (
    "", "zero_date_null", "zero_date_epoch", "nul_stripped", "nul_replaced", "special_value_null", "no_label",
)


cdef class RowEncoder:
    """What encoders share: buffers in, one virtual call per row, bytes and refused rows out."""

    def __cinit__(
        self, ops, parameters, str zero_dates="error", str nul_text="error", *, str special_values="error", **options
    ):
        cdef Py_ssize_t i
        if zero_dates not in _ZERO_DATES:
            raise ValueError(f"zero_dates must be one of {', '.join(_ZERO_DATES)}")
        if nul_text not in _NUL_TEXT:
            raise ValueError(f"nul_text must be one of {', '.join(_NUL_TEXT)}")
        if special_values not in _SPECIAL_VALUES:
            raise ValueError(f"special_values must be one of {', '.join(_SPECIAL_VALUES)}")
        if not ops or len(ops) != len(parameters):
            raise ValueError("ops and their parameters must have one entry per column, for at least one column")
        self.zero_dates = _ZERO_DATES.index(zero_dates)
        self.nul_text = _NUL_TEXT.index(nul_text)
        self.special_values = _SPECIAL_VALUES.index(special_values)
        self.columns = <Column *> calloc(len(ops), sizeof(Column))
        if self.columns == NULL:
            raise MemoryError
        self.width = len(ops)
        for i in range(self.width):
            self.columns[i].op = int(ops[i])
            self.columns[i].length = parameters[i]

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

    cdef int _rows(self, Out *out, Refusals *refusals, Cells *cells, Py_ssize_t first, Py_ssize_t rows) noexcept nogil:
        cdef Py_ssize_t row
        cdef Py_ssize_t column = 0
        cdef size_t mark
        cdef int code
        if grow(out, self.estimate(cells, rows)) < 0:
            return NO_MEMORY
        for row in range(rows):
            mark = out.size
            code = self.row(out, cells, first, row, &column)
            if code < 0:
                return code
            if code != OK:
                out.size = mark
                if _refuse(refusals, row, column, code) < 0:
                    return NO_MEMORY
            if out.changed:
                self._settle(code == OK)
                out.changed = False
        return OK

    cdef int row(self, Out *out, Cells *cells, Py_ssize_t first, Py_ssize_t row, Py_ssize_t *at) noexcept nogil:
        """Write a whole row; on anything but OK ``at`` is the column that it is about."""
        return MALFORMED

    cdef size_t estimate(self, Cells *cells, Py_ssize_t rows) noexcept nogil:
        """About the bytes that the rows will need, so that memory seldom has to grow."""
        return 1024

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
