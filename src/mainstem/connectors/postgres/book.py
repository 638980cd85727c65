"""What the target knows of a stream, in tables of schema ``mainstem``: its checkpoint, tables, dead letters, changes.

The checkpoint is written in the transaction of the rows that it speaks of, by the functions here that take a cursor.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any

import psycopg

from mainstem.connectors.postgres.client import connect, keepable, translating
from mainstem.connectors.postgres.counters import advance
from mainstem.connectors.postgres.fence import SCHEMA, Fence
from mainstem.connectors.postgres.ledger import drop_tables
from mainstem.errors import ConflictError
from mainstem.model.change import Op
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from mainstem.model.stored import table_from_json, table_to_json, tables_from_json, tables_to_json
from mainstem.model.stream import Checkpoint, DeadLetter, SchemaRecord, StoredStream, StreamPart, StreamTable

_CREATE_PARTS = f"""
CREATE TABLE IF NOT EXISTS {SCHEMA}.stream_part (
    stream_id text NOT NULL, part integer NOT NULL, position text NOT NULL, transactions bigint NOT NULL,
    events bigint NOT NULL, source_committed_at timestamptz, committed timestamptz NOT NULL DEFAULT now(),
    tables text NOT NULL, PRIMARY KEY (stream_id, part)) WITH (fillfactor = 10)
"""
_CREATE = f"""
CREATE SCHEMA IF NOT EXISTS {SCHEMA};
CREATE TABLE IF NOT EXISTS {SCHEMA}.stream (
    stream_id text PRIMARY KEY, origin text NOT NULL, position text NOT NULL, transactions bigint NOT NULL,
    events bigint NOT NULL, source_committed_at timestamptz, started timestamptz NOT NULL DEFAULT now(),
    committed timestamptz NOT NULL DEFAULT now(), fence bigint NOT NULL DEFAULT 0) WITH (fillfactor = 10);
CREATE TABLE IF NOT EXISTS {SCHEMA}.stream_table (
    stream_id text NOT NULL, table_schema text NOT NULL, table_name text NOT NULL, state text NOT NULL,
    document text NOT NULL, place bigint GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (stream_id, table_schema, table_name));
{_CREATE_PARTS};
CREATE TABLE IF NOT EXISTS {SCHEMA}.dead_letter (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, stream_id text NOT NULL, table_schema text NOT NULL,
    table_name text NOT NULL, op smallint NOT NULL, row_key text NOT NULL, position text NOT NULL,
    column_name text NOT NULL, reason text NOT NULL, event bytea NOT NULL, at timestamptz NOT NULL DEFAULT now());
CREATE TABLE IF NOT EXISTS {SCHEMA}.schema_change (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, stream_id text NOT NULL, table_schema text NOT NULL,
    table_name text NOT NULL, change text NOT NULL, position text NOT NULL, outcome text NOT NULL,
    detail text NOT NULL, at timestamptz NOT NULL DEFAULT now());
"""
_TABLES = ("stream_table", "stream_part", "dead_letter", "schema_change", "stream")
_SAVE = f"""
INSERT INTO {SCHEMA}.stream_table (stream_id, table_schema, table_name, state, document) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (stream_id, table_schema, table_name) DO UPDATE SET state = EXCLUDED.state, document = EXCLUDED.document
"""
_REJECT = f"""
INSERT INTO {SCHEMA}.dead_letter
    (stream_id, table_schema, table_name, op, row_key, position, column_name, reason, event)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
_RECORD = f"""
INSERT INTO {SCHEMA}.schema_change (stream_id, table_schema, table_name, change, position, outcome, detail, at)
VALUES (%s, %s, %s, %s, %s, %s, %s, coalesce({{at}}, now()))
""".replace("{at}", "to_timestamp(nullif(%s::bigint, 0) / 1000000.0)")
_MOVE = f"""
UPDATE {SCHEMA}.{{table}} SET position = %s, transactions = %s, events = %s, committed = now(),
    source_committed_at = to_timestamp(nullif(%s::bigint, 0) / 1000000.0)
WHERE stream_id = %s
"""
_ADD_PART = f"""
INSERT INTO {SCHEMA}.stream_part (stream_id, part, position, transactions, events, source_committed_at, tables)
VALUES (%s, %s, %s, %s, %s, to_timestamp(nullif(%s::bigint, 0) / 1000000.0), %s)
"""
_PARTS = f"""
SELECT position, transactions, events, coalesce((extract(epoch FROM source_committed_at) * 1000000)::bigint, 0), tables
FROM {SCHEMA}.stream_part WHERE stream_id = %s ORDER BY part
"""
_LOAD = f"""
SELECT origin, position, transactions, events,
    coalesce((extract(epoch FROM source_committed_at) * 1000000)::bigint, 0)
FROM {SCHEMA}.stream WHERE stream_id = %s
"""

Connection = psycopg.Connection[Any]
COUNTER_WAIT_S = 5
"""For so long somebody's lock of a table keeps its counters from being set."""


def save_table(connection: Connection, stream_id: str, table: StreamTable) -> None:
    """Write a table's state, within the caller's transaction."""
    source = table.source
    connection.execute(_SAVE, (stream_id, source.schema, source.name, str(table.state), table_to_json(table)))


def forget_table(connection: Connection, stream_id: str, table: TableId) -> None:
    """The stream has it no more; its letters stay."""
    connection.execute(
        f"DELETE FROM {SCHEMA}.stream_table WHERE stream_id = %s AND table_schema = %s AND table_name = %s",
        (stream_id, table.schema, table.name),
    )


def put_letter(connection: Connection, stream_id: str, letter: DeadLetter) -> None:
    """Put a change aside."""
    table = letter.table
    connection.execute(
        _REJECT,
        (stream_id, table.schema, table.name, int(letter.op), keepable(connection, letter.key), letter.position,
         letter.column, letter.reason, letter.event),
    )  # fmt: skip


def drop_letters(connection: Connection, stream_id: str, table: TableId, number: int | None) -> int:
    """Forget the change of that number that was put aside, or all of a table; how many there were."""
    sql = f"DELETE FROM {SCHEMA}.dead_letter WHERE stream_id = %s AND table_schema = %s AND table_name = %s"
    one = "" if number is None else f" AND number = {number:d}"
    return connection.execute((sql + one).encode(), (stream_id, table.schema, table.name)).rowcount


def put_record(connection: Connection, stream_id: str, line: SchemaRecord) -> None:
    """Write down what became of a schema change."""
    table, change, detail = line.table, keepable(connection, line.change), keepable(connection, line.detail)
    connection.execute(
        _RECORD, (stream_id, table.schema, table.name, change, line.position, line.outcome, detail, line.at_us)
    )


def read_position(connection: Connection, stream_id: str, part: int | None = None) -> str | None:
    """Where the stream, or a part of it, stands; None if there is none of this id."""
    table = "stream" if part is None else "stream_part"
    if connection.execute("SELECT to_regclass(%s)", (f"{SCHEMA}.{table}",)).fetchone() == (None,):
        return None
    sql, arguments = f"SELECT position FROM {SCHEMA}.{table} WHERE stream_id = %s", (stream_id,)
    if part is None:
        row = connection.execute(sql.encode(), arguments).fetchone()
    else:
        row = connection.execute(f"{sql} AND part = %s".encode(), (*arguments, part)).fetchone()
    return None if row is None else str(row[0])


def stream_fence(stream_id: str, token: int) -> Fence:
    """The fence of a stream's book."""
    return Fence("stream", stream_id, token)


def move_checkpoint(
    connection: Connection, fence: Fence, before: str, checkpoint: Checkpoint, part: int | None = None
) -> bool:
    """Write the stream's checkpoint, or that of a part; False if it is not where it was.

    Raises `TakenOverError` when the stream is another process's by now: the same statement looks, or for a part the
    one before, which keeps it so.
    """
    sql = _MOVE.format(table="stream" if part is None else "stream_part") + " AND position = %s"
    arguments = [*_values(checkpoint), fence.id, before]
    if part is not None:
        fence.hold(connection)
        sql, arguments = f"{sql} AND part = %s", [*arguments, part]
    elif fence.token:
        sql, arguments = f"{sql} AND fence = %s", [*arguments, fence.token]
    moved = connection.execute(sql.encode(), arguments)
    if moved.rowcount != 1 and fence.token:
        found = fence.seen(connection)
        if found != fence.token:
            raise fence.taken_over(found)
    return moved.rowcount == 1


def _values(checkpoint: Checkpoint) -> tuple[str, int, int, int]:
    return checkpoint.position, checkpoint.transactions, checkpoint.events, checkpoint.committed_us


class PostgresBook:
    """See `contract.apply.StreamBook`."""

    def __init__(self, settings: ConnectionSettings, stream_id: str, token: int = 0) -> None:
        """Connect, and claim the stream for a token (see `fence`)."""
        self._fence = stream_fence(stream_id, token)
        self._connection: Connection = connect(settings, application_name=self._fence.name("book"))
        self._stream_id = stream_id
        try:
            self._claim()
        except BaseException:
            self._connection.close()
            raise

    def _claim(self) -> None:
        with translating():
            self._fence.claim(self._connection)

    def __enter__(self) -> PostgresBook:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def load(self) -> StoredStream | None:
        """What an earlier start left, or None."""
        with translating(), self._connection.transaction():
            if read_position(self._connection, self._stream_id) is None:
                return None
            row = self._connection.execute(_LOAD, (self._stream_id,)).fetchone()
            documents = self._connection.execute(
                f"SELECT document FROM {SCHEMA}.stream_table WHERE stream_id = %s ORDER BY place", (self._stream_id,)
            ).fetchall()
        if row is None:
            return None
        origin, *checkpoint = row
        return StoredStream(origin, Checkpoint(*checkpoint), tuple(table_from_json(text) for (text,) in documents))

    def create(self, stored: StoredStream) -> None:
        """Begin a stream."""
        point = stored.checkpoint
        with translating(), self._connection.transaction():
            # Two that start together would both try to create the schema.
            self._connection.execute("SELECT pg_advisory_xact_lock(hashtext('mainstem.ledger'))")
            self._connection.execute(_CREATE)
            made = self._connection.execute(
                f"INSERT INTO {SCHEMA}.stream (stream_id, origin, position, transactions, events, source_committed_at)"
                " VALUES (%s, %s, %s, %s, %s, to_timestamp(nullif(%s::bigint, 0) / 1000000.0)) ON CONFLICT DO NOTHING",
                (self._stream_id, stored.origin, point.position, point.transactions, point.events, point.committed_us),
            )
            if made.rowcount != 1:
                self._fence.check(self._connection)
                raise ConflictError(
                    f"the target knows a stream {self._stream_id} already",
                    remedy="resume it, or choose another name",
                    stream=self._stream_id,
                )
            for table in stored.tables:
                save_table(self._connection, self._stream_id, table)
        self._claim()

    def save(self, table: StreamTable) -> None:
        """Write down the state of a table, in a transaction of its own."""
        with translating(), self._connection.transaction():
            self._fence.hold(self._connection)
            save_table(self._connection, self._stream_id, table)

    def parts(self) -> tuple[StreamPart, ...]:
        """The parts that the stream is divided into, as far as each is now."""
        with translating():
            if not self._has_parts():
                return ()
            rows = self._connection.execute(_PARTS.encode(), (self._stream_id,)).fetchall()
        return tuple(StreamPart(Checkpoint(*at), tables_from_json(tables)) for *at, tables in rows)

    def divide(self, stored: StoredStream, parts: Sequence[Sequence[TableId]]) -> None:
        """Write checkpoint and tables down anew, and parts that are as far as it is."""
        at = _values(stored.checkpoint)
        with translating(), self._connection.transaction():
            self._connection.execute(_CREATE_PARTS)
            self._fence.hold(self._connection)
            self._connection.execute(_MOVE.format(table="stream").encode(), (*at, self._stream_id))
            for table in stored.tables:
                save_table(self._connection, self._stream_id, table)
            self._connection.execute(f"DELETE FROM {SCHEMA}.stream_part WHERE stream_id = %s", (self._stream_id,))
            for part, tables in enumerate(parts):
                self._connection.execute(_ADD_PART, (self._stream_id, part, *at, tables_to_json(tables)))

    def letters(self, limit: int = 1000) -> list[DeadLetter]:
        """Changes that were put aside, in their order."""
        rows = self._of_stream(
            "dead_letter", "number, table_schema, table_name, op, row_key, position, column_name, reason, event", limit
        )
        return [
            DeadLetter(TableId(schema, name), Op(op), key, position, column, reason, event, number)
            for number, schema, name, op, key, position, column, reason, event in rows
        ]

    def count_letters(self) -> dict[TableId, int]:
        """How many there are of each table."""
        with translating():
            if not self._there():
                return {}
            rows = self._connection.execute(
                f"SELECT table_schema, table_name, count(*) FROM {SCHEMA}.dead_letter WHERE stream_id = %s"
                " GROUP BY 1, 2",
                (self._stream_id,),
            ).fetchall()
        return {TableId(schema, name): count for schema, name, count in rows}

    def discard(self, numbers: Sequence[int]) -> None:
        """Forget letters that were dealt with."""
        with translating():
            self._connection.execute(
                f"DELETE FROM {SCHEMA}.dead_letter WHERE stream_id = %s AND number = ANY(%s)",
                (self._stream_id, list(numbers)),
            )

    def changes(self, limit: int = 1000) -> list[SchemaRecord]:
        """Schema changes that were seen, newest last."""
        rows = self._of_stream(
            "schema_change",
            "number, table_schema, table_name, change, position, outcome, detail,"
            " (extract(epoch FROM at) * 1000000)::bigint",
            limit,
            newest=True,
        )
        return [SchemaRecord(TableId(schema, name), *rest) for _, schema, name, *rest in rows]

    def advance_counters(self, tables: Sequence[StreamTable]) -> list[str]:
        """Set the counters of the tables past the highest value in use."""
        with translating(), self._connection.transaction():
            self._connection.execute(f"SET LOCAL lock_timeout = '{COUNTER_WAIT_S}s'")
            return advance(self._connection, [table.plan.target for table in tables])

    def drop(self) -> None:
        """Forget the stream; what is not of a stream or run any more is dropped."""
        with translating(), self._connection.transaction():
            self._connection.execute("SELECT pg_advisory_xact_lock(hashtext('mainstem.ledger'))")
            if not self._there():
                return
            self._connection.execute(_CREATE_PARTS)  # an earlier version's book has none
            for table in _TABLES:
                self._connection.execute(f"DELETE FROM {SCHEMA}.{table} WHERE stream_id = %s", (self._stream_id,))
            left = self._connection.execute(f"SELECT EXISTS (SELECT FROM {SCHEMA}.stream)").fetchone()
            if left == (False,):
                drop_tables(self._connection, _TABLES)

    def _has_parts(self) -> bool:
        found = self._connection.execute("SELECT to_regclass(%s)", (f"{SCHEMA}.stream_part",)).fetchone()
        return found is not None and found[0] is not None

    def _there(self) -> bool:
        found = self._connection.execute("SELECT to_regclass(%s)", (f"{SCHEMA}.stream",)).fetchone()
        return found is not None and found[0] is not None

    def _of_stream(self, table: str, columns: str, limit: int, *, newest: bool = False) -> list[Any]:
        with translating():
            if not self._there():
                return []
            rows = self._connection.execute(
                f"SELECT {columns} FROM {SCHEMA}.{table} WHERE stream_id = %s"
                f" ORDER BY number {'DESC' if newest else 'ASC'} LIMIT %s",
                (self._stream_id, limit),
            ).fetchall()
        return rows[::-1] if newest else rows
