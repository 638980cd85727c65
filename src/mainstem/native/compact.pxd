"""What a run of change events is held in while it is gone through: chains, and the cells of their keys."""

from libc.stdint cimport int32_t, uint8_t, uint64_t

from mainstem.native.encoding cimport Cells

cdef enum:
    OK = 0
    NO_MEMORY = -1
    BAD_OFFSETS = -2
    BAD_OP = -3
    IN_ORDER = -4  # only the events themselves, one by one, will do

    # The values of `model.change.Op`.
    INSERT = 1
    UPDATE = 2
    DELETE = 3

    # Of a chain.
    EXISTED = 1
    ALIVE = 2
    WHOLE = 4  # an event since the row's last absence held all of its cells

    MAX_EVENTS = 536870912
    MAX_MASKS = 32
    FIRST_MASK = 2  # classes: 0 inserts, 1 updates, then one per mask of absent cells


cdef struct Side:
    # The key's cells before or after the events.
    Cells *cells
    Py_ssize_t *first  # of each column: the bit of its validity that is event 0's
    Py_ssize_t width


cdef struct Chain:
    uint64_t hash
    int32_t event  # whose key this is: that of the event's old side, or, as ~event, of its new side
    int32_t last   # the last event that says something of the row
    int32_t kind   # class of the outcome
    int32_t flags


cdef struct Bits:
    const uint8_t *start
    Py_ssize_t first


cdef struct Work:
    Side old
    Side new
    const uint8_t *ops
    Py_ssize_t count
    Bits *absent
    Py_ssize_t masked  # columns that are absent somewhere
    int32_t *slots     # chain + 1, by hash
    uint64_t slot_mask
    Chain *chains
    int32_t *takes     # `masked` for each chain: the event whose cell it is, or -1
    Py_ssize_t size
    Py_ssize_t capacity
    uint8_t *masks     # `masked` for each mask
    Py_ssize_t mask_count
    Py_ssize_t moves
    int32_t at         # the chain that `_find` came to
    bint fresh         # which it made
