"""Sizes of tables, from the catalog alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

from mainstem.contract.inspector import TableSize
from mainstem.model.names import TableId

# A partitioned table has no rows of its own: its leaves are summed up. -1 stands for "never analysed".
_SIZES = (
    "SELECT n.nspname, c.relname, s.rows, s.bytes, s.indexes,"
    " (SELECT count(*) FROM pg_catalog.pg_attribute a"
    " WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),"
    " EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)"
    " FROM unnest(%s::text[], %s::text[]) AS wanted(schema, name)"
    " JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema"
    " JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name"
    " CROSS JOIN LATERAL ("
    "SELECT CASE WHEN bool_or(l.reltuples < 0) THEN NULL ELSE sum(l.reltuples)::bigint END AS rows,"
    " coalesce(sum(pg_catalog.pg_table_size(l.oid)), 0)::bigint AS bytes,"
    " coalesce(sum(pg_catalog.pg_indexes_size(l.oid)), 0)::bigint AS indexes FROM pg_catalog.pg_class l"
    " WHERE CASE WHEN c.relkind = 'p' THEN l.relkind = 'r'"
    " AND l.oid IN (SELECT relid FROM pg_catalog.pg_partition_tree(c.oid)) ELSE l.oid = c.oid END) AS s"
)


def read_sizes(connection: psycopg.Connection[Any], tables: Sequence[TableId]) -> list[TableSize]:
    """These tables in their order; one that has gone meanwhile is left out."""
    names = [table.schema for table in tables], [table.name for table in tables]
    found = {
        TableId(schema, name): TableSize(TableId(schema, name), rows, bytes_, indexes, columns, keyed)
        for schema, name, rows, bytes_, indexes, columns, keyed in connection.execute(_SIZES.encode(), names)
    }
    return [found[table] for table in tables if table in found]
