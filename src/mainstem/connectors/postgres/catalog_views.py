"""Views and materialized views, each after those that it uses."""

from __future__ import annotations

from typing import Any

from mainstem.connectors.postgres.ask import Ask, not_of_extension
from mainstem.connectors.postgres.catalog_keys import read_keys
from mainstem.connectors.postgres.dependencies import Dependencies
from mainstem.model.names import TableId
from mainstem.model.schema import View

_VIEWS = f"""
SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relkind = 'm' AS materialized, pg_get_viewdef(c.oid) AS query,
    c.relispopulated AS populated, c.reloptions AS options, coalesce(obj_description(c.oid, 'pg_class'), '') AS comment,
    m.amname AS method
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_am m ON m.oid = c.relam
WHERE n.nspname = ANY(%(schemas)s) AND c.relkind IN ('v', 'm') AND {not_of_extension("pg_class", "c.oid")}
ORDER BY n.nspname, c.relname
"""
_OF_CHECK = "check_option="
_INVOKER = {"security_invoker=true", "security_invoker=on", "security_invoker=1"}


def read_views(ask: Ask, dependencies: Dependencies) -> list[View]:
    """All views of the schemas."""
    rows = {row.oid: row for row in ask.rows(_VIEWS)}
    keys = read_keys(ask, [oid for oid, row in rows.items() if row.materialized])
    order = dependencies.order(("relation", oid) for oid in rows)
    return [_view(rows[oid], tuple(keys.indexes[oid]), dependencies.uses(oid)) for _, oid in order]


def _view(row: Any, indexes: tuple[Any, ...], uses: tuple[TableId, ...]) -> View:
    options = list(row.options or ())
    check = next((option.removeprefix(_OF_CHECK) for option in options if option.startswith(_OF_CHECK)), "")
    rest = [option for option in options if not option.startswith(_OF_CHECK)]
    return View(
        TableId(row.schema, row.name),
        row.query.strip().removesuffix(";"),
        check_option=check.upper(),
        invoker=bool(_INVOKER & set(options)),
        materialized=row.materialized,
        indexes=indexes,
        comment=row.comment,
        populated=row.populated,
        options=" ".join(
            ([f"USING {row.method}"] if row.method not in (None, "heap") else [])
            + ([f"WITH ({', '.join(rest)})"] if rest else [])
        ),
        uses=uses,
    )
