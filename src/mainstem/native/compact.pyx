# cython: language_level=3
"""What a run of change events comes to, key by key: which rows are there afterwards, and which cells are whose.

A key is its cells' bytes. What the events of one key come to is a *chain*: whether the row was there before by the
events' own evidence, whether it is there now, and from which event each of its cells is.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int32_t, uint8_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcmp, memcpy, memset

from mainstem.native.encoding cimport Cells, offset_at
from mainstem.native.memory cimport Block

from mainstem.errors import WireError


cdef inline uint64_t _mixed(uint64_t hash, uint64_t word) noexcept nogil:
    hash = (hash ^ word) * <uint64_t> 0x9E3779B97F4A7C15
    return hash ^ hash >> 29


cdef inline bint _valid(const Side *side, Py_ssize_t column, Py_ssize_t event) noexcept nogil:
    cdef const uint8_t *bits = side.cells[column].validity
    event += side.first[column]
    return bits == NULL or bits[event >> 3] >> (event & 7) & 1


cdef int _hash(const Side *side, Py_ssize_t event, uint64_t *result) noexcept nogil:
    cdef uint64_t hash = 0
    cdef uint64_t begin
    cdef uint64_t end
    cdef uint64_t word
    cdef Py_ssize_t column
    for column in range(side.width):
        if not _valid(side, column, event):
            hash = _mixed(hash, <uint64_t> -1)
            continue
        begin = offset_at(side.cells[column].offsets, event)
        end = offset_at(side.cells[column].offsets, event + 1)
        if begin > end or end > side.cells[column].data_size:
            return BAD_OFFSETS
        hash = _mixed(hash, end - begin)
        while end - begin >= 8:
            memcpy(&word, side.cells[column].data + begin, 8)
            hash = _mixed(hash, word)
            begin += 8
        if end > begin:
            word = 0
            memcpy(&word, side.cells[column].data + begin, end - begin)
            hash = _mixed(hash, word)
    result[0] = hash
    return OK


cdef bint _same(const Side *left, Py_ssize_t event, const Side *right, Py_ssize_t other) noexcept nogil:
    """Whether two keys are equal; both were hashed before, so that their offsets are in order."""
    cdef uint64_t begin
    cdef uint64_t size
    cdef uint64_t from_
    cdef Py_ssize_t column
    cdef bint there
    for column in range(left.width):
        there = _valid(left, column, event)
        if there != _valid(right, column, other):
            return False
        if not there:
            continue
        begin = offset_at(left.cells[column].offsets, event)
        size = offset_at(left.cells[column].offsets, event + 1) - begin
        from_ = offset_at(right.cells[column].offsets, other)
        if size != offset_at(right.cells[column].offsets, other + 1) - from_:
            return False
        if memcmp(left.cells[column].data + begin, right.cells[column].data + from_, size) != 0:
            return False
    return True


cdef int _grow(Work *work) noexcept nogil:
    cdef Py_ssize_t capacity = work.capacity * 2 if work.capacity else 256
    cdef Chain *chains = <Chain *> realloc(work.chains, capacity * sizeof(Chain))
    cdef int32_t *takes
    if chains == NULL:
        return NO_MEMORY
    work.chains = chains
    if work.masked:
        takes = <int32_t *> realloc(work.takes, capacity * work.masked * sizeof(int32_t))
        if takes == NULL:
            return NO_MEMORY
        work.takes = takes
    work.capacity = capacity
    return OK


cdef int _find(Work *work, bint new, Py_ssize_t event) noexcept nogil:
    """Set ``at`` to the chain of an event's key, which is made where there is none."""
    cdef const Side *side = &work.new if new else &work.old
    cdef uint64_t hash = 0
    cdef uint64_t slot
    cdef Chain *chain
    cdef Py_ssize_t column
    cdef int code = _hash(side, event, &hash)
    if code != OK:
        return code
    slot = (hash ^ hash >> 32) & work.slot_mask
    work.fresh = False
    while work.slots[slot]:
        work.at = work.slots[slot] - 1
        chain = &work.chains[work.at]
        if chain.hash == hash:
            if chain.event >= 0:
                if _same(side, event, &work.old, chain.event):
                    return OK
            elif _same(side, event, &work.new, ~chain.event):
                return OK
        slot = (slot + 1) & work.slot_mask
    if work.size == work.capacity and _grow(work) != OK:
        return NO_MEMORY
    work.at = <int32_t> work.size
    work.slots[slot] = work.at + 1
    work.chains[work.at] = Chain(hash, <int32_t> (~event if new else event), -1, 0, 0)
    for column in range(work.masked):
        work.takes[work.at * work.masked + column] = -1
    work.size += 1
    work.fresh = True
    return OK


cdef inline bint _is_absent(const Bits *bits, Py_ssize_t event) noexcept nogil:
    event += bits.first
    return bits.start[event >> 3] >> (event & 7) & 1


cdef bint _has_all(const Work *work, Py_ssize_t event) noexcept nogil:
    cdef Py_ssize_t column
    for column in range(work.masked):
        if _is_absent(&work.absent[column], event):
            return False
    return True


cdef void _row(Work *work, int32_t at, Py_ssize_t event, int flags) noexcept nogil:
    """The event's cells, as far as it has them, are the chain's now."""
    cdef Py_ssize_t column
    for column in range(work.masked):
        if not _is_absent(&work.absent[column], event):
            work.takes[at * work.masked + column] = <int32_t> event
    work.chains[at].last = <int32_t> event
    work.chains[at].flags |= flags


cdef void _gone(Work *work, int32_t at) noexcept nogil:
    cdef Py_ssize_t column
    for column in range(work.masked):
        work.takes[at * work.masked + column] = -1
    work.chains[at].flags &= EXISTED


cdef int _insert(Work *work, Py_ssize_t event) noexcept nogil:
    cdef int code
    if not _has_all(work, event):
        return IN_ORDER
    code = _find(work, True, event)
    if code == OK:
        _row(work, work.at, event, ALIVE | WHOLE)
    return code


cdef int _delete(Work *work, Py_ssize_t event) noexcept nogil:
    cdef int code = _find(work, False, event)
    if code == OK:
        if work.fresh:
            work.chains[work.at].flags = EXISTED
        _gone(work, work.at)
    return code


cdef int _update(Work *work, Py_ssize_t event) noexcept nogil:
    cdef bint whole = _has_all(work, event)
    cdef int32_t old
    cdef int32_t new
    cdef Py_ssize_t column
    cdef int code = _find(work, False, event)
    if code != OK:
        return code
    old = work.at
    if work.fresh:
        work.chains[old].flags = EXISTED | ALIVE
    if not whole and not work.chains[old].flags & ALIVE:
        return OK  # a part of a row that is not there
    code = _find(work, True, event)
    if code != OK:
        return code
    new = work.at
    if new == old:
        _row(work, old, event, ALIVE | WHOLE if whole else ALIVE)
        return OK
    work.moves += 1
    if not whole:
        if not work.chains[old].flags & WHOLE:
            return IN_ORDER
        for column in range(work.masked):
            work.takes[new * work.masked + column] = work.takes[old * work.masked + column]
    _gone(work, old)
    _row(work, new, event, ALIVE | WHOLE)
    return OK


cdef int _chains(Work *work) noexcept nogil:
    cdef Py_ssize_t event
    cdef int code
    for event in range(work.count):
        if work.ops[event] == INSERT:
            code = _insert(work, event)
        elif work.ops[event] == UPDATE:
            code = _update(work, event)
        elif work.ops[event] == DELETE:
            code = _delete(work, event)
        else:
            code = BAD_OP
        if code != OK:
            return code
    return OK


cdef int _mask_of(Work *work, Py_ssize_t at, int32_t *result) noexcept nogil:
    """The number of the mask of a chain's absent cells; IN_ORDER when there are too many masks."""
    cdef uint8_t *mask = work.masks + work.mask_count * work.masked
    cdef Py_ssize_t column
    cdef Py_ssize_t i
    for column in range(work.masked):
        mask[column] = work.takes[at * work.masked + column] < 0
    for i in range(work.mask_count):
        if memcmp(work.masks + i * work.masked, mask, work.masked) == 0:
            result[0] = <int32_t> i
            return OK
    if work.mask_count == MAX_MASKS:
        return IN_ORDER
    result[0] = <int32_t> work.mask_count
    work.mask_count += 1
    return OK


cdef int _classify(Work *work, Py_ssize_t *sizes, Py_ssize_t *deletes, Py_ssize_t *vanished) noexcept nogil:
    cdef Chain *chain
    cdef Py_ssize_t at
    cdef int32_t mask = 0
    for at in range(work.size):
        chain = &work.chains[at]
        if not chain.flags & ALIVE:
            if chain.flags & EXISTED:
                deletes[0] += 1
            else:
                vanished[0] += 1
            continue
        if not chain.flags & WHOLE:
            if _mask_of(work, at, &mask) != OK:
                return IN_ORDER
            chain.kind = FIRST_MASK + mask
        else:
            chain.kind = 1 if chain.flags & EXISTED else 0
        sizes[chain.kind] += 1
    return OK


cdef int _open_side(Side *side, Py_buffer *views, columns, Py_ssize_t count) except -1:
    """Three views for each column. The buffers are checked to be long enough for so many events."""
    cdef Py_ssize_t i
    side.width = len(columns)
    side.cells = <Cells *> calloc(side.width + 1, sizeof(Cells))
    side.first = <Py_ssize_t *> calloc(side.width + 1, sizeof(Py_ssize_t))
    if side.cells == NULL or side.first == NULL:
        raise MemoryError
    for i, (validity, offsets, data, first) in enumerate(columns):
        if first < 0 or first > MAX_EVENTS:
            raise ValueError("an array's offset must not be negative")
        side.first[i] = first
        if count == 0:
            continue
        if validity is not None:
            PyObject_GetBuffer(validity, &views[3 * i], PyBUF_SIMPLE)
            if views[3 * i].len < (side.first[i] + count + 7) // 8:
                raise WireError("a key's validity is shorter than its events need", column=i)
            side.cells[i].validity = <const uint8_t *> views[3 * i].buf
        PyObject_GetBuffer(offsets, &views[3 * i + 1], PyBUF_SIMPLE)
        if views[3 * i + 1].len // 4 < side.first[i] + count + 1:
            raise WireError("a key's offsets are fewer than its events need", column=i)
        side.cells[i].offsets = <const uint8_t *> views[3 * i + 1].buf + 4 * side.first[i]
        if data is not None:
            PyObject_GetBuffer(data, &views[3 * i + 2], PyBUF_SIMPLE)
            side.cells[i].data = <const uint8_t *> views[3 * i + 2].buf
            side.cells[i].data_size = <uint64_t> views[3 * i + 2].len
    return 0


cdef class _Open:
    """The buffers and the memory of one call, given back with the object."""

    cdef Work work
    cdef Py_buffer *views
    cdef Py_ssize_t view_count

    def __cinit__(self, ops, Py_ssize_t first, Py_ssize_t count, old, new, absent):
        cdef Py_ssize_t slots = 16
        cdef Py_ssize_t i
        if not 0 <= count <= MAX_EVENTS or not 0 <= first <= MAX_EVENTS:
            raise ValueError("the number of events is out of range")
        self.view_count = 1 + 3 * (len(old) + len(new)) + len(absent)
        self.views = <Py_buffer *> calloc(self.view_count, sizeof(Py_buffer))
        self.work.absent = <Bits *> calloc(len(absent) + 1, sizeof(Bits))
        self.work.masked = len(absent)
        self.work.masks = <uint8_t *> calloc((MAX_MASKS + 1) * (self.work.masked + 1), 1)
        while slots < 3 * count:
            slots *= 2
        self.work.slots = <int32_t *> calloc(slots, sizeof(int32_t))
        if self.views == NULL or self.work.absent == NULL or self.work.masks == NULL or self.work.slots == NULL:
            raise MemoryError
        self.work.slot_mask = slots - 1
        self.work.count = count
        PyObject_GetBuffer(ops, &self.views[0], PyBUF_SIMPLE)
        if self.views[0].len < first + count:
            raise WireError("there are fewer operations than events")
        self.work.ops = <const uint8_t *> self.views[0].buf + first
        _open_side(&self.work.old, self.views + 1, old, count)
        _open_side(&self.work.new, self.views + 1 + 3 * len(old), new, count)
        for i, (bits, start) in enumerate(absent):
            PyObject_GetBuffer(bits, &self.views[self.view_count - len(absent) + i], PyBUF_SIMPLE)
            if start < 0 or self.views[self.view_count - len(absent) + i].len < (start + count + 7) // 8:
                raise WireError("a column's absence is told of fewer events than there are", column=i)
            self.work.absent[i] = Bits(<const uint8_t *> self.views[self.view_count - len(absent) + i].buf, start)

    def __dealloc__(self):
        cdef Py_ssize_t i
        if self.views != NULL:
            for i in range(self.view_count):
                PyBuffer_Release(&self.views[i])  # nothing to release in one that was never filled
        free(self.views)
        free(self.work.old.cells)
        free(self.work.old.first)
        free(self.work.new.cells)
        free(self.work.new.first)
        free(self.work.absent)
        free(self.work.slots)
        free(self.work.chains)
        free(self.work.takes)
        free(self.work.masks)

    cdef check(self, int code):
        if code == NO_MEMORY:
            raise MemoryError
        if code == BAD_OFFSETS:
            raise WireError("a key's offsets are not in order or leave its data")
        if code == BAD_OP:
            raise WireError("an operation is none of those that there are")


cdef Block _numbers(Py_ssize_t count, int32_t **start):
    """Room for so many int32."""
    cdef Block block = Block()
    cdef uint8_t *memory = <uint8_t *> malloc(4 * count + 4)
    if memory == NULL:
        raise MemoryError
    block.own(memory, 4 * count)
    start[0] = <int32_t *> memory
    return block


cdef tuple _outcome(Work *work, int kind, Py_ssize_t count):
    """The rows of one class: the event that each is of, and for each masked column the event that its cell is of."""
    cdef int32_t *rows
    cdef int32_t *cells
    cdef Py_ssize_t at
    cdef Py_ssize_t column
    cdef Py_ssize_t filled = 0
    block = _numbers(count, &rows)
    for at in range(work.size):
        if work.chains[at].flags & ALIVE and work.chains[at].kind == kind:
            rows[filled] = work.chains[at].last
            filled += 1
    takes = []
    for column in range(work.masked):
        takes.append(_numbers(count, &cells))
        filled = 0
        for at in range(work.size):
            if work.chains[at].flags & ALIVE and work.chains[at].kind == kind:
                cells[filled] = work.takes[at * work.masked + column]
                filled += 1
    return block, takes


cdef Block _absences(Work *work, bint existed, Py_ssize_t count):
    """The events whose old (of rows that were there before) or new side has the keys of rows that are not there."""
    cdef int32_t *events
    cdef Py_ssize_t at
    cdef Py_ssize_t filled = 0
    block = _numbers(count, &events)
    for at in range(work.size):
        if not work.chains[at].flags & ALIVE and (work.chains[at].flags & EXISTED != 0) == existed:
            events[filled] = work.chains[at].event if existed else ~work.chains[at].event
            filled += 1
    return block


def compact(ops, Py_ssize_t first, Py_ssize_t count, old, new, absent):
    cdef _Open opened = _Open(ops, first, count, old, new, absent)
    cdef Work *work = &opened.work
    cdef Py_ssize_t sizes[FIRST_MASK + MAX_MASKS]
    cdef Py_ssize_t deletes = 0
    cdef Py_ssize_t vanished = 0
    cdef int code
    if work.old.width != work.new.width:
        raise ValueError("a key has as many columns before as after")
    memset(sizes, 0, sizeof(sizes))
    with nogil:
        code = _chains(work)
        if code == OK:
            code = _classify(work, sizes, &deletes, &vanished)
    if code == IN_ORDER:
        return None
    opened.check(code)
    masks = [
        [bool(work.masks[i * work.masked + column]) for column in range(work.masked)] for i in range(work.mask_count)
    ]
    return (
        _outcome(work, 0, sizes[0]),
        _outcome(work, 1, sizes[1]),
        [(masks[i], *_outcome(work, FIRST_MASK + i, sizes[FIRST_MASK + i])) for i in range(work.mask_count)],
        _absences(work, True, deletes),
        _absences(work, False, vanished),
        work.moves,
    )


cdef int _count(Work *work) noexcept nogil:
    """The number of rows of each chain, in ``last``: below 0, so many are gone."""
    cdef Py_ssize_t event
    cdef int code
    for event in range(work.count):
        if not INSERT <= work.ops[event] <= DELETE:
            return BAD_OP
        if work.ops[event] != INSERT:
            code = _find(work, False, event)
            if code != OK:
                return code
            if work.fresh:
                work.chains[work.at].last = 0
            work.chains[work.at].last -= 1
        if work.ops[event] != DELETE:
            code = _find(work, True, event)
            if code != OK:
                return code
            if work.fresh:
                work.chains[work.at].last = 0
            work.chains[work.at].last += 1
    return OK


def tally(ops, Py_ssize_t first, Py_ssize_t count, old, new):
    cdef _Open opened = _Open(ops, first, count, old, new, ())
    cdef Work *work = &opened.work
    cdef int32_t *events
    cdef int32_t *numbers
    cdef Py_ssize_t at
    cdef Py_ssize_t i
    cdef int code
    if work.old.width != work.new.width:
        raise ValueError("a row has as many columns before as after")
    with nogil:
        code = _count(work)
    opened.check(code)
    parts = []
    for sign in (1, -1):
        i = 0
        for at in range(work.size):
            i += work.chains[at].last * sign > 0
        event_block = _numbers(i, &events)
        number_block = _numbers(i, &numbers)
        i = 0
        for at in range(work.size):
            if work.chains[at].last * sign > 0:
                events[i] = work.chains[at].event
                if events[i] < 0:
                    events[i] = <int32_t> work.count + ~events[i]
                numbers[i] = work.chains[at].last * <int> sign
                i += 1
        parts.append((event_block, number_block))
    return parts[0], parts[1]
