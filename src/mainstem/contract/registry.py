"""Finds connectors: the entry points of group ``mainstem.connectors``, ours and other packages' alike."""

from __future__ import annotations

from importlib.metadata import entry_points

from mainstem.contract.spec import ConnectorSpec
from mainstem.errors import InvalidError


class Registry:
    """Connectors by name and alias."""

    def __init__(self, specs: list[ConnectorSpec]) -> None:
        self.specs = sorted(specs, key=lambda spec: spec.name)
        self._by_name = {name: spec for spec in specs for name in (spec.name, *spec.aliases)}

    @classmethod
    def installed(cls) -> Registry:
        """All connectors that are installed."""
        return cls([point.load() for point in entry_points(group="mainstem.connectors")])

    def find(self, name: str) -> ConnectorSpec:
        """The connector of a name or alias, case-folded; `InvalidError` names those there are."""
        spec = self._by_name.get(name.strip().lower())
        if spec is None:
            known = ", ".join(sorted(self._by_name))
            raise InvalidError(
                f"unknown connection type {name!r}",
                fields={"type": f"unknown type {name!r}; known types: {known}"},
                remedy=f"use one of: {known}",
            )
        return spec
