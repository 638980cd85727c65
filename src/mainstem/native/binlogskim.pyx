# cython: language_level=3, boundscheck=False, wraparound=False
"""Passes over events of a binary log, as packets of a server, by their headers alone.

Source: MySQL source documentation, "Protocol Packets"; "Binlog Event", "Common-Header"; "Query_event".
"""

from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcmp

cdef enum:
    PACKET_HEAD = 4
    FULL_PACKET = 0xFFFFFF
    EVENT_HEAD = 19
    TYPE = 4
    END = 13  # where the log goes on behind the event
    FLAGS = 17
    ARTIFICIAL = 0x20  # the event is not in the file
    QUERY_HEAD = 13  # fixed part of a statement: the sizes of the database's name and of the variables are in it
    NAME_SIZE = 8
    VARIABLES_SIZE = 11
    QUERY = 2
    HEARTBEAT = 27
    HEARTBEAT_V2 = 41


cdef inline uint64_t number(const uint8_t *at, int size) noexcept nogil:
    cdef uint64_t found = 0
    cdef int place
    for place in range(size):
        found |= <uint64_t> at[place] << 8 * place
    return found


cdef bint begins_a_transaction(const uint8_t *event, Py_ssize_t size, int checksum) noexcept nogil:
    cdef Py_ssize_t text = EVENT_HEAD + QUERY_HEAD
    if size < text + checksum:
        return False
    text += event[EVENT_HEAD + NAME_SIZE] + 1 + number(event + EVENT_HEAD + VARIABLES_SIZE, 2)
    return size - checksum - text == 5 and memcmp(event + text, b"BEGIN", 5) == 0


def skim(const uint8_t[::1] data, Py_ssize_t start, Py_ssize_t end, uint64_t offset, bytes wanted, int checksum):
    cdef const uint8_t *event
    cdef const uint8_t *types = wanted
    cdef Py_ssize_t size
    cdef uint64_t reached
    cdef uint8_t kind
    if len(wanted) != 256 or start < 0 or end > data.shape[0]:
        raise ValueError("no such place, or not every type is told of")
    with nogil:
        while end - start >= PACKET_HEAD + 1 + EVENT_HEAD:
            size = <Py_ssize_t> number(&data[start], 3)
            if size == FULL_PACKET or size < 1 + EVENT_HEAD or end - start - PACKET_HEAD < size:
                break
            event = &data[start + PACKET_HEAD + 1]
            kind = event[TYPE]
            if data[start + PACKET_HEAD] != 0:  # no event
                break
            if types[kind] and not (kind == QUERY and begins_a_transaction(event, size - 1, checksum)):
                break
            reached = number(event + END, 4)
            if reached and not event[FLAGS] & ARTIFICIAL and kind != HEARTBEAT and kind != HEARTBEAT_V2:
                reached |= offset & ~(<uint64_t> 0xFFFFFFFF)
                offset = reached if reached >= offset else reached + (<uint64_t> 1 << 32)
            start += PACKET_HEAD + size
    return start, offset
