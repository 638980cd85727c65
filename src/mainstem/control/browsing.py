"""The explorer: looks into databases, and changes their rows. Every call opens a connection and closes it."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any

from mainstem.contract.browse import RELATIONS, Browser, ObjectInfo, ObjectKind, Relation, RowQuery
from mainstem.contract.inspector import Inspector
from mainstem.contract.registry import Registry
from mainstem.control.exports import Format
from mainstem.control.freshness import CACHED_S, Freshness
from mainstem.control.validation import invalid
from mainstem.ddl.plan import build_plan
from mainstem.errors import NotFoundError, PlanError, StatementError
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from mainstem.model.plan import Phase
from mainstem.model.run import RunOptions
from mainstem.model.schema import Catalog, Table
from mainstem.model.shown import CutText, ShownBytes, ShownCell

READ_S = 30.0
_CACHED_MOST = 32
_SHOWN_PHASES = (Phase.TABLES, Phase.KEYS, Phase.COMMENTS)
WHOLE_CELL = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Cached:
    """A JSON document; ``hit``: it was made earlier."""

    body: bytes
    etag: str
    hit: bool


@dataclass(frozen=True, slots=True)
class Structure:
    """All about one table or view.

    Attributes:
        table: its keys and indexes; None for what is no table.
        ddl: the statements that would make it.
    """

    relation: Relation
    table: Table | None
    ddl: str


class Explorer:
    """Browses the systems behind connections."""

    def __init__(self, registry: Registry, freshness: Freshness, clock: Callable[[], float] = time.monotonic) -> None:
        self._registry, self._freshness = registry, freshness
        self._clock = clock
        self._lock = threading.Lock()
        self._cache: OrderedDict[object, tuple[float, str, Cached]] = OrderedDict()

    @contextmanager
    def browse(self, settings: ConnectionSettings, database: str, seconds: float = READ_S) -> Iterator[Browser]:
        """A browser of a database whose statements take at most so long (0 is no limit)."""
        spec = self._registry.find(settings.type)
        if spec.browser is None:
            raise invalid({"type": f"{spec.title} cannot be browsed"})
        with spec.browser(replace(settings, database=database or settings.database)) as browser:
            browser.limit(seconds)
            yield browser

    def place(self, settings: ConnectionSettings, database: str, schema: str, name: str) -> TableId:
        """What a table's name means: where there are no schemas, the database stands in their place."""
        spec = self._registry.find(settings.type)
        if not spec.has_schemas:
            return TableId(database or settings.database, name)
        return TableId(schema or settings.schema or spec.default_schema, name)

    def qualified(self, settings: ConnectionSettings, id_: TableId) -> str:
        """A name in the system's own SQL."""
        return self._registry.find(settings.type).dialect.qualified(id_)

    def structure(self, settings: ConnectionSettings, database: str, id_: TableId) -> Structure:
        """Columns, keys, indexes and DDL of a table or view."""
        with self.browse(settings, database) as browser:
            relation = browser.relation(id_)
            ddl = browser.definition(relation.kind, id_)
        if relation.kind not in RELATIONS:
            return Structure(relation, None, ddl)
        with self._inspector(settings, database, id_.schema) as inspector:
            try:
                catalog = inspector.catalog([id_])
            except (NotFoundError, PlanError):  # a system table, or one with a type that is not known
                return Structure(relation, None, ddl)
            table = next((table for table in catalog.tables if table.id == id_), None)
            return Structure(relation, table, ddl or self._ddl(settings, inspector, catalog, id_))

    def catalog(self, settings: ConnectionSettings, database: str, schemas: Sequence[str]) -> Catalog:
        """The structure of schemas; of the connection's own if none is named."""
        with self._inspector(settings, database) as inspector:
            return inspector.catalog(schemas=schemas)

    def cached(
        self, settings: ConnectionSettings, key: object, make: Callable[[], dict[str, Any]], *, refresh: bool
    ) -> Cached:
        """A document of a system that may be up to a minute old; with ``refresh`` it is made anew, on all servers."""
        now = self._clock()
        key = settings, key
        mark = self._freshness.changed(settings) if refresh else self._freshness.mark(settings)
        with self._lock:
            found = self._cache.get(key)
        if found is not None and (not mark or found[1] == mark) and not refresh and now - found[0] < CACHED_S:
            return replace(found[2], hit=True)
        body = json.dumps(make(), ensure_ascii=False, separators=(",", ":")).encode()
        made = Cached(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"', hit=False)
        with self._lock:
            self._cache[key] = (now, mark, made)
            self._cache.move_to_end(key)
            while len(self._cache) > _CACHED_MOST:
                self._cache.popitem(last=False)
        return made

    def objects(
        self, settings: ConnectionSettings, database: str, schemas: Sequence[str], *, include_system: bool
    ) -> list[ObjectInfo]:
        """What a database holds."""
        with self.browse(settings, database) as browser:
            return browser.objects(schemas, include_system=include_system)

    def definition(
        self, settings: ConnectionSettings, database: str, kind: ObjectKind, id_: TableId, signature: str
    ) -> str:
        """The SQL that makes an object."""
        if kind in RELATIONS:
            return self.structure(settings, database, id_).ddl
        with self.browse(settings, database) as browser:
            return browser.definition(kind, id_, signature)

    def export(
        self, settings: ConnectionSettings, database: str, id_: TableId, query: RowQuery, form: Format
    ) -> Iterator[bytes]:
        """A file of rows, piece by piece; what is wrong with the query is raised before the first piece."""
        with self.browse(settings, database, 0) as browser:
            relation = browser.relation(id_)
            rows = browser.rows(relation, replace(query, max_cell=WHOLE_CELL))
            columns = [column for name in query.columns if (column := relation.column(name))] or relation.columns
            begun = list(islice(rows, 1))  # the server looks at the query before anything is sent
            whole = (tuple(map(_whole, row)) for row in chain(begun, rows))
            yield from form.write([column.name for column in columns], [column.shown for column in columns], whole)

    def cell(self, settings: ConnectionSettings, database: str, id_: TableId, query: RowQuery) -> Iterator[bytes]:
        """One value, piece by piece."""
        with self.browse(settings, database) as browser:
            yield from browser.cell(browser.relation(id_), query)

    def _inspector(self, settings: ConnectionSettings, database: str, schema: str = "") -> Inspector:
        spec = self._registry.find(settings.type)
        place = replace(settings, database=database or settings.database)
        return spec.inspector(replace(place, schema=schema) if schema and spec.has_schemas else place)

    def _ddl(self, settings: ConnectionSettings, inspector: Inspector, catalog: Catalog, id_: TableId) -> str:
        """The statements of a plan that would make this very table again."""
        spec, dialect = self._registry.find(settings.type), inspector.target_dialect()
        if dialect is None:
            return ""
        schema = id_.schema if spec.has_schemas else ""
        alone = replace(catalog, views=(), objects=tuple(item for item in catalog.objects if item.table == id_))
        try:
            plan = build_plan(alone, RunOptions(), spec.dialect, dialect, id_.schema, source_schema=schema, apart=True)
        except (PlanError, StatementError):
            return ""
        mine = [item.sql for item in plan.statements if item.phase in _SHOWN_PHASES and item.table == id_]
        for key in (key for table in catalog.tables if table.id == id_ for key in table.foreign_keys):
            made = dialect.create_foreign_key(id_, key, lambda wanted, space="": wanted)
            mine += [item.sql for item in made.statements]
        return "".join(f"{sql.rstrip().rstrip(';')};\n\n" for sql in mine).rstrip()


def _whole(cell: ShownCell) -> str | bytes | None:
    """What a cell holds, of which nothing was cut."""
    match cell:
        case ShownBytes(head, _):
            return head
        case CutText(text, _):
            return text
    return cell
