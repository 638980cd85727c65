"""Which tables and schemas of the source a user's names mean, and what columns they have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress

from mainstem.contract.inspector import Inspector
from mainstem.ddl.naming import near_names
from mainstem.engine.endpoint import Endpoint
from mainstem.errors import InvalidError, NotFoundError
from mainstem.model.names import TableId
from mainstem.model.run import ALL_SCHEMAS, RunOptions
from mainstem.model.schema import Column, Table


def selected(inspector: Inspector, source: Endpoint, options: RunOptions) -> list[TableId] | None:
    """The tables to read, or None for all of them; `NotFoundError` for a name that means none."""
    names = [item.name for item in options.tables if not item.query]
    if not names and not options.exclude:
        return None if not options.tables else []
    found = present(inspector, source, options)
    excluded = {found.get(name) for name in options.exclude}
    if not names:
        return [table for table in found.tables if table not in excluded]
    return [table for name in names if (table := found.get(name)) not in excluded]


def present_columns(source: Endpoint, tables: Sequence[TableId]) -> dict[TableId, tuple[Column, ...]]:
    """The columns that those of the tables have now that are there."""
    found: list[Table] = []
    with source.spec.inspector(source.settings) as inspector:
        try:
            found += inspector.catalog(tables).tables if tables else ()
        except NotFoundError:  # of one that is gone: the others by themselves
            for table in tables:
                with suppress(NotFoundError):
                    found += inspector.catalog([table]).tables
    return {table.id: table.columns for table in found}


def shape(columns: Iterable[Column]) -> list[tuple[object, ...]]:
    """What of columns matters to whoever reads their rows."""
    return [
        (column.name, column.native, column.nullable, column.charset, column.generated is not None)
        for column in columns
    ]


def present(inspector: Inspector, source: Endpoint, options: RunOptions) -> Present:
    """What the source has, as far as it must be known to tell what the options name."""
    schemas = options.source_schemas if source.spec.has_schemas else ()
    found = Present(source.schema, inspector.tables(schemas))
    names = [item.name for item in options.tables if not item.query]
    if any(found.find(name) is None for name in (*names, *options.exclude)):
        # a view that is named, or a table with its schema
        every = inspector.tables((*schemas, ALL_SCHEMAS), every=True)
        found = Present(source.schema, every, found.tables)
    return found


class Present:
    """Tables by the names that a user may write.

    Args:
        schema: what a name without one means first.
        found: everything that may be named.
        tables: what is copied when nothing is named; None is all of it.
    """

    def __init__(self, schema: str, found: Sequence[TableId], tables: Sequence[TableId] | None = None) -> None:
        self.tables = list(found if tables is None else tables)
        self._schema = schema
        self._found = {(table.schema, table.name): table for table in found}
        self._by_name: dict[str, list[TableId]] = {}
        for table in self.tables:
            self._by_name.setdefault(table.name, []).append(table)

    def find(self, name: str) -> TableId | None:
        """In the own schema, in the one before a point, or where there is only one of that name."""
        found = self._found.get((self._schema, name))
        for place, letter in enumerate(name):
            if found is None and letter == ".":
                found = self._found.get((name[:place], name[place + 1 :]))
        alone = self._by_name.get(name, ())
        return found or (alone[0] if len(alone) == 1 else None)

    def get(self, name: str) -> TableId:
        """The same; `NotFoundError` if there is none."""
        table = self.find(name)
        if table is None:
            raise NotFoundError(
                f"table {name} does not exist in {self._schema}{self.near(name)}",
                remedy="check the spelling (names are case-sensitive) and that the login may see it",
                table=name,
            )
        return table

    def near(self, name: str) -> str:
        """Names that were perhaps meant, as the end of a message."""
        return near_names(name, [known for table in self._found.values() for known in (table.name, str(table))])


def check_schemas(inspector: Inspector, source: Endpoint, target: Endpoint, options: RunOptions) -> None:
    """`InvalidError` for a schema that is not there, or where a system has none."""
    for field, names, needed in (
        ("sourceSchemas", options.source_schemas, (source,)),
        ("schemaNames", options.schema_names, (source, target)),
    ):
        unable = [end.spec.title for end in needed if not end.spec.has_schemas]
        if names and unable:
            problem = f"a database of {unable[0]} holds no schemas"
            raise InvalidError(f"{field}: {problem}", fields={field: problem}, remedy="leave it out")
        if names:
            _check_there(field, names, inspector.schemas())


def _check_there(field: str, names: Iterable[str], there: Sequence[str]) -> None:
    for name in names:
        if name not in (*there, ALL_SCHEMAS):
            problem = f"the source has no schema {name}{near_names(name, there)}"
            raise InvalidError(
                f"{field}: {problem}", fields={field: problem}, remedy="correct it: names are case-sensitive"
            )
