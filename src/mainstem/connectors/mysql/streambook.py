"""What a stream has in the target, in tables of our own beside the rows.

The checkpoint is moved in the transaction of the rows that it speaks of. DDL commits by itself: see `altering`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mainstem.connectors.mysql import client
from mainstem.connectors.mysql.config import PART_TABLE
from mainstem.model.change import Op
from mainstem.model.names import TableId
from mainstem.model.stored import table_from_json, table_to_json, tables_from_json, tables_to_json
from mainstem.model.stream import Checkpoint, DeadLetter, SchemaRecord, StoredStream, StreamPart, StreamTable

_SMALLEST_PACKET = 1024 * 1024
_WIDENED = 3  # bytes of a statement for one of an event, escaped, and some more
_NOT_KEPT = "; the change is too large to be kept here (max_allowed_packet), and cannot be tried again"
_FORM = "ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
_NAMES = "stream_id varchar(128) NOT NULL, table_schema varchar(128) NOT NULL, table_name varchar(255) NOT NULL"

CREATE_PARTS = (
    f"CREATE TABLE IF NOT EXISTS {PART_TABLE} (stream_id varchar(128) NOT NULL, part int NOT NULL, position longtext"
    " NOT NULL, transactions bigint NOT NULL, events bigint NOT NULL, committed_us bigint NOT NULL,"
    " revision bigint NOT NULL DEFAULT 0, updated datetime(6) NOT NULL, tables longtext NOT NULL,"
    f" PRIMARY KEY (stream_id, part)) {_FORM}"
)
CREATE = (
    "CREATE TABLE IF NOT EXISTS mainstem_stream (stream_id varchar(128) NOT NULL PRIMARY KEY, origin longtext NOT NULL,"
    " position longtext NOT NULL, transactions bigint NOT NULL, events bigint NOT NULL, committed_us bigint NOT NULL,"
    " revision bigint NOT NULL DEFAULT 0, updated datetime(6) NOT NULL, fence bigint NOT NULL DEFAULT 0)"
    f" {_FORM}",
    f"CREATE TABLE IF NOT EXISTS mainstem_stream_table ({_NAMES}, content longtext NOT NULL,"
    f" PRIMARY KEY (stream_id, table_schema, table_name)) {_FORM}",
    CREATE_PARTS,
    "CREATE TABLE IF NOT EXISTS mainstem_stream_step (stream_id varchar(128) NOT NULL, step char(64) NOT NULL,"
    " statement longtext NOT NULL, done datetime(6), error longtext, remedy longtext,"
    f" PRIMARY KEY (stream_id, step)) {_FORM}",
    f"CREATE TABLE IF NOT EXISTS mainstem_dead_letter (id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, {_NAMES},"
    " op tinyint NOT NULL, row_key longtext NOT NULL, position longtext NOT NULL, column_name longtext NOT NULL,"
    f" reason longtext NOT NULL, event longblob NOT NULL, at datetime(6) NOT NULL, KEY (stream_id)) {_FORM}",
    f"CREATE TABLE IF NOT EXISTS mainstem_schema_change (id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, {_NAMES},"
    " description longtext NOT NULL, position longtext NOT NULL, outcome varchar(64) NOT NULL,"
    f" detail longtext NOT NULL, at_us bigint NOT NULL, KEY (stream_id)) {_FORM}",
)
_PLACE = (
    "UPDATE {} SET position = %s, transactions = %s, events = %s, committed_us = %s, updated = NOW(6){}"
    " WHERE stream_id = %s"
)
_ADD_PART = (
    f"INSERT INTO {PART_TABLE} (stream_id, part, position, transactions, events, committed_us, tables, updated)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s, NOW(6))"
)
_CREATE_STREAM = (
    "INSERT INTO mainstem_stream (stream_id, origin, position, transactions, events, committed_us, updated)"
    " VALUES (%s, %s, %s, %s, %s, %s, NOW(6))"
)
_SAVE = (
    "INSERT INTO mainstem_stream_table (stream_id, table_schema, table_name, content) VALUES (%s, %s, %s, %s)"
    " ON DUPLICATE KEY UPDATE content = VALUES(content)"
)
_REJECT = (
    "INSERT INTO mainstem_dead_letter (stream_id, table_schema, table_name, op, row_key, position, column_name, reason,"
    " event, at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, _binary %s, NOW(6))"
)
_RECORD = (
    "INSERT INTO mainstem_schema_change (stream_id, table_schema, table_name, description, position, outcome, detail,"
    " at_us) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"
)
_LETTERS = (
    "SELECT table_schema, table_name, op, row_key, position, column_name, reason, event, id FROM mainstem_dead_letter"
    " WHERE stream_id = %s ORDER BY id LIMIT %s"
)
_CHANGES = (
    "SELECT table_schema, table_name, description, position, outcome, detail, at_us FROM mainstem_schema_change"
    " WHERE stream_id = %s ORDER BY id DESC LIMIT %s"
)


def _values(checkpoint: Checkpoint) -> tuple[str, int, int, int]:
    return checkpoint.position, checkpoint.transactions, checkpoint.events, checkpoint.committed_us


class StreamRows:
    """The rows of one stream in these tables. Raises the driver's errors; transactions are the caller's.

    Args:
        packet_bytes: the server's bound of a packet.
    """

    def __init__(
        self, connection: Any, stream_id: str, packet_bytes: int = _SMALLEST_PACKET, part: int | None = None
    ) -> None:
        self._connection, self._id, self._packet_bytes = connection, stream_id, packet_bytes
        self._table, self._of_part = ("mainstem_stream", "") if part is None else (PART_TABLE, f" AND part = {part}")

    def revision(self) -> int | None:
        """How often the checkpoint was moved; None where there is no such stream."""
        rows = self._query(f"SELECT revision FROM {self._table} WHERE stream_id = %s{self._of_part}", self._id)
        return int(rows[0][0]) if rows else None

    def move(self, checkpoint: Checkpoint, revision: int | None, token: int) -> bool:
        """Move the checkpoint; False when somebody else has, or when the fence is not at the token (0: any).

        With that of a part the caller has held the fence.
        """
        fenced = f" AND fence = {token}" if token and not self._of_part else ""
        moved = _PLACE.format(self._table, ", revision = revision + 1")
        sql = f"{moved} AND revision = %s{self._of_part}{fenced}"
        with self._connection.cursor() as cursor:
            return bool(cursor.execute(sql, (*_values(checkpoint), self._id, revision)) == 1)

    def parts(self) -> tuple[StreamPart, ...]:
        """The parts that the stream is divided into, as far as each is now."""
        rows = self._query(
            f"SELECT position, transactions, events, committed_us, tables FROM {PART_TABLE} WHERE stream_id = %s"
            " ORDER BY part",
            self._id,
        )
        return tuple(StreamPart(Checkpoint(*at), tables_from_json(tables)) for *at, tables in rows)

    def divide(self, stored: StoredStream, parts: Sequence[Sequence[TableId]]) -> None:
        """Write checkpoint and tables down anew, and parts that are as far as it is."""
        at = _values(stored.checkpoint)
        self._query(_PLACE.format("mainstem_stream", ""), *at, self._id)
        for table in stored.tables:
            self.save(table)
        self._query(f"DELETE FROM {PART_TABLE} WHERE stream_id = %s", self._id)
        for part, tables in enumerate(parts):
            self._query(_ADD_PART, self._id, part, *at, tables_to_json(tables))

    def load(self) -> StoredStream | None:
        """All of it, or None."""
        found = self._query(
            "SELECT origin, position, transactions, events, committed_us FROM mainstem_stream WHERE stream_id = %s",
            self._id,
        )
        if not found:
            return None
        tables = self._query(
            "SELECT content FROM mainstem_stream_table WHERE stream_id = %s ORDER BY table_schema, table_name", self._id
        )
        origin, *checkpoint = found[0]
        return StoredStream(origin, Checkpoint(*checkpoint), tuple(table_from_json(text) for (text,) in tables))

    def create(self, stored: StoredStream) -> None:
        """Write a new stream down; its line is unique."""
        at = stored.checkpoint
        self._query(_CREATE_STREAM, self._id, stored.origin, at.position, at.transactions, at.events, at.committed_us)
        for table in stored.tables:
            self.save(table)

    def save(self, table: StreamTable) -> None:
        """Write down the state of a table."""
        self._query(_SAVE, self._id, table.source.schema, table.source.name, table_to_json(table))

    def forget(self, table: TableId) -> None:
        """The stream has this table no more."""
        self._query(
            "DELETE FROM mainstem_stream_table WHERE stream_id = %s AND table_schema = %s AND table_name = %s",
            self._id, table.schema, table.name,
        )  # fmt: skip

    def reject(self, letter: DeadLetter) -> None:
        """Put a change aside; one that no statement can hold without the change itself, which its reason then says."""
        event, reason = letter.event, letter.reason
        if len(event) * _WIDENED > self._packet_bytes:
            event, reason = b"", f"{reason}{_NOT_KEPT}"
        self._query(
            _REJECT, self._id, letter.table.schema, letter.table.name, int(letter.op), letter.key, letter.position,
            letter.column, reason, event,
        )  # fmt: skip

    def record(self, line: SchemaRecord) -> None:
        """Write down what became of a schema change."""
        self._query(
            _RECORD, self._id, line.table.schema, line.table.name, line.change, line.position, line.outcome,
            line.detail, line.at_us,
        )  # fmt: skip

    def letters(self, limit: int) -> list[DeadLetter]:
        """Changes that were put aside, in their order."""
        return [
            DeadLetter(TableId(schema, name), Op(op), key, position, column, reason, bytes(event), int(number))
            for schema, name, op, key, position, column, reason, event, number in self._query(_LETTERS, self._id, limit)
        ]

    def count_letters(self) -> dict[TableId, int]:
        """How many there are of each table."""
        rows = self._query(
            "SELECT table_schema, table_name, COUNT(*) FROM mainstem_dead_letter WHERE stream_id = %s GROUP BY 1, 2",
            self._id,
        )
        return {TableId(schema, name): int(count) for schema, name, count in rows}

    def discard(self, numbers: Sequence[int]) -> None:
        """Forget letters."""
        if numbers:
            self._query(
                "DELETE FROM mainstem_dead_letter WHERE stream_id = %s AND id IN"
                f" ({', '.join(str(int(number)) for number in numbers)})",
                self._id,
            )

    def drop_letters(self, table: TableId, number: int | None) -> int:
        """Forget the letter of that number, or all of a table; how many there were."""
        one = "" if number is None else f" AND id = {number:d}"
        sql = f"DELETE FROM mainstem_dead_letter WHERE stream_id = %s AND table_schema = %s AND table_name = %s{one}"
        with self._connection.cursor() as cursor:
            return int(cursor.execute(sql, (self._id, table.schema, table.name)))

    def changes(self, limit: int) -> list[SchemaRecord]:
        """The newest schema changes, newest last."""
        rows = self._query(_CHANGES, self._id, limit)
        return [SchemaRecord(TableId(schema, name), *rest) for schema, name, *rest in reversed(rows)]

    def drop(self, tables: Sequence[str]) -> bool:
        """Delete the stream from these tables of ours; whether there is no other one."""
        for table in tables:
            self._query(f"DELETE FROM {table} WHERE stream_id = %s", self._id)
        return not self._query("SELECT 1 FROM mainstem_stream LIMIT 1")

    def _query(self, sql: str, *arguments: object) -> list[tuple[Any, ...]]:
        return client.query(self._connection, sql, arguments)
