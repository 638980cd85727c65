"""pg_catalog of some schemas → `Catalog`, by a fixed number of queries however many tables there are.

They run in one transaction with an empty search path, so that every expression and definition comes with the names of
user's objects qualified, whoever asks; `renaming` then knows them. Source: PostgreSQL manual, "System Catalogs".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import psycopg

from mainstem.connectors.postgres import catalog_keys, catalog_objects, catalog_tables, catalog_types, catalog_views
from mainstem.connectors.postgres.ask import Ask
from mainstem.connectors.postgres.client import translating
from mainstem.connectors.postgres.dependencies import Dependencies
from mainstem.connectors.postgres.sequences import read_sequences
from mainstem.errors import NotFoundError
from mainstem.model.names import TableId
from mainstem.model.schema import Catalog, OtherObject, Table, TableKind


def read_catalog(
    connection: psycopg.Connection[Any], schemas: Sequence[str], tables: Sequence[TableId] | None
) -> Catalog:
    """All that these schemas hold; with ``tables`` only these tables, with their partitions, beside all the rest.

    Raises:
        NotFoundError: naming the tables that do not exist.
    """
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        connection.execute("SET LOCAL search_path = ''")
        return _read(Ask(connection, tuple(schemas)), tables)


def list_tables(connection: psycopg.Connection[Any], schemas: Sequence[str], *, every: bool) -> list[TableId]:
    """Tables of these schemas, sorted; with ``every`` also views and foreign tables."""
    kinds = ["r", "p", *("f", "v", "m") * every]
    with translating():
        rows = connection.execute(_NAMES, {"schemas": list(schemas), "kinds": kinds}).fetchall()
    return [TableId(schema, name) for schema, name in rows]


_NAMES = (
    "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = ANY(%(schemas)s) AND c.relkind = ANY(%(kinds)s) AND NOT c.relispartition"
    " AND c.relpersistence <> 't'"
    " AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend x WHERE x.classid = 'pg_catalog.pg_class'::pg_catalog.regclass"
    " AND x.objid = c.oid AND x.deptype = 'e') ORDER BY n.nspname, c.relname"
)


def _read(ask: Ask, tables: Sequence[TableId] | None) -> Catalog:
    chosen = _choose(catalog_tables.relations(ask), tables, ask.schemas)
    oids = list(chosen)
    types = catalog_types.read_types(ask)
    sequences = read_sequences(ask)
    columns = catalog_tables.columns(ask, oids, types, sequences)
    sizes = catalog_tables.sizes(ask, oids)
    memos = catalog_tables.memos(ask, chosen)
    keys = catalog_keys.read_keys(ask, oids)
    counters = {item.sequence.owner: item.sequence for item in sequences if item.sequence.owner}
    built = []
    for oid, table in chosen.items():
        counter = counters.get(table.id)
        table = keys.settle(oid, replace(table, columns=tuple(columns[oid]), bytes_estimate=sizes.get(oid, 0)))
        next_value = counter.next_value if counter else None
        built.append(replace(table, identity_next=next_value, memo=memos.get(oid, "")))
    dependencies = Dependencies.read(ask)
    return Catalog(
        tables=tuple(_summed(built)),
        views=tuple(catalog_views.read_views(ask, dependencies)),
        sequences=tuple(item.sequence for item in sequences if not item.internal),
        objects=tuple(catalog_objects.read_objects(ask, types, dependencies, oids)),
        others=(
            *catalog_objects.read_others(ask),
            *(OtherObject("sequence_value", item.sequence.id) for item in sequences if item.hidden),
        ),
    )


def _choose(found: Mapping[int, Table], tables: Sequence[TableId] | None, schemas: Sequence[str]) -> dict[int, Table]:
    """The wanted relations with their partitions; a partition that is wanted without its parent is a plain table."""
    by_id = {table.id: oid for oid, table in found.items()}
    if tables is None:
        wanted = {table.id for table in found.values() if table.kind in _WITH_ROWS and table.id.schema in schemas}
    else:
        wanted = {replace(table, schema=table.schema or schemas[0]) for table in tables}
        missing = [str(table) for table in tables if replace(table, schema=table.schema or schemas[0]) not in by_id]
        if missing:
            names = ", ".join(missing)
            raise NotFoundError(f"no such table: {names}", remedy="correct the names", table=names)
    whole = wanted | _partitions(found.values(), wanted)
    chosen = {}
    for oid, table in found.items():
        if table.id in whole:
            alone = table.kind is TableKind.PARTITION and table.partition_of not in whole
            chosen[oid] = replace(table, kind=_alone(table), partition_of=None, partition_bound="") if alone else table
    return chosen


_WITH_ROWS = (TableKind.TABLE, TableKind.PARTITIONED)


def _alone(table: Table) -> TableKind:
    return TableKind.PARTITIONED if table.partition_key else TableKind.TABLE


def _partitions(tables: Iterable[Table], roots: set[TableId]) -> set[TableId]:
    """All partitions below these tables."""
    children = defaultdict[TableId, list[TableId]](list)
    for table in tables:
        if table.partition_of is not None:
            children[table.partition_of].append(table.id)
    found, waiting = set[TableId](), list(roots)
    while waiting:
        for child in children.get(waiting.pop(), ()):
            found.add(child)
            waiting.append(child)
    return found


def _summed(tables: Sequence[Table]) -> Iterator[Table]:
    """Partitioned tables get the estimates of all their partitions."""
    parents = {table.id: table.partition_of for table in tables}
    rows, sizes = defaultdict[TableId, int](int), defaultdict[TableId, int](int)
    for table in tables:
        id_ = table.partition_of if not table.partition_key else None
        while id_ is not None:
            rows[id_] += table.rows_estimate
            sizes[id_] += table.bytes_estimate
            id_ = parents.get(id_)
    for table in tables:
        if table.id in rows:
            yield replace(table, rows_estimate=rows[table.id], bytes_estimate=sizes[table.id])
        else:
            yield table
