"""Decodes a walsender's messages; see pgoutput.pyx."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from mainstem.native.changerows cimport Relation

cdef enum:
    DATA_HEAD = 25  # XLogData: letter, start, end, time
    SPOOL_BYTES = 1048576  # handed on once there are so many

    # What a message can come to, among others.
    CONTROL = 1  # for the caller
    BAD_ENVELOPE = -40
    BAD_SIZE = -41


cdef struct Entry:
    uint32_t oid
    void *relation


cdef class LogDecoder:
    cdef dict relations  # oid → Relation
    cdef Entry *entries  # the same, sorted by oid
    cdef Py_ssize_t count
    cdef Relation last
    cdef uint32_t *aborted  # subtransactions that are left out, sorted
    cdef Py_ssize_t aborts
    cdef uint8_t *spool
    cdef size_t spool_size
    cdef size_t spool_capacity
    cdef bint broken
    cdef bint replaying
    cdef bint mapped  # what is replayed lies in a file that is mapped
    cdef uint64_t touched  # rows that the transaction under way has added, those handed out included
    cdef int64_t seq
    cdef int64_t first_seq
    cdef public bint spooling
    cdef public bint reply_wanted
    cdef bint aside  # what is put aside is a single large message
    cdef readonly bint within
    cdef readonly uint64_t commit_lsn
    cdef readonly uint64_t position
    cdef readonly uint64_t received
    cdef readonly Py_ssize_t rows
    cdef readonly Py_ssize_t size_bytes
    cdef readonly Py_ssize_t transactions
    cdef readonly int64_t first_committed_us
    cdef readonly int64_t committed_us
    cdef _index(self)
    cdef _check(self, int code)
    cdef void _begin(self, uint64_t commit_lsn) noexcept nogil
    cdef void _commit(self, uint64_t end_lsn, int64_t committed) noexcept nogil
    cdef int add(self, const uint8_t *data, size_t size) noexcept nogil
    cdef void _seen(self, uint64_t lsn) noexcept nogil
    cdef int _data(self, const uint8_t *at, const uint8_t *end) noexcept nogil
    cdef int _put_aside(self, const uint8_t *at, size_t size) noexcept nogil
    cdef int announce(self, size_t size) noexcept nogil
    cdef int put_more(self, const uint8_t *at, size_t size) noexcept nogil
    cdef int _replay(
        self, const uint8_t *data, Py_ssize_t size, Py_ssize_t *place, Py_ssize_t max_rows, Py_ssize_t max_bytes,
        int *status,
    ) noexcept nogil
    cdef bint _is_aborted(self, uint32_t xid) noexcept nogil
    cdef void *_find(self, uint32_t oid) noexcept nogil
    cdef int _change(self, uint8_t letter, const uint8_t *at, const uint8_t *end) noexcept nogil
