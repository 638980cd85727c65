"""Sequences with their place: stand-alone ones, those of serial columns, and those behind identity columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mainstem.connectors.postgres.ask import Ask, not_of_extension
from mainstem.connectors.postgres.literals import quoted
from mainstem.model.names import TableId
from mainstem.model.schema import Sequence as SchemaSequence

_AT_ONCE = 500  # each sequence that is read takes a lock, of which a transaction cannot have very many
_SEQUENCES = f"""
SELECT c.oid, n.nspname AS schema, c.relname AS name, s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcycle,
    s.seqcache, format_type(s.seqtypid, NULL) AS type, d.refobjid AS owner, d.refobjsubid AS number, d.deptype,
    o.relname AS owner_name, p.nspname AS owner_schema, a.attname AS owner_column,
    CASE WHEN has_sequence_privilege(c.oid, 'SELECT') THEN pg_sequence_last_value(c.oid) END AS last,
    has_sequence_privilege(c.oid, 'SELECT') AS readable
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_sequence s ON s.seqrelid = c.oid
LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0
    AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
LEFT JOIN pg_class o ON o.oid = d.refobjid LEFT JOIN pg_namespace p ON p.oid = o.relnamespace
LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE n.nspname = ANY(%(schemas)s) AND c.relkind = 'S' AND {not_of_extension("pg_class", "c.oid")}
ORDER BY n.nspname, c.relname
"""


@dataclass(frozen=True, slots=True)
class FoundSequence:
    """A sequence, and the column that it counts for.

    Attributes:
        internal: it is behind an identity column, and made with it.
        owner: the table's oid and the column's number; (0, 0) for a stand-alone one.
        hidden: the login may not see where it stands, so that it is taken to begin anew.
    """

    sequence: SchemaSequence
    internal: bool
    owner: tuple[int, int]
    hidden: bool


def read_sequences(ask: Ask) -> list[FoundSequence]:
    """All sequences of the schemas, in order of their names, each with the value that it would give next."""
    rows = ask.rows(_SEQUENCES)
    # the function that tells the last value keeps silent while it is still to be given out
    unused = _unused(ask, [row for row in rows if row.last is None and row.readable])
    return [_sequence(row, unused.get(row.oid)) for row in rows]


def _sequence(row: Any, unused: int | None) -> FoundSequence:
    following = row.last + row.seqincrement if row.last is not None else unused
    if row.seqcycle and following is not None and not row.seqmin <= following <= row.seqmax:
        following = row.seqmin if row.seqincrement > 0 else row.seqmax
    owned = row.owner_name is not None
    return FoundSequence(
        SchemaSequence(
            TableId(row.schema, row.name),
            row.seqstart,
            row.seqincrement,
            row.seqmin,
            row.seqmax,
            row.seqstart if following is None else following,
            row.seqcycle,
            owner=TableId(row.owner_schema, row.owner_name) if owned else None,
            owner_column=row.owner_column or "",
            native=row.type,
            cache=row.seqcache,
        ),
        internal=row.deptype == "i",
        owner=(row.owner, row.number) if owned else (0, 0),
        hidden=row.last is None and not row.readable,
    )


def _unused(ask: Ask, rows: Sequence[Any]) -> dict[int, int]:
    found: dict[int, int] = {}
    for part in _parts(rows):
        names = [f"{quoted(row.schema)}.{quoted(row.name)}".replace("%", "%%") for row in part]
        union = " UNION ALL ".join(
            f"SELECT {row.oid}, last_value, is_called FROM {name}" for row, name in zip(part, names, strict=True)
        )
        for oid, last, called in ask.rows(union):
            if not called:
                found[oid] = last
    return found


def _parts(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for begin in range(0, len(rows), _AT_ONCE):
        yield rows[begin : begin + _AT_ONCE]
