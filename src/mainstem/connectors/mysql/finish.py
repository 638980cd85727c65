"""What a table needs once its rows are in: its counter and statistics; and sequences. Comments stand in the table."""

from __future__ import annotations

from collections.abc import Iterator

from mainstem.connectors.mysql.create import counter
from mainstem.connectors.mysql.native import base_name
from mainstem.connectors.mysql.traits import Traits
from mainstem.contract.dialect import Rendered, TargetType
from mainstem.model.plan import Phase, ReportItem, Severity, Statement
from mainstem.model.schema import Sequence, Table

_LOWEST, _HIGHEST = -(2**63) + 1, 2**63 - 2  # MariaDB keeps the ends of the range for itself
_MAXIMUM = {"tinyint": 2**7, "smallint": 2**15, "mediumint": 2**23, "int": 2**31, "bigint": 2**63}


def finish_table(table: Table, types: dict[str, TargetType], qualified: str) -> Rendered:
    """Phases SEQUENCES and ANALYZE. InnoDB never sets a counter below one past the highest value that is there."""
    statements = []
    report: list[ReportItem] = []
    column = counter(table)
    if column is not None:
        following = table.identity_next if column.counter is None else column.counter.next_value
        sql = types[column.name].sql
        maximum = _MAXIMUM.get(base_name(sql), 0) * (2 if "unsigned" in sql else 1)
        object_ = f"{table.id}.{column.name}"
        if following is not None and 1 < following < maximum:
            statements.append(
                Statement(Phase.SEQUENCES, f"ALTER TABLE {qualified} AUTO_INCREMENT = {following}", object_, table.id)
            )
        if column.counter is not None:
            report += _counts_otherwise(column.counter, object_)
    statements.append(Statement(Phase.ANALYZE, f"ANALYZE TABLE {qualified}", str(table.id), table.id, optional=True))
    return Rendered(tuple(statements), tuple(report))


def _counts_otherwise(sequence: Sequence, object_: str) -> Iterator[ReportItem]:
    """AUTO_INCREMENT goes up, by what the server says, from one past the highest value to the end of the type."""
    if sequence.increment == 1 and sequence.minimum <= sequence.next_value <= sequence.maximum and not sequence.cycle:
        return
    how = f"by {sequence.increment}{', in a cycle' if sequence.cycle else ''}"
    if not sequence.minimum <= sequence.next_value <= sequence.maximum:
        how += ", and has given out its last value"
    yield ReportItem(
        Severity.WARNING, "identity_counts_otherwise", object_,
        f"the counter goes {how}; AUTO_INCREMENT goes on from the highest value, by auto_increment_increment",
        "choose the values in the application, where it matters",
    )  # fmt: skip


def create_sequence(sequence: Sequence, qualified: str, traits: Traits, *, only_missing: bool) -> Rendered:
    """Phase TABLES: the sequence, then its next value; MySQL has none."""
    object_ = str(sequence.id)
    if not traits.sequences:
        item = ReportItem(
            Severity.WARNING, "sequence_left_out", object_, f"{traits.title} has no sequences",
            "use an AUTO_INCREMENT column",
        )  # fmt: skip
        return Rendered(report=(item,))
    low, high = _bounds(sequence)
    start = min(max(sequence.start, low), high)
    sql = (
        f"CREATE SEQUENCE {'IF NOT EXISTS ' if only_missing else ''}{qualified} START WITH {start} MINVALUE {low}"
        f" MAXVALUE {high} INCREMENT BY {sequence.increment} CACHE {sequence.cache if sequence.cache > 1 else 1}"
        f" {'CYCLE' if sequence.cycle else 'NOCYCLE'} ENGINE=InnoDB"
    )
    statements = [Statement(Phase.TABLES, sql, object_)]
    if sequence.next_value != start and low <= sequence.next_value <= high and not only_missing:
        statements.append(
            Statement(Phase.TABLES, f"ALTER SEQUENCE {qualified} RESTART WITH {sequence.next_value}", object_)
        )
    exhausted = not low <= sequence.next_value <= high
    if exhausted and not only_missing:
        last = high if sequence.increment > 0 else low
        statements.append(Statement(Phase.TABLES, f"SELECT SETVAL({qualified}, {last}, 1)", object_))
    return Rendered(tuple(statements), (_exhausted(object_),) if exhausted else ())


def _exhausted(object_: str) -> ReportItem:
    return ReportItem(
        Severity.WARNING,
        "sequence_exhausted",
        object_,
        "the sequence has given out its last value; it is made in that state",
        "ALTER SEQUENCE … MAXVALUE …, if more values are needed",
    )


def _bounds(sequence: Sequence) -> tuple[int, int]:
    return max(sequence.minimum, _LOWEST), min(sequence.maximum, _HIGHEST)


def set_sequence(sequence: Sequence, qualified: str, traits: Traits) -> Rendered:
    """Phase SEQUENCES: the next value of a sequence that is there; MySQL has none."""
    if not traits.sequences:
        return Rendered()
    low, high = _bounds(sequence)
    sql = f"ALTER SEQUENCE {qualified} RESTART WITH {sequence.next_value}"
    if not low <= sequence.next_value <= high:
        sql = f"SELECT SETVAL({qualified}, {high if sequence.increment > 0 else low}, 1)"
    return Rendered((Statement(Phase.SEQUENCES, sql, str(sequence.id)),))
