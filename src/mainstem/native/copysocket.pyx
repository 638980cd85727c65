# cython: language_level=3
"""A COPY's messages, read from the socket itself: no memory is asked for and nothing is copied for each of them.

Source: PostgreSQL manual, "Message Flow", COPY Operations; "Message Formats"; "Asynchronous Operations".
"""

from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport uint8_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memmove

from mainstem.native.copystream cimport LARGE_BYTES, Messages
from mainstem.native.rows cimport NO_MEMORY, OK

cdef extern from "sys/socket.h":
    ssize_t recv(int descriptor, void *to, size_t size, int flags) noexcept nogil

cdef extern from "poll.h":
    cdef struct pollfd:
        int fd
        short events
        short revents
    int poll(pollfd *those, unsigned long count, int timeout_ms) noexcept nogil
    enum:
        POLLIN

cdef enum:
    # The values of `Status`.
    END = 2
    ERROR = 3

    HEAD = 5  # of a message: letter, size of the rest with these four bytes
    BUFFER_BYTES = 262144
    MOST_BYTES = 0x7FFFFFFF
    NEVER = -1


cdef class CopySocket(Messages):
    """The messages that follow a COPY TO STDOUT, up to ReadyForQuery and with it."""

    cdef int descriptor
    cdef uint8_t *start
    cdef size_t capacity
    cdef size_t begin  # what is not dealt with lies from here …
    cdef size_t end  # … to here
    cdef bint whole  # what is held is memory of its own
    cdef bint over
    cdef bytes _failure
    cdef bytes _tag

    def __cinit__(self, int descriptor):
        self.descriptor = descriptor
        self.release = free
        self.capacity = BUFFER_BYTES
        self.start = <uint8_t *> malloc(self.capacity)
        if self.start == NULL:
            raise MemoryError

    def __init__(self, int descriptor):
        self._failure = self._tag = b""

    def __dealloc__(self):
        self._drop()
        free(self.start)

    @property
    def failure(self):
        return self._failure

    @property
    def tag(self):
        return self._tag

    def drain(self):
        cdef int status = OK
        with nogil:
            while status == OK:
                self._drop()
                status = self._next()
        return status == END

    cdef int _next(self) noexcept nogil:
        cdef size_t there, size
        cdef uint8_t letter
        cdef int status
        if self.held != NULL:
            return OK
        while not self.over:
            there = self.end - self.begin
            if there < HEAD:
                status = self._receive(HEAD)
                if status != OK:
                    return status
                continue
            letter = self.start[self.begin]
            size = self._size()
            if size == 0:
                self.over = True
                break
            if letter == c"d" and size >= LARGE_BYTES + HEAD:
                return self._large(size - HEAD)
            if there < size:
                status = self._receive(size)
                if status != OK:
                    return status
                continue
            if letter == c"d":
                self.held = <char *> self.start + self.begin + HEAD
                self.size = size - HEAD
                self.whole = False
                return OK
            if letter == c"E" or letter == c"C" or letter == c"Z":
                with gil:
                    self._end(letter, (self.start + self.begin)[HEAD:size])
            self.begin += size
        return ERROR if self._failed() else END

    cdef _end(self, uint8_t letter, bytes text):
        """What the server says of the whole."""
        if letter == c"E":
            self._failure = text
        elif letter == c"C":
            self._tag = text
        else:  # what may stand behind it is no answer to anything: a setting that changed, a notification
            self.over = True

    cdef bint _failed(self) noexcept nogil:
        with gil:
            return bool(self._failure) or not self._tag

    cdef size_t _size(self) noexcept nogil:
        """Of the message that stands at ``begin``; 0: it is none that may come here."""
        cdef size_t size = 0
        cdef int i
        cdef uint8_t letter = self.start[self.begin]
        for i in range(1, HEAD):
            size = size << 8 | self.start[self.begin + i]
        # Rows; their beginning and end; an error, a command's end, readiness; a notice, a setting, a notification.
        if (
            letter != c"d" and letter != c"H" and letter != c"c" and letter != c"E" and letter != c"C"
            and letter != c"Z" and letter != c"N" and letter != c"S" and letter != c"A"
        ):
            return 0
        return size + 1 if HEAD - 1 <= size < MOST_BYTES else 0

    cdef int _large(self, size_t size) noexcept nogil:
        """Read a message into memory of its own."""
        cdef size_t have = self.end - self.begin - HEAD
        cdef ssize_t count
        cdef uint8_t *block = <uint8_t *> malloc(size)
        if block == NULL:
            return NO_MEMORY
        if have > size:
            have = size
        memcpy(block, self.start + self.begin + HEAD, have)
        self.begin += HEAD + have
        while have < size:
            count = self._read(block + have, size - have)
            if count <= 0:
                free(block)
                return ERROR
            have += count
        self.held = <char *> block
        self.size = size
        self.whole = True
        return OK

    cdef int _receive(self, size_t wanted) noexcept nogil:
        """Wait for more; ``wanted``: there must be room for so much in one piece."""
        cdef uint8_t *grown
        cdef ssize_t count
        if self.begin:
            memmove(self.start, self.start + self.begin, self.end - self.begin)
            self.end -= self.begin
            self.begin = 0
        if wanted > self.capacity:
            grown = <uint8_t *> realloc(self.start, wanted)
            if grown == NULL:
                return NO_MEMORY
            self.start = grown
            self.capacity = wanted
        count = self._read(self.start + self.end, self.capacity - self.end)
        if count <= 0:
            self.over = True
            return ERROR
        self.end += count
        return OK

    cdef ssize_t _read(self, uint8_t *to, size_t room) noexcept nogil:
        """Wait until something was read; 0 or less: the connection is gone."""
        cdef pollfd waits
        cdef ssize_t count
        while True:
            count = recv(self.descriptor, to, room, 0)
            if count >= 0 or (errno != EINTR and errno != EAGAIN):
                return count
            if errno == EAGAIN:
                waits.fd = self.descriptor
                waits.events = POLLIN
                waits.revents = 0
                poll(&waits, 1, NEVER)

    cdef void _drop(self) noexcept nogil:
        if self.held == NULL:
            return
        if self.whole:
            free(self.held)
        else:
            self.begin += HEAD + self.size
        self.held = NULL
