"""Takes what a PostgreSQL's stream tells of tables as an engine would."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mainstem.connectors.postgres import changestream, roster
from mainstem.connectors.postgres.changestream import PostgresChangeStream
from mainstem.connectors.postgres.roster import Roster
from mainstem.model.change import SchemaChange, SchemaChangeKind
from mainstem.model.run import TableState
from tests.connectors.postgres.changefeed import Feed, parts_of


class Taker:
    """Takes what is told as an engine would."""

    def __init__(self, one: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
        self.one, self.found, self.looks = one, {table.source.name: list[str]() for table in one.tables}, 0
        look = Roster._look

        def counted(roster: Roster) -> None:
            look(roster)
            self.looks += 1

        monkeypatch.setattr(roster, "LOOK_S", 0.05)
        monkeypatch.setattr(changestream, "_IDLE_S", 0.05)
        monkeypatch.setattr(Roster, "_look", counted)

    def next(self, stream: PostgresChangeStream) -> bool:
        """Read on to the next change; False when two looks have found nothing more."""
        looks, end = self.looks, self.one.source.end_position()
        groups = self.one.until(
            stream,
            lambda group: (
                "SchemaChange" in repr(group)
                or (self.looks > looks + 2 and self.one.source.reaches("", self.one.position, end))
            ),
            settle=False,
        )
        changes = [part for part in parts_of(groups) if isinstance(part, SchemaChange)]
        for change in changes:
            self._take(stream, change)
        return bool(changes)

    def _take(self, stream: PostgresChangeStream, change: SchemaChange) -> None:
        place = next(n for n, table in enumerate(self.one.tables) if table.source == change.table)
        table = self.one.tables[place]
        if change.memo is not None:
            table = replace(table, memo=change.memo)
        if change.kind is SchemaChangeKind.LOST:
            table = replace(table, state=TableState.PAUSED)
        if change.kind is SchemaChangeKind.COLUMNS:
            table = replace(table, layout=change.columns)
        elif change.kind is not SchemaChangeKind.KEPT and "ALTER COLUMN" not in change.statement:
            self.found[table.source.name].append(f"{change.kind.name} {change.statement}")
        self.one.tables[place] = table
        stream.settle(table)
