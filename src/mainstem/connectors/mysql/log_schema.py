"""What a statement in the log has done to the tables of a stream: by the catalog, not by its grammar."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from mainstem.connectors.mysql.log_layout import layout_behind
from mainstem.connectors.mysql.log_tables import TableRows, Tables
from mainstem.connectors.mysql.log_values import values_lost
from mainstem.connectors.mysql.schema_watch import SchemaWatch, defaults, shape
from mainstem.connectors.mysql.statements import Statement, What
from mainstem.model.change import SchemaChange, SchemaChangeKind
from mainstem.model.names import TableId
from mainstem.model.run import TableState
from mainstem.model.schema import Column

# How tools for changes of a table's structure name the copy that they put in its place, with all of its rows.
_SHADOWS = ("_{}_gho", "_{}_new", "__{}_new", "lhmn_{}", "__osc_new_{}")
_SETTING_DEFAULTS = frozenset({"default", "modify", "change"})
_MOVED = "another table took its name; whether it holds the same rows is not told by the log"
_REORDERED = "its columns were put into another order by a later statement, and the log does not tell their names"
_REPLACED = "rows came or went with a partition or a tablespace, which the log does not tell row by row"


class SchemaChanges:
    """Finds out what statements did. For one thread at a time."""

    def __init__(self, watch: SchemaWatch, tables: Tables) -> None:
        self._watch = watch
        self._tables = tables
        self._known: dict[str, set[str]] = {}
        self._ways: list[tuple[str, str, str]] | None = None

    def remember(self) -> None:
        """Take the tables that there are now for known: of these alone it is not told that they were made."""
        for database in self._tables.databases():
            self._known[database] = self._watch.names(database)

    def concerned(self, statement: Statement, database: str, written: Collection[str] | None) -> set[str]:
        """The databases with tables of the stream that a statement may be about.

        Args:
            written: those that it has written to, if the log tells (MySQL's does).
        """
        ours = self._tables.databases()
        found = {name for name in ours if name == database or statement.names(name)}
        if found or statement.what is not What.DML:
            return found
        return ours & set(written) if written is not None else self._by_way_of_others(statement, database)

    def _by_way_of_others(self, statement: Statement, database: str) -> set[str]:
        """Databases that rows come to from another one: through a view, a trigger, a function."""
        if self._ways is None:
            self._ways = self._watch.ways(self._tables.databases())
        return {
            target
            for schema, name, target in self._ways
            if statement.names(name) and (schema == database or statement.names(schema))
        }

    def forget_ways(self) -> None:
        """A view, a trigger or a routine may have been made."""
        self._ways = None

    def after(
        self, statement: Statement, text: str, databases: Iterable[str], wanted: Callable[[TableRows], bool],
        sql_mode: int,
    ) -> list[SchemaChange]:  # fmt: skip
        """What became of the tables.

        Args:
            databases: those that the statement may be about.
            wanted: whether the stream reads a table, at this place of the log.
            sql_mode: of the statement's session.
        """
        changes: list[SchemaChange] = []
        for database in sorted(databases):
            ours = [rows for rows in self._tables.all() if rows.table.source.schema == database and wanted(rows)]
            names = self._watch.names(database)
            changes += self._explicit(statement, text, database, ours)
            told = {change.table for change in changes}
            left = [rows for rows in ours if rows.table.source not in told]
            changes += self._reshaped(statement, text, left, names, sql_mode)
            changes += self._created(statement, text, database, names, {change.renamed_to for change in changes})
            self._known[database] = names | self._known.get(database, set())
            for change in changes:
                if change.kind in (SchemaChangeKind.DROPPED, SchemaChangeKind.RENAMED):
                    self._known[database].discard(change.table.name)
        return changes

    def _explicit(self, statement: Statement, text: str, database: str, ours: list[TableRows]) -> list[SchemaChange]:
        """What the catalog may not tell any more, or never: tables that went, moved, or lost rows."""
        ids = {rows.table.source: rows for rows in ours}
        if statement.what is What.DROP:
            gone = [table for table in ids if table in statement.tables or statement.name == table.schema]
            for table in gone:
                self._known.get(database, set()).discard(table.name)
            return [SchemaChange(SchemaChangeKind.DROPPED, table, statement=text) for table in gone]
        if statement.what is What.REPLACED:
            return [
                SchemaChange(SchemaChangeKind.LOST, table, statement=text, reason=_REPLACED)
                for table in statement.tables
                if table in ids
            ]
        if statement.what is What.RENAME:
            return [change for table, rows in ids.items() for change in self._moved(statement, text, table, rows)]
        return []

    def _moved(self, statement: Statement, text: str, table: TableId, rows: TableRows) -> list[SchemaChange]:
        at: dict[TableId, TableId] = {table: table}  # place → what lies there, by its place before the statement
        for old, new in statement.renamed:
            at[new] = at.pop(old, old)
        here = at.get(table)
        if here == table:
            return []
        if here is None:
            new = next(place for place, before in at.items() if before == table)
            self._known.setdefault(new.schema, set()).add(new.name)
            columns = self._watch.columns(new, rows.layout) or rows.layout
            return [SchemaChange(SchemaChangeKind.RENAMED, table, columns, new, text)]
        if here.name not in {form.format(table.name) for form in _SHADOWS}:
            return [SchemaChange(SchemaChangeKind.LOST, table, statement=text, reason=_MOVED)]
        return []

    def _reshaped(
        self, statement: Statement, text: str, ours: list[TableRows], names: set[str], sql_mode: int
    ) -> list[SchemaChange]:
        """Those that it names and that look otherwise. What is not there was dropped or renamed later, which comes."""
        if statement.what is What.TRUNCATE:  # the catalog may show what only a later statement did
            return []
        there = [rows for rows in ours if rows.table.source.name in names and statement.about(rows.table.source)]
        shapes = self._watch.shapes([rows.table.source for rows in there]) if there else {}
        changes = []
        for rows in there:
            table = rows.table.source
            if table in shapes and (shapes[table] != shape(rows.layout) or _may_set_defaults(statement)):
                columns = self._watch.columns(table, rows.layout)
                behind = layout_behind(statement, rows.layout, columns) if columns else ()
                if behind is None:
                    changes.append(SchemaChange(SchemaChangeKind.LOST, table, statement=text, reason=_REORDERED))
                elif behind and (shape(behind), defaults(behind)) != (shape(rows.layout), defaults(rows.layout)):
                    lost = values_lost(rows.layout, behind, sql_mode) if statement.what is What.ALTER else ""
                    changes.append(SchemaChange(SchemaChangeKind.COLUMNS, table, behind, statement=text, reason=lost))
        return changes

    def _created(
        self, statement: Statement, text: str, database: str, names: set[str], renamed: set[TableId | None]
    ) -> list[SchemaChange]:
        """Tables that were not there before, as far as is known; those that are made in so many words in any case."""
        made = names - self._known.get(database, names)
        if statement.what is What.CREATE and not statement.careful:
            made |= {table.name for table in statement.tables if table.schema == database} & names
        changes = []
        for name in sorted(made):
            table = TableId(database, name)
            known = self._tables.get(database, name)
            if table in renamed or (known is not None and known.table.state is not TableState.SKIPPED):
                continue
            columns: tuple[Column, ...] = self._watch.columns(table)
            if columns:
                changes.append(SchemaChange(SchemaChangeKind.CREATED, table, columns, statement=text))
        return changes


def _may_set_defaults(statement: Statement) -> bool:
    """Whether a column may have another default now, of which the images of new rows may make use."""
    return statement.words is None or bool(statement.words & _SETTING_DEFAULTS)
