"""`Endpoint`: a system to work on."""

from __future__ import annotations

from dataclasses import dataclass

from mainstem.contract.spec import ConnectorSpec
from mainstem.model.connection import ConnectionSettings


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A system to work on: its connector and how to reach it."""

    spec: ConnectorSpec
    settings: ConnectionSettings

    @property
    def schema(self) -> str:
        """Where its tables are: the schema, or the database where the system has no schemas."""
        if self.spec.has_schemas:
            return self.settings.schema or self.spec.default_schema
        return self.settings.database
