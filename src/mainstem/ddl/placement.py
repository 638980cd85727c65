"""Where each thing of the source goes on the target: its schema there, and its name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mainstem.contract.dialect import NameRules
from mainstem.ddl.naming import Names
from mainstem.model.names import TableId


@dataclass(slots=True)
class Placement:
    """Gives out places, each once.

    Attributes:
        rules: what may be a name on the target.
        target_schema: where everything of the source's own schema goes, and all that has no schema.
        source_schema: the source's own; empty when it is the only one.
        schema_names: source schema → target schema, by the user's wish.
        apart: another schema of the source keeps its name; else all of them go into one, and a name that is taken is
            written with its schema before it.
    """

    rules: NameRules
    target_schema: str
    source_schema: str = ""
    schema_names: Mapping[str, str] = field(default_factory=dict)
    apart: bool = False
    _names: dict[str, Names] = field(default_factory=dict)
    _given: dict[str, set[str]] = field(default_factory=dict)

    def schema(self, source: str) -> str:
        """The target's schema for one of the source."""
        if not self.apart and self.source_schema:
            return self.target_schema
        wished = self.schema_names.get(source)
        if wished:
            return wished
        return source if self.apart and source not in ("", self.source_schema) else self.target_schema

    def names(self, schema: str) -> Names:
        """The names of a schema of the target."""
        return self._names.setdefault(schema, Names(self.rules, folds=self.rules.folds_tables))

    def reserve(self, source: TableId, name: str) -> TableId:
        """The place that the user wishes for something."""
        schema = self.schema(source.schema)
        self.names(schema).reserve(name)
        return TableId(schema, name)

    def place(self, source: TableId) -> TableId:
        """A place of its own: under its own name, if that can be had."""
        schema = self.schema(source.schema)
        given = self._given.setdefault(schema, set())
        wanted = source.name
        key = wanted.lower() if self.rules.folds_tables else wanted
        if key in given and source.schema not in ("", self.source_schema) and not self.apart:
            wanted = f"{source.schema}_{source.name}"
        given.add(key)
        return TableId(schema, self.names(schema)(wanted))
