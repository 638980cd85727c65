# cython: language_level=3
"""Where a walsender's messages come from: the socket itself, or libpq.

Source: PostgreSQL manual, "Message Flow", COPY Operations; "Message Formats"; "Functions Associated with the COPY
Command" (asynchronous).
"""

from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport uint8_t, uint64_t, uintptr_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memmove

from mainstem.native.pgoutput cimport BAD_ENVELOPE, BAD_SIZE, CONTROL, DATA_HEAD, SPOOL_BYTES, LogDecoder
from mainstem.native.rows cimport NO_MEMORY, OK

from mainstem.native.status import Status

ctypedef int (*GetCopyData)(void *connection, char **buffer, int asynchronous) noexcept nogil
ctypedef void (*FreeMemory)(void *start) noexcept nogil
ctypedef int (*ConsumeInput)(void *connection) noexcept nogil

cdef extern from "sys/socket.h":
    ssize_t recv(int descriptor, void *to, size_t size, int flags) noexcept nogil
    enum:
        MSG_DONTWAIT

cdef enum:
    # The values of `Status`.
    NEED_MORE = 0
    FULL = 1
    END = 2
    ERROR = 3
    MESSAGE = 4
    SPOOL = 5
    LARGE = 6

    NO_MORE = -1  # PQgetCopyData: the stream is over; anything less: it failed

    HEAD = 5  # of a message: letter, size of the rest with these four bytes
    BUFFER_BYTES = 1048576
    LARGE_BYTES = 4194304  # a message from this size on is put aside in pieces
    NOTHING = 11  # is at hand; beside `Status` and OK


cdef class LogStream:
    """The messages of a walsender's stream on a connection."""

    cdef GetCopyData get
    cdef FreeMemory release
    cdef ConsumeInput consume
    cdef void *connection
    cdef char *held
    cdef int size
    cdef readonly uint64_t received_bytes

    def __init__(self, uintptr_t get, uintptr_t release, uintptr_t consume, uintptr_t connection):
        self.get = <GetCopyData> get
        self.release = <FreeMemory> release
        self.consume = <ConsumeInput> consume
        self.connection = <void *> connection

    def __dealloc__(self):
        self._drop()

    def read(self, LogDecoder into not None, Py_ssize_t max_rows, Py_ssize_t max_bytes):
        cdef int code = OK
        cdef int status
        with nogil:
            while True:
                status = FULL
                if into.rows >= max_rows or into.size_bytes >= max_bytes:
                    break
                status = self._next()
                if status != OK:
                    status = NEED_MORE if status == CONTROL else status
                    break
                code = into.add(<const uint8_t *> self.held, self.size)
                if code == CONTROL:
                    status = MESSAGE
                if code != OK:
                    break
                self._drop()
                if into.spool_size >= SPOOL_BYTES:
                    status = SPOOL
                    break
        into._check(code)
        return Status(status)

    def take(self):
        data = (<uint8_t *> self.held)[:self.size][DATA_HEAD:]
        self._drop()
        return data

    cdef int _next(self) noexcept nogil:
        """Hold a message: OK; CONTROL when none is at hand; END or ERROR."""
        cdef int size
        cdef int tries
        if self.held != NULL:
            return OK
        for tries in range(3):
            size = self.get(self.connection, &self.held, 1)
            if size > 0:
                self.size = size
                self.received_bytes += size
                return OK
            if size < 0:
                return END if size == NO_MORE else ERROR
            # Twice: what TLS has decrypted already does not show at the socket.
            if tries == 2 or not self.consume(self.connection):
                return CONTROL if tries == 2 else ERROR
        return CONTROL

    cdef void _drop(self) noexcept nogil:
        if self.held != NULL:
            self.release(self.held)
            self.held = NULL


cdef class SocketStream:
    """The messages of a walsender's stream, read from its socket."""

    cdef int descriptor
    cdef uint8_t *start
    cdef size_t capacity
    cdef size_t begin  # what is not read yet lies from here …
    cdef size_t end  # … to here
    cdef size_t size  # of the message that stands at ``begin``, once all of it is there; 0: not known
    cdef size_t left  # of a large message, what is still to be put aside
    cdef readonly uint64_t received_bytes

    def __cinit__(self, int descriptor):
        self.descriptor = descriptor
        self.capacity = BUFFER_BYTES
        self.start = <uint8_t *> malloc(self.capacity)
        if self.start == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.start)

    def read(self, LogDecoder into not None, Py_ssize_t max_rows, Py_ssize_t max_bytes):
        cdef int code = OK
        cdef int status
        with nogil:
            status = self._read(into, max_rows, max_bytes, &code)
        into._check(code)
        return Status(NEED_MORE if status == NOTHING else status)

    def take(self):
        data = (self.start + self.begin)[HEAD + DATA_HEAD:self.size]
        self._drop()
        return data

    def failure(self):
        if self.size == 0 or self.start[self.begin] != c"E":
            return b""
        return (self.start + self.begin)[HEAD:self.size]

    cdef int _read(self, LogDecoder into, Py_ssize_t max_rows, Py_ssize_t max_bytes, int *code) noexcept nogil:
        cdef int status
        while into.rows < max_rows and into.size_bytes < max_bytes:
            status = self._put_aside(into, code) if self.left else self._next(into, code)
            if status != OK:
                return status
            if self.left or self.size == 0:
                continue
            code[0] = into.add(self.start + self.begin + HEAD, self.size - HEAD)
            if code[0] == CONTROL:
                return MESSAGE
            if code[0] != OK:
                return ERROR
            self._drop()
            if into.spool_size >= SPOOL_BYTES:
                return SPOOL
        return FULL

    cdef int _put_aside(self, LogDecoder into, int *code) noexcept nogil:
        """The next piece of a large message."""
        cdef size_t piece = self.end - self.begin
        cdef int status
        if piece == 0:
            status = self._receive(BUFFER_BYTES, code)
            if status != OK:
                return status
            piece = self.end - self.begin
        if piece > self.left:
            piece = self.left
        code[0] = into.put_more(self.start + self.begin, piece)
        if code[0] != OK:
            return ERROR
        self.begin += piece
        self.left -= piece
        if self.left == 0 and into.aside:
            return LARGE
        return SPOOL if into.spool_size >= SPOOL_BYTES else OK

    cdef int _next(self, LogDecoder into, int *code) noexcept nogil:
        """Have the next message of data at hand, or begin with a large one; OK with neither: look again."""
        cdef size_t there, size
        cdef uint8_t letter
        if self.size:
            return END if self.start[self.begin] == c"E" else OK
        there = self.end - self.begin
        if there < HEAD:
            return self._receive(HEAD, code)
        letter = self.start[self.begin]
        size = 1 + self._number(self.begin + 1)
        if size < HEAD or size > 0x7FFFFFFF:
            code[0] = BAD_SIZE
            return ERROR
        if letter == c"d" and size >= LARGE_BYTES:
            if there <= HEAD + DATA_HEAD:
                return self._receive(HEAD + DATA_HEAD + 1, code)
            if self._begin_large(into, size, code):
                return OK if code[0] == OK else ERROR
        if there < size:
            return self._receive(size, code)
        return self._whole(letter, size)

    cdef bint _begin_large(self, LogDecoder into, size_t size, int *code) noexcept nogil:
        """Whether the message is put aside: within a transaction under way any, else those of rows."""
        cdef uint8_t kind = self.start[self.begin + HEAD + DATA_HEAD]
        if self.start[self.begin + HEAD] != c"w":
            code[0] = BAD_ENVELOPE
            return True
        if not into.spooling:
            if kind != c"I" and kind != c"U" and kind != c"D":
                return False
            into.aside = True
        self.left = size - HEAD - DATA_HEAD
        self.begin += HEAD + DATA_HEAD
        code[0] = into.announce(self.left)
        return True

    cdef int _whole(self, uint8_t letter, size_t size) noexcept nogil:
        """A message is there."""
        if letter == c"c":
            return END
        if letter != c"d" and letter != c"E":  # a notice, a setting that has changed, the answer to our command
            self.begin += size
            return OK
        self.size = size
        return OK if letter == c"d" else END

    cdef int _receive(self, size_t wanted, int *code) noexcept nogil:
        """Read what is at hand; ``wanted``: there must be room for so much in one piece."""
        cdef uint8_t *grown
        cdef size_t room
        cdef ssize_t count
        if self.begin:
            memmove(self.start, self.start + self.begin, self.end - self.begin)
            self.end -= self.begin
            self.begin = 0
        if wanted > self.capacity:
            grown = <uint8_t *> realloc(self.start, wanted)
            if grown == NULL:
                code[0] = NO_MEMORY
                return ERROR
            self.start = grown
            self.capacity = wanted
        room = self.capacity - self.end
        while True:
            count = recv(self.descriptor, self.start + self.end, room, MSG_DONTWAIT)
            if count > 0:
                self.end += count
                self.received_bytes += count
                return OK
            if count == 0:
                return END
            if errno != EINTR:
                return NOTHING if errno == EAGAIN else END

    cdef void _drop(self) noexcept nogil:
        """The message is dealt with."""
        cdef uint8_t *smaller
        self.begin += self.size
        self.size = 0
        if self.begin == self.end and self.capacity > BUFFER_BYTES:
            smaller = <uint8_t *> realloc(self.start, BUFFER_BYTES)
            if smaller != NULL:
                self.start = smaller
                self.capacity = BUFFER_BYTES
                self.begin = self.end = 0

    cdef size_t _number(self, size_t at) noexcept nogil:
        cdef size_t value = 0
        cdef int i
        for i in range(4):
            value = value << 8 | self.start[at + i]
        return value
