# cython: language_level=3
"""A COPY's messages, taken one after another without a Python object for any of them: here from libpq.

The library is the driver's: this calls the function that it is given, without the GIL, and links to nothing.

Source: PostgreSQL manual, "Functions Associated with the COPY Command" (a message is one row), "COPY", "Binary Format".
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uint8_t, uint32_t, uintptr_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

from mainstem.native.copyheader cimport FIELD_NULL, HEADER_SIZE, TRAILER, begins
from mainstem.native.copyrows cimport CopyDecoder
from mainstem.native.digits cimport big
from mainstem.native.memory cimport Block, FreeMemory
from mainstem.native.rows cimport BAD_HEADER, COLUMN_FULL, NO_MEMORY, OK, UNENDED_ROW

from mainstem.errors import WireError
from mainstem.native.copyrows import problem
from mainstem.native.status import Status

ctypedef int (*GetCopyData)(void *connection, char **buffer, int asynchronous) noexcept nogil

cdef enum:
    # The values of `Status`.
    FULL = 1
    END = 2
    ERROR = 3

    NO_MORE = -1  # PQgetCopyData: the COPY is over; anything less: it failed

    # What a message can come to besides OK and NO_MEMORY.
    BAD_TUPLE = -22
    AFTER_END = -23

cdef dict _PROBLEMS = {
    BAD_TUPLE: "a message does not consist of whole rows with a field for each column",
    AFTER_END: "COPY's binary data go on behind their end",
}


cdef _raise(int code, Py_ssize_t row):
    if code == NO_MEMORY:
        raise MemoryError
    raise WireError(_PROBLEMS.get(code) or problem(code), row=row)


cdef class RawRows:
    """Joins the messages of one COPY."""

    cdef uint8_t *start
    cdef size_t capacity
    cdef size_t hint
    cdef void *base  # the library's message that ``start`` lies in, if it is not our own memory
    cdef FreeMemory release
    cdef bint binary
    cdef bint begun
    cdef bint ended
    cdef uint32_t columns
    cdef readonly Py_ssize_t rows
    cdef readonly Py_ssize_t size_bytes

    def __init__(self, *, bint binary, uint32_t columns):
        self.binary = binary
        self.columns = columns

    def __dealloc__(self):
        if self.base != NULL:
            self.release(self.base)
        else:
            free(self.start)

    def message(self, data):
        cdef Py_buffer view
        cdef int code
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        try:
            code = self.add(<const uint8_t *> view.buf, view.len)
        finally:
            PyBuffer_Release(&view)
        if code != OK:
            _raise(code, self.rows)

    def take(self):
        cdef Block block = Block()
        cdef void *smaller
        cdef size_t size = <size_t> self.size_bytes
        if self.start == NULL and self._reserve(0) < 0:
            raise MemoryError
        if self.base != NULL:
            block.adopt(self.base, self.release, self.start, size)
        else:
            self.hint = size + size // 8
            if self.capacity - size > size // 4 + 1024:
                smaller = realloc(self.start, size if size else 1)
                if smaller != NULL:
                    self.start = <uint8_t *> smaller
            block.own(self.start, size)
        self.start = NULL
        self.base = NULL
        self.capacity = 0
        self.rows = 0
        self.size_bytes = 0
        return memoryview(block)

    cdef int _reserve(self, size_t more) noexcept nogil:
        cdef size_t need = self.size_bytes + more
        cdef size_t capacity = self.capacity * 2 if self.capacity else self.hint
        cdef uint8_t *start
        if self.start != NULL and need <= self.capacity:
            return OK
        if capacity < need + 1:
            capacity = need + 1
        start = <uint8_t *> realloc(self.start, capacity)
        if start == NULL:
            return NO_MEMORY
        self.start = start
        self.capacity = capacity
        return OK

    cdef int add(self, const uint8_t *data, size_t size) noexcept nogil:
        """Append a message; on anything but OK nothing of it is kept."""
        cdef Py_ssize_t rows = 1
        cdef bint ended = False
        cdef int code = self._look(&data, &size, &rows, &ended)
        if code != OK:
            return code
        if self._reserve(size) < 0:
            return NO_MEMORY
        memcpy(self.start + self.size_bytes, data, size)
        self._added(size, rows, ended)
        return OK

    cdef int adopt(self, char *message, size_t size, FreeMemory release) noexcept nogil:
        """Have a message as it is, when there is no other; it is ours with OK alone. `take` must follow."""
        cdef Py_ssize_t rows = 1
        cdef bint ended = False
        cdef const uint8_t *data = <const uint8_t *> message
        cdef int code = self._look(&data, &size, &rows, &ended)
        if code != OK:
            return code
        free(self.start)
        self.start = <uint8_t *> data
        self.capacity = 0
        self.base = message
        self.release = release
        self._added(size, rows, ended)
        return OK

    cdef void _added(self, size_t size, Py_ssize_t rows, bint ended) noexcept nogil:
        self.begun = True
        self.ended = ended
        self.size_bytes += size
        self.rows += rows

    cdef int _look(self, const uint8_t **data, size_t *size, Py_ssize_t *rows, bint *ended) noexcept nogil:
        """Check a message; ``data`` and ``size`` become those of its rows."""
        cdef int code
        if self.binary:
            code = self._strip(data, size)
            return self._tuples(data[0], size, rows, ended) if code == OK else code
        return OK if size[0] and data[0][size[0] - 1] == c"\n" else UNENDED_ROW

    cdef int _strip(self, const uint8_t **data, size_t *size) noexcept nogil:
        """Take the header off the first message."""
        if self.begun:
            return AFTER_END if self.ended else OK
        if not begins(data[0], size[0]):
            return BAD_HEADER
        data[0] += HEADER_SIZE
        size[0] -= HEADER_SIZE
        return OK

    cdef int _tuples(self, const uint8_t *data, size_t *size, Py_ssize_t *rows, bint *ended) noexcept nogil:
        """Count whole rows; ``size`` becomes theirs, without the trailer."""
        cdef const uint8_t *at = data
        cdef const uint8_t *end = data + size[0]
        cdef uint32_t fields, length
        rows[0] = 0
        while at != end:
            if end - at < 2:
                return BAD_TUPLE
            fields = <uint32_t> big(at, 2)
            if fields == TRAILER and end - at == 2:
                ended[0] = True
                size[0] -= 2
                return OK
            if fields != self.columns:
                return BAD_TUPLE
            at += 2
            for _ in range(fields):
                if end - at < 4:
                    return BAD_TUPLE
                length = <uint32_t> big(at, 4)
                at += 4
                if length != FIELD_NULL:
                    if length > <size_t> (end - at):
                        return BAD_TUPLE
                    at += length
            rows[0] += 1
        return OK


cdef class Messages:
    """The messages of one COPY TO STDOUT under way; where they come from is for those that are of this kind."""

    def __init__(self):
        raise TypeError("made by those that are of this kind")

    def decode(self, CopyDecoder into not None, Py_ssize_t max_rows, Py_ssize_t max_bytes):
        cdef Block message = Block()
        cdef int code = OK
        cdef int status
        if into.busy:
            raise RuntimeError("this decoder is in use by another thread")
        into.busy = True
        try:
            with nogil:
                while True:
                    status = FULL
                    if into.rows >= max_rows or into.size_bytes >= max_bytes:
                        break
                    status = self._next()
                    if status != OK:
                        break
                    into.lends = self.size >= LARGE_BYTES
                    into.lender = <const uint8_t *> self.held
                    code = into.add(<const uint8_t *> self.held, self.size)
                    if code == COLUMN_FULL:
                        status = FULL
                    if code != OK:
                        break
                    if into.lent:
                        status = FULL
                        break
                    self._drop()
            if into.lent:
                message.adopt(self.held, self.release, <uint8_t *> self.held, self.size)
                self.held = NULL
                into.owner = message
        finally:
            into.busy = False
        if status == NO_MEMORY:
            raise MemoryError
        if code != OK and code != COLUMN_FULL:
            _raise(code, into.rows)
        return Status(status)

    def gather(self, RawRows into not None, Py_ssize_t max_bytes):
        cdef int code = OK
        cdef int status
        with nogil:
            while True:
                status = FULL
                if into.size_bytes >= max_bytes:
                    break
                status = self._next()
                if status != OK:
                    break
                if self.size >= LARGE_BYTES:
                    if into.rows == 0:
                        code = into.adopt(self.held, self.size, self.release)
                        if code == OK:
                            self.held = NULL
                    status = FULL
                    break
                code = into.add(<const uint8_t *> self.held, self.size)
                if code != OK:
                    break
                self._drop()
        if status == NO_MEMORY:
            raise MemoryError
        if code != OK:
            _raise(code, into.rows)
        return Status(status)

    cdef int _next(self) noexcept nogil:
        """Hold a message: the one that is held already, or the next; OK, END, ERROR or NO_MEMORY.

        One of `LARGE_BYTES` lies in memory of its own, which ``release`` frees.
        """
        return ERROR

    cdef void _drop(self) noexcept nogil:
        """The message that is held, if any, is dealt with."""


cdef class MessageStream(Messages):
    """The messages of one COPY TO STDOUT under way on a connection of libpq's."""

    cdef GetCopyData get
    cdef void *connection

    def __init__(self, uintptr_t get, uintptr_t release, uintptr_t connection):
        self.get = <GetCopyData> get
        self.release = <FreeMemory> release
        self.connection = <void *> connection

    def __dealloc__(self):
        self._drop()

    cdef int _next(self) noexcept nogil:
        cdef int size
        if self.held != NULL:
            return OK
        size = self.get(self.connection, &self.held, 0)
        if size < 0:
            return END if size == NO_MORE else ERROR
        self.size = size
        return OK

    cdef void _drop(self) noexcept nogil:
        if self.held != NULL:
            self.release(self.held)
            self.held = NULL
