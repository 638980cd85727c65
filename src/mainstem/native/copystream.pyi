"""A COPY's messages, taken from libpq one after another without a Python object for any of them."""

from _typeshed import ReadableBuffer

from mainstem.native.copyrows import CopyDecoder
from mainstem.native.status import Status

class RawRows:
    """Joins the messages of one COPY; of the binary format without header and trailer. For one thread at a time.

    Attributes:
        rows: rows gathered.
        size_bytes: bytes gathered.
    """

    def __init__(self, *, binary: bool, columns: int) -> None: ...
    @property
    def rows(self) -> int: ...
    @property
    def size_bytes(self) -> int: ...
    def message(self, data: ReadableBuffer) -> None:
        """Append a message: whole rows, with the header before the first and the trailer behind the last.

        Raises:
            WireError: it breaks the format; of the message nothing is kept.
        """
    def take(self) -> memoryview:
        """Hand out what was gathered, and begin anew."""

class Messages:
    """The messages of one COPY TO STDOUT under way, wherever they come from. For one thread at a time."""

    def decode(self, into: CopyDecoder, max_rows: int, max_bytes: int) -> Status:
        """Wait for rows and append them, until a limit (FULL), or the COPY's end (END) or failure (ERROR).

        Raises:
            WireError: a row breaks the format.
            MemoryError: there is no memory for a row.
        """
    def gather(self, into: RawRows, max_bytes: int) -> Status:
        """The same, undecoded. A large message is gathered alone."""

class MessageStream(Messages):
    """Those of a connection of libpq's.

    Args:
        get, release: addresses of libpq's PQgetCopyData and PQfreemem, of the very library that the connection is of.
        connection: the address of its PGconn, which nothing else may read from meanwhile.
    """

    def __init__(self, get: int, release: int, connection: int) -> None: ...
