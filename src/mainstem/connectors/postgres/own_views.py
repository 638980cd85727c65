"""Materialized views, which only another PostgreSQL has."""

from __future__ import annotations

from mainstem.connectors.postgres.keys import Names
from mainstem.connectors.postgres.literals import string
from mainstem.contract.dialect import Rendered
from mainstem.model.names import TableId
from mainstem.model.plan import Phase, Statement
from mainstem.model.schema import View


def create_materialized(names: Names, id_: TableId, query: str, view: View) -> Rendered:
    """The view and its indexes, then its rows: a query that fails leaves an empty view behind, and a report."""
    qualified, object_ = names.qualified(id_), str(id_)
    options = f" {view.options}" if view.options else ""
    made = [f"CREATE MATERIALIZED VIEW {qualified}{options} AS\n{query}\nWITH NO DATA"]
    for index in view.indexes:
        sql = f"CREATE {'UNIQUE ' * index.unique}INDEX {names.quote(index.name)} ON {qualified} {index.definition}"
        if index.comment:
            name = names.qualified(TableId(id_.schema, index.name))
            sql += f";\nCOMMENT ON INDEX {name} IS {string(index.comment)}"
        made.append(sql)
    if view.populated:
        made.append(f"REFRESH MATERIALIZED VIEW {qualified}")
    statements = [Statement(Phase.VIEWS, sql, object_, optional=True) for sql in made]
    if view.comment:
        comment = f"COMMENT ON MATERIALIZED VIEW {qualified} IS {string(view.comment)}"
        statements.append(Statement(Phase.COMMENTS, comment, object_, optional=True))
    return Rendered(tuple(statements))
