"""What a statement in the log has done to the tables of a stream: by the catalog, not by its grammar."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from mainstem.connectors.mysql.log_ahead import Later
from mainstem.connectors.mysql.log_layout import layout_behind
from mainstem.connectors.mysql.log_merge import emptied
from mainstem.connectors.mysql.log_tables import TableRows, Tables
from mainstem.connectors.mysql.log_values import renamed_apart, values_lost, values_moved
from mainstem.connectors.mysql.schema_watch import SchemaWatch, defaults, shape
from mainstem.connectors.mysql.statements import Statement, What
from mainstem.model.change import SchemaChange, SchemaChangeKind
from mainstem.model.names import TableId
from mainstem.model.run import TableState
from mainstem.model.schema import Column

LaterOf = Callable[[Collection[TableId]], Mapping[TableId, Later]]
# How tools for changes of a table's structure name the copy that they put in its place, with all of its rows.
_SHADOWS = ("_{}_gho", "_{}_new", "__{}_new", "lhmn_{}", "__osc_new_{}")
_SETTING_DEFAULTS = frozenset({"default", "modify", "change"})
_EFFECTS = frozenset({"cascade", "set"})
_NO_KEY = "its key ({}) tells rows apart no more, and the target's still does: give the target's table the same key"
_NEW_EFFECT = (
    "a foreign key came with ON DELETE or ON UPDATE, and which rows it changes is not in the log: empty the"
    " target's table and give it the same one"
)
_OLD_EFFECT = (
    "a foreign key went; if it has ON DELETE or ON UPDATE at the target, it still changes rows there: drop it there too"
)
_MOVED = "another table took its name; whether it holds the same rows is not told by the log"
_REORDERED = "its columns were put into another order by a later statement, and the log does not tell their names"
_NAMED_LIKE = "it is {} now, which the stream has copied as a table of its own since"
_FILLED = "it was made anew with rows of a SELECT that the log holds as a statement, not as rows (binlog_format)"
_RENAMED = "its columns were changed, and its name before that could be looked at"
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
        sql_mode: int, later: LaterOf,
    ) -> list[SchemaChange]:  # fmt: skip
        """What became of the tables.

        Args:
            databases: those that the statement may be about.
            wanted: whether the stream reads a table, at this place of the log.
            sql_mode: of the statement's session.
            later: what comes behind the statement in the log (`TableMaps.later`).
        """
        said = _Said(statement, text, sql_mode, later)
        changes: list[SchemaChange] = []
        for database in sorted(databases):
            ours = [rows for rows in self._tables.all() if rows.table.source.schema == database and wanted(rows)]
            names = self._watch.names(database)
            changes += self._explicit(said, database, ours)
            told = {change.table for change in changes}
            left = [rows for rows in ours if rows.table.source not in told]
            changes += self._reshaped(said, left, names)
            renamed = {change.renamed_to for change in changes}
            made, to_come = self._made(said, database, names)
            changes += self._created(text, database, made, renamed)
            self._known[database] = (names - to_come) | self._known.get(database, set())
            for change in changes:
                if change.kind in (SchemaChangeKind.DROPPED, SchemaChangeKind.RENAMED):
                    self._known[database].discard(change.table.name)
        return changes

    def _explicit(self, said: _Said, database: str, ours: list[TableRows]) -> list[SchemaChange]:
        """What the catalog may not tell any more, or never: tables that went, moved, or lost rows."""
        statement, text = said.statement, said.text
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
        if statement.what is What.TRUNCATE and statement.names("create") and statement.names("select"):
            mine = [table for table in statement.tables if table in ids]
            return [SchemaChange(SchemaChangeKind.LOST, table, statement=text, reason=_FILLED) for table in mine]
        if statement.what is What.TRUNCATE and not statement.names("create"):
            foreign = [table for table in statement.tables if table not in ids]
            return [change for table in foreign for change in emptied(table, self._watch.merged(table), ours, text)]
        if statement.what is What.RENAME:
            return [change for table, rows in ids.items() for change in self._moved(said, table, rows)]
        return []

    def _moved(self, said: _Said, table: TableId, rows: TableRows) -> list[SchemaChange]:
        at: dict[TableId, TableId] = {table: table}  # place → what lies there, by its place before the statement
        for old, new in said.statement.renamed:
            at[new] = at.pop(old, old)
        here = at.get(table)
        if here == table:
            return []
        if here is None:
            new = next(place for place, before in at.items() if before == table)
            self._known.setdefault(new.schema, set()).add(new.name)
            other = self._tables.get(new.schema, new.name)
            if other is not None and other.table.state is not TableState.SKIPPED:
                reason = _NAMED_LIKE.format(new)
                return [SchemaChange(SchemaChangeKind.DROPPED, table, statement=said.text, reason=reason)]
            columns = self._watch.columns(new, rows.layout)
            reshaped = self._columns(said, rows, columns) if columns else []
            if any(change.kind is SchemaChangeKind.LOST for change in reshaped):
                return reshaped
            return [*reshaped, SchemaChange(SchemaChangeKind.RENAMED, table, columns or rows.layout, new, said.text)]
        if here.name not in {form.format(table.name) for form in _SHADOWS}:
            return [SchemaChange(SchemaChangeKind.LOST, table, statement=said.text, reason=_MOVED)]
        return []

    def _reshaped(self, said: _Said, ours: list[TableRows], names: set[str]) -> list[SchemaChange]:
        """Those that it names and that look otherwise. What is not there was dropped or renamed later, which comes."""
        statement = said.statement
        if statement.what is What.TRUNCATE and (statement.words is None or not statement.names("create")):
            return []  # the catalog may show what only a later statement did
        about = [rows for rows in ours if statement.about(rows.table.source)]
        there = [rows for rows in about if rows.table.source.name in names]
        shapes = self._watch.shapes([rows.table.source for rows in there]) if there else {}
        changes = [change for rows in about for change in said.of_keys(rows, self._watch)]
        lost = {change.table for change in changes if change.kind is SchemaChangeKind.LOST}
        for rows in there:
            table = rows.table.source
            if table in lost:
                continue
            if table in shapes and (shapes[table] != shape(rows.layout) or _may_do_more(statement)):
                columns = self._watch.columns(table, rows.layout)
                changes += self._columns(said, rows, columns) if columns else []
        return changes + [change for rows in about if rows not in there for change in said.before_renamed(rows)]

    def _columns(self, said: _Said, rows: TableRows, columns: tuple[Column, ...]) -> list[SchemaChange]:
        """What a statement did to the columns of a table."""
        table, layout = rows.table.source, rows.layout
        behind = layout_behind(said.statement, layout, columns)
        if behind is None:
            return [SchemaChange(SchemaChangeKind.LOST, table, statement=said.text, reason=_REORDERED)]
        lost = said.lost(rows, behind)
        if (shape(behind), defaults(behind)) != (shape(layout), defaults(layout)):
            return [SchemaChange(SchemaChangeKind.COLUMNS, table, behind, statement=said.text, reason=lost)]
        return [SchemaChange(SchemaChangeKind.LOST, table, statement=said.text, reason=lost)] if lost else []

    def _made(self, said: _Said, database: str, names: set[str]) -> tuple[set[str], set[str]]:
        """Tables that were not there before, as far as is known, and those of them that only a later statement makes.

        Those that are made in so many words are made in any case.
        """
        made = names - self._known.get(database, names)
        own = said.makes(database) & names
        others = [TableId(database, name) for name in made - own]
        later = {table.name for table in said.later(others)} if others else set()
        return (made - later) | own, later

    def _created(self, text: str, database: str, made: set[str], renamed: set[TableId | None]) -> list[SchemaChange]:
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


@dataclass(frozen=True, slots=True)
class _Said:
    """A statement as it stands in the log."""

    statement: Statement
    text: str
    sql_mode: int
    later: LaterOf

    def makes(self, database: str) -> set[str]:
        """The tables of a database that it makes in so many words."""
        statement = self.statement
        if statement.what is not What.CREATE or statement.careful:
            return set()
        return {table.name for table in statement.tables if table.schema == database}

    def lost(self, rows: TableRows, behind: Sequence[Column]) -> str:
        """Why values of a table may not be what they were."""
        statement, layout = self.statement, rows.layout
        if statement.what is What.RENAME and statement.words is not None and not statement.names("alter"):
            return renamed_apart(layout, behind)
        if statement.what is not What.ALTER and (statement.words is None or not statement.names("alter")):
            return ""
        words: frozenset[str] | None = frozenset()
        if statement.clauses.touched or statement.clauses.converted:
            found = self.later([rows.table.source]).get(rows.table.source)
            words = found.words if found is not None else words
        reasons = values_lost(layout, behind, self.sql_mode), values_moved(statement.clauses, layout, behind, words)
        return "; ".join(filter(None, reasons))

    def of_keys(self, rows: TableRows, watch: SchemaWatch) -> list[SchemaChange]:
        """What it did to the table's keys, of which no row tells."""
        statement, table, plan = self.statement, rows.table.source, rows.table.plan
        if statement.what is not What.ALTER:
            return []
        lost = statement.clauses.keys or statement.clauses.dropped & {name.lower() for name in plan.key}
        if lost and plan.keyed and not watch.is_key(table, plan.key):
            reason = _NO_KEY.format(", ".join(plan.key))
            return [SchemaChange(SchemaChangeKind.LOST, table, statement=self.text, reason=reason)]
        words = statement.words or frozenset()
        if "references" in words and words & _EFFECTS:
            return [SchemaChange(SchemaChangeKind.LOST, table, statement=self.text, reason=_NEW_EFFECT)]
        if words >= {"drop", "foreign"} or words >= {"drop", "constraint"}:
            return [SchemaChange(SchemaChangeKind.NOTED, table, statement=self.text, reason=_OLD_EFFECT)]
        return []

    def before_renamed(self, rows: TableRows) -> list[SchemaChange]:
        """Of a table that got another name, or went, before it could be looked at."""
        table, touched = rows.table.source, self.statement.clauses.touched
        known = {column.name.lower() for column in rows.layout}
        if not touched & known and not self.statement.clauses.converted:
            return []
        later = self.later([table]).get(table)
        if later is None or not later.renames:
            return []
        return [SchemaChange(SchemaChangeKind.LOST, table, statement=self.text, reason=_RENAMED)]


def _may_do_more(statement: Statement) -> bool:
    """Whether columns that look as before may have another default now, or other values."""
    touched = statement.clauses.touched or statement.clauses.converted
    return bool(touched) or statement.words is None or bool(statement.words & _SETTING_DEFAULTS)
