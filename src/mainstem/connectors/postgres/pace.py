"""How long a reader lets a large transaction gather before it looks at the connection again. Pure.

Within a transaction a walsender sends each row on its own. While the reader's window is open, each goes through the
whole of TCP at once; while it is full, the kernel only puts them one behind the other: for 1 M rows the walsender took
5.3 s of CPU time when it was looked at every 2 ms, and 2.8 s at every 20 ms.
"""

from __future__ import annotations

FIRST_S = 0.002  # few rows are not to wait
MOST_S = 0.02
AMPLE_BYTES = 1024 * 1024  # when more came at once, the sender may have waited for us


class Pace:
    """Pauses within one transaction: longer and longer, and shorter again when much has gathered."""

    def __init__(self) -> None:
        self._next_s = FIRST_S
        self._received_bytes = 0

    def rest(self) -> None:
        """No transaction is under way: the next one begins anew."""
        self._next_s = FIRST_S

    def pause_s(self, received_bytes: int) -> float:
        """How long to wait now.

        Args:
            received_bytes: of the connection, so far.
        """
        came = received_bytes - self._received_bytes
        self._received_bytes = received_bytes
        pause_s = min(self._next_s, MOST_S * AMPLE_BYTES / max(came, AMPLE_BYTES))
        self._next_s = min(self._next_s * 2, MOST_S)
        return pause_s
