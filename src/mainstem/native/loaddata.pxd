"""Numbers of the encoder: bounds, and the values of `ops.LoadForm` and `ops.LoadOp`."""

cdef enum:
    ESCAPED = 2      # bytes out for one byte in, at worst
    UUID_BYTES = 36
    DATE_BYTES = 10
    POINT_BYTE = 19  # where a timestamp's point is
    NO_TIME = -1
    MAX_DIGITS = 17
    MAX_SINGLE_DIGITS = 9
    GEOMETRY_KINDS = 7
    SHORT = 251      # lengths from here on take more than a byte
    LONGEST = 9      # bytes of a length

    # The values of `LoadForm`.
    FILE = 0
    LITERALS = 1
    PARAMETERS = 2

    # The values of `LoadOp`.
    TEXT = 0
    DIGITS = 1
    DECIMAL = 2
    FLOAT = 3
    DATE = 4
    TIME = 5
    HEX = 6
    UUID_HEX = 7
    GEOMETRY = 8
    ENUM = 9
