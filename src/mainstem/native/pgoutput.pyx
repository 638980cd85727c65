# cython: language_level=3
"""Messages of a PostgreSQL walsender with the plugin pgoutput: changes into column buffers, all else for the caller.

Source: PostgreSQL manual, "Streaming Replication Protocol" (START_REPLICATION), "Logical Streaming Replication
Protocol", "Logical Replication Message Formats", "Functions Associated with the COPY Command" (asynchronous).
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

from mainstem.native.changerows cimport (
    BAD_TUPLE, BINARY_CELL, DELETE, INSERT, NO_IDENTITY, NOT_SENT, UPDATE, WRONG_WIDTH, Relation,
)
from mainstem.native.memory cimport Block
from mainstem.native.rows cimport BAD_CELL, CELL_TOO_BIG, MISSING_CELLS, NO_MEMORY, OK, TRAILING_BYTES

from mainstem.errors import WireError
from mainstem.native.status import Status

cdef enum:
    # The values of `Status`.
    NEED_MORE = 0
    FULL = 1
    MESSAGE = 4

    KEEPALIVE_SIZE = 18
    SIZE_BYTES = 4  # before a message that was put aside
    EPOCH_US = 946684800000000  # of PostgreSQL's times, 2000-01-01, in microseconds since 1970

    # What a message can come to besides what a change can, and what pgoutput.pxd has.
    NO_TRANSACTION = -42
    NESTED = -43
    NO_RELATION = -44

cdef dict _PROBLEMS = {
    MISSING_CELLS: "a tuple ends before its last column",
    TRAILING_BYTES: "a message has bytes behind its last tuple",
    BAD_CELL: "a value does not have the form of its column's type",
    CELL_TOO_BIG: "the values of a column in one group are longer than 2 GiB",
    BAD_TUPLE: "a tuple has a column of a kind that is not known",
    WRONG_WIDTH: "a tuple does not have as many columns as its table",
    BINARY_CELL: "a tuple has a binary column, which was not asked for",
    NO_IDENTITY: "the log does not hold the key of a row that was changed",
    NOT_SENT: "the log does not hold a column that is to be copied",
    BAD_ENVELOPE: "a message is neither data of the log nor a keepalive",
    BAD_SIZE: "a message is not as long as its kind is",
    NO_TRANSACTION: "a change or an end stands outside of a transaction",
    NESTED: "a transaction begins within another",
    NO_RELATION: "a change is of a table that was not described before",
}


cdef inline uint64_t _number(const uint8_t *at, int width) noexcept nogil:
    cdef uint64_t value = 0
    cdef int i
    for i in range(width):
        value = value << 8 | at[i]
    return value


cdef class LogDecoder:
    """Decodes messages, one after another."""

    def __cinit__(self, uint64_t position):
        self.relations = {}
        self.position = position
        self.received = position

    def __dealloc__(self):
        free(self.entries)
        free(self.aborted)
        free(self.spool)

    @property
    def first_row(self):
        return self.first_seq

    @property
    def has_rows(self):
        return self.touched > 0

    def relate(self, Relation relation not None):
        self.relations[relation.oid] = relation
        self._index()

    def forget(self, oid):
        self.relations.pop(oid, None)
        self._index()

    cdef _index(self):
        cdef Entry *entries = <Entry *> realloc(self.entries, (len(self.relations) + 1) * sizeof(Entry))
        cdef Py_ssize_t place = 0
        if entries == NULL:
            raise MemoryError
        self.entries = entries
        self.last = None
        for oid in sorted(self.relations):
            entries[place].oid = oid
            entries[place].relation = <void *> self.relations[oid]
            place += 1
        self.count = place

    def begin_group(self):
        self.rows = 0
        self.size_bytes = 0
        self.transactions = 0
        self.first_committed_us = 0
        self.committed_us = 0

    def begin_replay(self, uint64_t commit_lsn, aborted):
        cdef uint32_t *found
        cdef Py_ssize_t i
        if self.within:
            raise WireError(_PROBLEMS[NESTED])
        found = <uint32_t *> realloc(self.aborted, (len(aborted) + 1) * sizeof(uint32_t))
        if found == NULL:
            raise MemoryError
        self.aborted = found
        for i, xid in enumerate(sorted(aborted)):
            found[i] = xid
        self.aborts = len(aborted)
        self.replaying = True
        self._begin(commit_lsn)

    def end_replay(self, uint64_t end_lsn, int64_t committed):
        if not self.replaying:
            raise WireError(_PROBLEMS[NO_TRANSACTION])
        self.replaying = False
        self._commit(end_lsn, committed)

    def number(self):
        cdef int64_t given = self.seq
        self.seq += 1
        self.touched += 1
        return given

    def message(self, data):
        cdef Py_buffer view
        cdef int code
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        try:
            with nogil:
                code = self.add(<const uint8_t *> view.buf, view.len)
        finally:
            PyBuffer_Release(&view)
        self._check(code)
        if code == CONTROL:
            return Status.MESSAGE
        return Status.SPOOL if self.spool_size >= SPOOL_BYTES else Status.NEED_MORE

    def replay(self, data, Py_ssize_t start, Py_ssize_t max_rows, Py_ssize_t max_bytes, bint mapped=False):
        cdef Py_buffer view
        cdef Py_ssize_t at = start
        cdef int status = NEED_MORE
        cdef int code = OK
        if not self.replaying:
            raise WireError(_PROBLEMS[NO_TRANSACTION])
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        try:
            if not 0 <= start <= view.len:
                raise ValueError("start must lie within the data")
            self.mapped = mapped
            with nogil:
                code = self._replay(<const uint8_t *> view.buf, view.len, &at, max_rows, max_bytes, &status)
        finally:
            self.mapped = False
            PyBuffer_Release(&view)
        self._check(code)
        return Status(status), at - start

    def large(self, data):
        cdef Py_buffer view
        cdef int code
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        self.aside = False
        self.mapped = True
        try:
            with nogil:
                code = BAD_SIZE
                if view.len > SIZE_BYTES:
                    code = self._data(<const uint8_t *> view.buf + SIZE_BYTES, <const uint8_t *> view.buf + view.len)
        finally:
            self.mapped = False
            PyBuffer_Release(&view)
        self._check(code)
        return Status(MESSAGE if code == CONTROL else NEED_MORE)

    @property
    def alone(self):
        return self.aside

    def take_spool(self):
        cdef Block block = Block()
        block.own(self.spool, self.spool_size)
        self.spool = NULL
        self.spool_size = 0
        self.spool_capacity = 0
        return memoryview(block) if len(block) else memoryview(b"")

    cdef _check(self, int code):
        if code == OK or code == CONTROL:
            return
        self.broken = True
        if code == NO_MEMORY:
            raise MemoryError
        raise WireError("PostgreSQL's log: " + _PROBLEMS.get(code, "a message cannot be read"))

    cdef void _begin(self, uint64_t commit_lsn) noexcept nogil:
        self.within = True
        self.commit_lsn = commit_lsn
        self.first_seq = self.seq
        self.touched = 0

    cdef void _commit(self, uint64_t end_lsn, int64_t committed) noexcept nogil:
        self.within = False
        if end_lsn > self.position:
            self.position = end_lsn
        if self.touched:
            self.transactions += 1
            self.committed_us = committed + EPOCH_US
            if self.first_committed_us == 0:
                self.first_committed_us = self.committed_us
        self.first_seq = self.seq

    cdef int add(self, const uint8_t *data, size_t size) noexcept nogil:
        """Deal with what one CopyData message holds: OK, CONTROL, or a problem, after which nothing else may come."""
        if self.broken:
            return BAD_ENVELOPE
        if size > DATA_HEAD and data[0] == c"w":
            return self._data(data + DATA_HEAD, data + size)
        if size == KEEPALIVE_SIZE and data[0] == c"k":
            self._seen(_number(data + 1, 8))
            if data[KEEPALIVE_SIZE - 1]:
                self.reply_wanted = True
            if not self.within and self.received > self.position:
                self.position = self.received
            return OK
        return BAD_ENVELOPE

    cdef void _seen(self, uint64_t lsn) noexcept nogil:
        if lsn > self.received:
            self.received = lsn

    cdef int _data(self, const uint8_t *at, const uint8_t *end) noexcept nogil:
        cdef Py_ssize_t size = end - at
        if self.spooling:
            return CONTROL if at[0] == c"E" else self._put_aside(at, size)
        if at[0] == c"I" or at[0] == c"U" or at[0] == c"D":
            return self._change(at[0], at + 1, end) if self.within else NO_TRANSACTION
        if at[0] == c"B":
            if size != 21:
                return BAD_SIZE
            if self.within:
                return NESTED
            self._begin(_number(at + 1, 8))
            return OK
        if at[0] == c"C":
            if size != 26:
                return BAD_SIZE
            if not self.within:
                return NO_TRANSACTION
            self._commit(_number(at + 10, 8), <int64_t> _number(at + 18, 8))
            return OK
        return CONTROL

    cdef int _put_aside(self, const uint8_t *at, size_t size) noexcept nogil:
        cdef int code = self.announce(size)
        return code if code != OK else self.put_more(at, size)

    cdef int announce(self, size_t size) noexcept nogil:
        """Put a message of this size aside; `put_more` brings its bytes, in one piece or in several."""
        cdef uint8_t[SIZE_BYTES] head
        cdef int i
        if size > 0x7FFFFFFF:
            return BAD_SIZE
        for i in range(SIZE_BYTES):
            head[i] = <uint8_t> (size >> (24 - 8 * i))
        return self.put_more(head, SIZE_BYTES)

    cdef int put_more(self, const uint8_t *at, size_t size) noexcept nogil:
        cdef size_t need = self.spool_size + size
        cdef size_t capacity
        cdef uint8_t *spool
        if need > self.spool_capacity:
            capacity = self.spool_capacity * 2 if self.spool_capacity else SPOOL_BYTES
            if capacity < need:
                capacity = need
            spool = <uint8_t *> realloc(self.spool, capacity)
            if spool == NULL:
                return NO_MEMORY
            self.spool = spool
            self.spool_capacity = capacity
        memcpy(self.spool + self.spool_size, at, size)
        self.spool_size = need
        return OK

    cdef int _replay(
        self, const uint8_t *data, Py_ssize_t size, Py_ssize_t *place, Py_ssize_t max_rows, Py_ssize_t max_bytes,
        int *status,
    ) noexcept nogil:
        """Messages of a spool: size, kind, (sub)transaction, and the rest. Stops before one for the caller."""
        cdef const uint8_t *at
        cdef Py_ssize_t length
        cdef int code
        if self.broken:
            return BAD_ENVELOPE
        while True:
            if self.rows >= max_rows or self.size_bytes >= max_bytes:
                status[0] = FULL
                return OK
            at = data + place[0]
            if size - place[0] < 4:
                status[0] = NEED_MORE
                return OK
            length = <Py_ssize_t> _number(at, 4)
            if size - place[0] - 4 < length:
                status[0] = NEED_MORE
                return OK
            if length < 5:
                return BAD_SIZE
            at += 4
            if at[0] != c"I" and at[0] != c"U" and at[0] != c"D":
                status[0] = MESSAGE
                return OK
            if not self._is_aborted(<uint32_t> _number(at + 1, 4)):
                code = self._change(at[0], at + 5, at + length)
                if code == CONTROL:
                    status[0] = MESSAGE
                    return OK
                if code != OK:
                    return code
            place[0] += 4 + length

    cdef bint _is_aborted(self, uint32_t xid) noexcept nogil:
        cdef Py_ssize_t low = 0
        cdef Py_ssize_t high = self.aborts
        cdef Py_ssize_t middle
        while low < high:
            middle = (low + high) // 2
            if self.aborted[middle] < xid:
                low = middle + 1
            else:
                high = middle
        return low < self.aborts and self.aborted[low] == xid

    cdef void *_find(self, uint32_t oid) noexcept nogil:
        cdef Py_ssize_t low = 0
        cdef Py_ssize_t high = self.count
        cdef Py_ssize_t middle
        while low < high:
            middle = (low + high) // 2
            if self.entries[middle].oid < oid:
                low = middle + 1
            else:
                high = middle
        return self.entries[low].relation if low < self.count and self.entries[low].oid == oid else NULL

    cdef int _change(self, uint8_t letter, const uint8_t *at, const uint8_t *end) noexcept nogil:
        cdef uint32_t oid
        cdef uint8_t old = 0
        cdef Py_ssize_t before
        cdef int op = INSERT if letter == c"I" else UPDATE if letter == c"U" else DELETE
        cdef int code
        cdef void *found
        if end - at < 5:
            return BAD_SIZE
        oid = <uint32_t> _number(at, 4)
        at += 4
        if self.last is None or self.last.oid != oid:
            found = self._find(oid)
            if found == NULL:
                return NO_RELATION
            with gil:
                self.last = <Relation> found
        if self.commit_lsn < self.last.since:
            return OK
        if self.last.rows is None:  # with a `since`, how it is read is to be settled first
            return CONTROL if self.last.since else OK
        self.last.mapped = self.mapped
        if op != INSERT and (at[0] == c"K" or at[0] == c"O"):
            old = at[0]
            at += 1
            code = self.last.read(self.last.old, &at, end)
            if code != OK:
                return code
        if op == DELETE:
            if not old:
                return BAD_TUPLE
        else:
            if at == end or at[0] != c"N":
                return BAD_TUPLE
            at += 1
            code = self.last.read(self.last.new, &at, end)
            if code != OK:
                return code
        if at != end:
            return TRAILING_BYTES
        before = self.last.rows.size_bytes
        code = self.last.rows.change(self.last, op, old, self.seq, end)
        if code == OK:
            self.size_bytes += self.last.rows.size_bytes - before
            self.rows += 1
            self.seq += 1
            self.touched += 1
        return code
