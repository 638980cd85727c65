"""Types of the user's own, between two systems of one kind: what the target's need to hold all that the source's do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from mainstem.contract.dialect import TargetDialect
from mainstem.ddl.evolution import RUN
from mainstem.ddl.placement import Placement
from mainstem.errors import PlanError
from mainstem.model.names import TableId
from mainstem.model.schema import Catalog, NativeObject

_KINDS = ("enum", "composite", "domain", "range")


@dataclass(slots=True)
class Grown:
    """What is to be done.

    Attributes:
        types: of the source, that the statements are about.
        statements: for the target; they only add.
        obstacles: what only people can do, each with what to run.
    """

    types: list[str] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)
    obstacles: list[str] = field(default_factory=list)


def types_of(source: Catalog, table: TableId) -> list[NativeObject]:
    """The types that a table needs."""
    return [item for item in source.objects if item.kind in _KINDS and table in item.needed_by]


def grown(
    source: Catalog, there: Iterable[NativeObject], table: TableId, place: TableId, placement: Placement,
    target: TargetDialect,
) -> Grown:  # fmt: skip
    """For a table's types.

    Args:
        source: its objects are looked at.
        there: the target's.
        table, place: the table in the source, and on the target.
    """
    own = types_of(source, table)
    if not own:
        return Grown()
    places = {item.id: TableId(placement.schema(item.id.schema), item.id.name) for item in own}
    moved = target.relocate(replace(Catalog(()), objects=tuple(own)), {**places, table: place}).objects
    known = {(item.kind, item.id): item for item in there}
    found = Grown()
    for item in moved:
        other = known.get((item.kind, places[item.id]))
        try:
            if other is None:
                made = target.create_object(item, needed=True, only_missing=True)
            else:
                made = target.grow_object(item, other)
        except PlanError as exc:
            found.obstacles.append(f"{exc.message}{f': {RUN}{exc.remedy}' if exc.remedy else ''}")
            continue
        if made.statements:
            found.types.append(str(item.id))
        found.statements += [statement.sql for statement in made.statements]
    return found
