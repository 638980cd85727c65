"""Facts about MySQL and MariaDB that several files need."""

from __future__ import annotations

DEFAULT_PORT = 3306
MAX_NAME_CHARACTERS = 64
SYSTEM_DATABASES = frozenset({"information_schema", "performance_schema", "mysql", "sys"})
LEDGER_TABLES = ("mainstem_run", "mainstem_chunk", "mainstem_step", "mainstem_rejected_row")
"""Where a target keeps the book of its runs; never shown as tables of the user's."""
PART_TABLE = "mainstem_stream_part"
STREAM_TABLES = (
    "mainstem_stream",
    "mainstem_stream_table",
    PART_TABLE,
    "mainstem_stream_step",
    "mainstem_dead_letter",
    "mainstem_schema_change",
)
"""Where it keeps what it knows of streams; never shown either."""
NOT_OF_THE_LEDGER = f" AND table_name NOT IN {LEDGER_TABLES + STREAM_TABLES!r}"
"""A condition on the tables of information_schema."""
