"""Where a walsender's messages come from: the socket itself, or libpq."""

from mainstem.native.pgoutput import LogDecoder
from mainstem.native.status import Status

class LogStream:
    """The messages of a stream on a connection, which nothing else may read from. For one thread at a time.

    Args:
        get, release, consume: addresses of libpq's PQgetCopyData, PQfreemem and PQconsumeInput.
        connection: the address of its PGconn.

    Attributes:
        received_bytes: of messages, so far.
    """

    def __init__(self, get: int, release: int, consume: int, connection: int) -> None: ...
    @property
    def received_bytes(self) -> int: ...
    def read(self, into: LogDecoder, max_rows: int, max_bytes: int) -> Status:
        """Decode what is at hand, without waiting.

        Returns:
            NEED_MORE; FULL; SPOOL; MESSAGE: `take` it; END or ERROR: the stream is over.
        """
    def take(self) -> bytes:
        """The message that `read` stopped at, without the stream's own head."""

class SocketStream:
    """The messages of a stream whose socket nobody else reads from. For one thread at a time.

    What is put aside of a transaction under way is taken as it comes: a large message is never held as a whole.

    Args:
        descriptor: the socket's.

    Attributes:
        received_bytes: from the socket, so far.
    """

    def __init__(self, descriptor: int) -> None: ...
    @property
    def received_bytes(self) -> int: ...
    def read(self, into: LogDecoder, max_rows: int, max_bytes: int) -> Status:
        """As `LogStream.read`."""
    def take(self) -> bytes:
        """As `LogStream.take`."""
    def failure(self) -> bytes:
        """The fields of the server's ErrorResponse that `read` stopped at, or nothing."""
