"""`Endpoint`: a system to work on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from mainstem.contract.spec import ConnectorSpec
from mainstem.errors import MainstemError
from mainstem.model.connection import ConnectionSettings


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A system to work on: its connector and how to reach it.

    Attributes:
        fresh: how it is reached by now, for work that outlives a change of its address or password; None: as it was.
    """

    spec: ConnectorSpec
    settings: ConnectionSettings
    fresh: Callable[[], ConnectionSettings] | None = field(default=None, compare=False, repr=False)

    def renewed(self) -> Endpoint:
        """The same system as it is reached by now; as before, where nobody can tell."""
        try:
            return self if self.fresh is None else replace(self, settings=self.fresh())
        except MainstemError:
            return self

    @property
    def schema(self) -> str:
        """Where its tables are: the schema, or the database where the system has no schemas."""
        if self.spec.has_schemas:
            return self.settings.schema or self.spec.default_schema
        return self.settings.database
