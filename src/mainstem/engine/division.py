"""Which tables of a stream may be applied apart from each other, and how far such parts are. Pure.

See docs/adr/0014: parts are closed under foreign keys, those of the source and those of the target.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from mainstem.model.names import TableId
from mainstem.model.schema import Table
from mainstem.model.stream import StoredStream, StreamPart, StreamTable


def divided(
    tables: Sequence[StreamTable], bound: Iterable[tuple[TableId, TableId]], parts: int
) -> tuple[tuple[TableId, ...], ...]:
    """The tables in so many parts, or fewer, of about the same size.

    Args:
        bound: pairs that must be in one part, by the source's names; names of other tables bind, too.
    """
    leaders: dict[TableId, TableId] = {}

    def leader(table: TableId) -> TableId:
        while (above := leaders.get(table, table)) != table:
            table = above
        return table

    for one, other in bound:
        leaders[leader(one)] = leader(other)
    groups: dict[TableId, list[StreamTable]] = {}
    for table in tables:
        groups.setdefault(leader(table.source), []).append(table)
    made: list[list[StreamTable]] = [[] for _ in range(min(parts, len(groups)))]
    for group in sorted(groups.values(), key=_bytes, reverse=True):
        min(made, key=_bytes).extend(group)
    return tuple(tuple(table.source for table in part) for part in made)


def _bytes(tables: Sequence[StreamTable]) -> int:
    """How much there is of tables; an empty one counts as well, or all of them would come together."""
    return sum(table.plan.bytes_estimate + 1 for table in tables)


def bonds(
    tables: Sequence[StreamTable], source: Iterable[Table], target: Iterable[Table]
) -> list[tuple[TableId, TableId]]:
    """What foreign keys of either side, and a target that two tables share, keep together; by the source's names.

    A parent that the stream does not have binds those that refer to it.
    """
    sources: dict[TableId, TableId] = {}
    found: list[tuple[TableId, TableId]] = []
    for table in tables:
        if table.plan.target in sources:
            found.append((table.source, sources[table.plan.target]))
        sources[table.plan.target] = table.source
    found += [(table.id, key.parent) for table in source for key in table.foreign_keys]
    found += [
        (sources.get(table.id, _apart(table.id)), sources.get(key.parent, _apart(key.parent)))
        for table in target
        for key in table.foreign_keys
    ]
    return found


def _apart(table: TableId) -> TableId:
    """A name for a table of the target alone, which no table of the source has."""
    return TableId(f"\0{table.schema}", table.name)


def gathered(stored: StoredStream, parts: Sequence[StreamPart], reaches: Callable[[str, str], bool]) -> StoredStream:
    """A stream that was divided as one: it goes on from the part that is furthest behind.

    What the others have beyond that, their tables leave out (`StreamTable.since`).

    Args:
        reaches: see `contract.changes.ChangeSource.reaches`.
    """
    if not parts:
        return stored
    last = parts[0].checkpoint
    for part in parts[1:]:
        if not reaches(part.checkpoint.position, last.position):
            last = part.checkpoint
    of = part_of(parts)
    tables = tuple(
        _since(table, parts[of.get(table.source, 0)].checkpoint.position, last.position, reaches)
        for table in stored.tables
    )
    return StoredStream(stored.origin, last, tables)


def _since(table: StreamTable, at: str, last: str, reaches: Callable[[str, str], bool]) -> StreamTable:
    if at == last or (table.since and not reaches(at, table.since)):
        return table
    return replace(table, since=at)


def part_of(parts: Sequence[StreamPart]) -> Mapping[TableId, int]:
    """The number of each table's part; a table that was added since is in part 0."""
    return {table: number for number, part in enumerate(parts) for table in part.tables}
