"""A COPY's messages, read from the socket itself."""

from mainstem.native.copystream import Messages

class CopySocket(Messages):
    """The messages that follow a COPY TO STDOUT, up to ReadyForQuery and with it. For one thread at a time.

    Args:
        descriptor: of a socket on which the statement was sent, and nothing else is under way; it may be non-blocking.

    Attributes:
        failure: the fields of the server's error, as it sent them; empty without one, also where the connection broke.
        tag: of the command, with a NUL at its end; empty before the end.
    """

    def __init__(self, descriptor: int) -> None: ...
    @property
    def failure(self) -> bytes: ...
    @property
    def tag(self) -> bytes: ...
    def drain(self) -> bool:
        """Throw the rest away; whether the command ended well."""
