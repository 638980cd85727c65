"""What a cut-over found: whether writers may be moved from the source to the target."""

from __future__ import annotations

from dataclasses import dataclass

from mainstem.model.names import TableId


@dataclass(frozen=True, slots=True)
class TableCount:
    """Rows of a table on both sides.

    Attributes:
        source_rows, target_rows: None where it was not counted (``note`` says why).
        note: why the rows may differ; empty when all changes are applied.
    """

    source: TableId
    target: TableId
    source_rows: int | None
    target_rows: int | None
    note: str = ""

    @property
    def same(self) -> bool:
        """Whether both were counted and agree."""
        return self.source_rows is not None and self.source_rows == self.target_rows


@dataclass(frozen=True, slots=True)
class CutoverReport:
    """The outcome of a cut-over.

    Attributes:
        safe: the source was quiet, all that it holds is applied, counters are set, and the counts agree.
        position: what is applied in the target.
        waited_s: until the source was quiet and everything was applied.
        tables: every table of the stream.
        counters: what was set past its highest value (identity, serial, AUTO_INCREMENT), with the value.
        problems: why it is not safe; empty when it is.
    """

    safe: bool
    position: str
    waited_s: float
    tables: tuple[TableCount, ...] = ()
    counters: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
