"""Rows of PostgreSQL's COPY binary format, whose fields are texts or bytes → Arrow column buffers."""

from mainstem.native.copyrows import CopyDecoder

class TupleDecoder(CopyDecoder):
    """Turns tuples of COPY TO's binary format into batches of ``binary`` columns. For one thread at a time.

    A field is what its type's output function prints; or, where the op is `CopyOp.TEXT`, any bytes, which are the cell.
    `row` takes a message: a tuple, the first one behind the header, or the trailer.
    """
