"""What types of the source have got of which no log tells: labels of an enum, attributes, checks that are gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from mainstem.contract.dialect import TargetDialect
from mainstem.ddl.grown import Grown, grown, types_of
from mainstem.ddl.narrowing import keeps_labels
from mainstem.ddl.placement import Placement
from mainstem.engine.endpoint import Endpoint
from mainstem.errors import NotFoundError
from mainstem.model.names import TableId
from mainstem.model.run import RunOptions
from mainstem.model.schema import Catalog, Column, NativeObject
from mainstem.model.types import Kind


@dataclass(slots=True)
class Behind:
    """A table's types in the source against what is known of them, and what the target has.

    Attributes:
        columns: the known layout with the labels that its enums have now.
    """

    columns: tuple[Column, ...]
    grown: Grown = field(default_factory=Grown)


@dataclass(frozen=True, slots=True)
class TypesBehind:
    """Asks both sides."""

    source: Endpoint
    target: Endpoint
    options: RunOptions

    def look(self, table: TableId, place: TableId, layout: Sequence[Column]) -> Behind | None:
        """None where the table is gone from either side. Raises as inspectors do.

        Args:
            table, place: the table in the source, and on the target.
        """
        try:
            with self.source.spec.inspector(self.source.settings) as inspector:
                catalog = inspector.catalog([table])
            now = {column.name: column for item in catalog.tables if item.id == table for column in item.columns}
            columns = tuple(_with_labels(column, now.get(column.name)) for column in layout)
            own = types_of(catalog, table)
            return Behind(columns, self._grown(catalog, own, table, place) if own else Grown())
        except NotFoundError:
            return None

    def _grown(self, catalog: Catalog, own: Sequence[NativeObject], table: TableId, place: TableId) -> Grown:
        """What the target's types need to hold what the source's do; nothing where its system has others."""
        with self.target.spec.inspector(self.target.settings) as inspector:
            dialect = inspector.target_dialect()
            if dialect is None or dialect.sql_name != self.source.spec.dialect.sql_name:
                return Grown()
            placement = self._placement(dialect)
            schemas = dict.fromkeys(placement.schema(item.id.schema) for item in own)
            there = inspector.catalog([place], schemas=tuple(schemas)).objects
        return grown(catalog, there, table, place, placement, dialect)

    def _placement(self, dialect: TargetDialect) -> Placement:
        source, target, options = self.source, self.target, self.options
        apart = source.spec.has_schemas and target.spec.has_schemas
        return Placement(
            dialect.names, options.target_schema or target.schema, source.schema if source.spec.has_schemas else "",
            options.schema_names, apart,
        )  # fmt: skip


def _with_labels(column: Column, now: Column | None) -> Column:
    """The column with the labels that its enum has now, if they are only more."""
    if now is None or now.native != column.native or column.type.kind is not Kind.ENUM:
        return column
    return replace(column, type=now.type) if keeps_labels(column.type, now.type) else column
