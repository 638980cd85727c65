"""Numbers of the decoder: operations, problems, states of cells, bounds."""

cdef enum:
    # The values of `model.change.Op`.
    INSERT = 1
    UPDATE = 2
    DELETE = 3

    NO_IDENTITY = -50
    NO_VALUE = -51
    NO_BYTES = -52
    EXTRA_COLUMNS = -53
    BATCH_FULL = -60

    NOT_THERE = 0
    IS_NULL = 1
    IS_VALUE = 2

    MAX_ROWS = 0x7FFFFFFF - 64
    MOST_COLUMNS = 4096
    SMALL_EVENT = 4096  # bytes
