"""Rows by INSERT: where the server takes no files, and where refused rows are to be put aside one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pymysql

from mainstem.connectors.mysql import client, outcome
from mainstem.connectors.mysql.encode import BatchEncoder, Encoded
from mainstem.connectors.mysql.outcome import Outcome, row_error
from mainstem.errors import RowError

_SAVEPOINT = "mainstem_rows"
_MARGIN_BYTES = 1024


@dataclass(slots=True)
class Inserter:
    """Writes batches by INSERT within a transaction. Raises the driver's errors, and `RowError`.

    Attributes:
        into: the table and its columns, as SQL.
        max_packet_bytes: the server's bound of a statement.
        put_aside: called with a batch, the row that was refused, and why.
        after: called after each statement of a careful batch, in its savepoint.
        written, coerced, unlabelled: what was sent and not taken back; the last are error values of ENUM columns.
    """

    connection: Any
    encoder: BatchEncoder
    into: str
    max_packet_bytes: int
    put_aside: Callable[[pa.RecordBatch, int, RowError], None]
    after: Callable[[], None]
    written: int = 0
    coerced: Counter[str] = field(default_factory=Counter)
    unlabelled: int = 0

    def write(self, rows: pa.RecordBatch, start: int, stop: int) -> None:
        """Write rows start..stop; the first that is refused raises."""
        encoded = self.encoder.encode(rows, start, stop)
        if encoded.refused:
            raise self.encoder.error(encoded.refused[0])
        if stop - start > 1 and self._too_large(encoded):
            middle = (start + stop) // 2
            self.write(rows, start, middle)
            self.write(rows, middle, stop)
        elif stop > start:
            self._send(encoded, stop - start)
            self._count(encoded, stop - start)

    def write_carefully(self, rows: pa.RecordBatch, start: int, stop: int) -> None:
        """Write rows start..stop; put aside what the target refuses."""
        while start < stop:
            encoded = self.encoder.encode(rows, start, stop)
            sent = _sent_rows(start, stop, encoded)
            try:
                client.query(self.connection, f"SAVEPOINT {_SAVEPOINT}")
                if sent:
                    self._send(encoded, len(sent))
                    self.after()
            except (pymysql.Error, RowError) as exc:
                error = row_error(exc)
                if error is None:
                    raise
                client.query(self.connection, f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}")
                start = self._split(rows, start, sent, error)
                continue
            self._count(encoded, len(sent))
            for item in encoded.refused:
                self.put_aside(rows, item.row, self.encoder.error(item))
            return

    def _split(self, rows: pa.RecordBatch, start: int, sent: Sequence[int], error: RowError) -> int:
        """Deal with rows of which one at least is refused; returns where to go on.

        The row that the server names is tried alone before it is put aside; where it names none, halves are tried.
        """
        if len(sent) == 1:
            self.write_carefully(rows, start, sent[0])
            self.put_aside(rows, sent[0], error)
            return sent[0] + 1
        named = error.row is not None and error.row < len(sent)
        middle = sent[error.row or 0] if named else sent[len(sent) // 2]
        self.write_carefully(rows, start, middle)
        if named:
            self.write_carefully(rows, middle, middle + 1)
            return middle + 1
        return middle

    def _too_large(self, encoded: Encoded) -> bool:
        return len(encoded.payload) + len(self.into.encode()) + _MARGIN_BYTES > self.max_packet_bytes

    def _send(self, encoded: Encoded, count: int) -> None:
        if self._too_large(encoded):
            raise RowError(
                f"rows of {len(encoded.payload):,} bytes are larger than the server's max_allowed_packet"
                f" ({self.max_packet_bytes:,} bytes)",
                remedy="raise max_allowed_packet on the server",
            )
        # An ENUM's error value is refused by a strict server unless errors are turned into warnings; those are counted.
        verb = "INSERT IGNORE" if encoded.unlabelled else "INSERT"
        sql = b"".join((f"{verb} INTO {self.into} VALUES ".encode(), memoryview(encoded.payload)[:-1]))
        self.connection.query(sql)
        stored = self.connection.affected_rows()
        warnings = self.connection._result.warning_count
        outcome.check(self.connection, Outcome(stored, count - stored, warnings), expected=encoded.unlabelled)

    def _count(self, encoded: Encoded, rows: int) -> None:
        self.written += rows
        self.coerced.update(encoded.coerced)
        self.unlabelled += encoded.unlabelled


def _sent_rows(start: int, stop: int, encoded: Encoded) -> list[int]:
    left_out = {item.row for item in encoded.refused}
    return [row for row in range(start, stop) if row not in left_out]
