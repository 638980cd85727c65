"""Types of the target that become what the source's have become: by themselves where that only adds to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mainstem.connectors.postgres import enums
from mainstem.connectors.postgres.alter import Names
from mainstem.connectors.postgres.literals import string
from mainstem.contract.dialect import Rendered
from mainstem.errors import PlanError
from mainstem.model.plan import Phase, Statement
from mainstem.model.schema import NativeObject

Parts = tuple[tuple[str, str], ...]


def grow_object(names: Names, object_: NativeObject, there: NativeObject) -> Rendered:
    """See `contract.dialect.TargetDialect.grow_object`."""
    grow = _KINDS.get(object_.kind)
    if grow is None or object_.parts == there.parts:
        return Rendered()
    made = grow(names, names.qualified(there.id), object_.parts, there.parts)
    return Rendered(tuple(Statement(Phase.SCHEMA, sql, str(there.id)) for sql in made))


def _enum(names: Names, sql: str, wanted: Parts, there: Parts) -> Iterable[str]:
    """A label never goes: one that the source does not have any more has another name there."""
    labels, known = [label for label, _ in wanted], [label for label, _ in there]
    added = enums.add(sql, labels, known)
    gone = [label for label in known if label not in labels]
    if not gone or not added:
        return added
    renamed = [(old, new) for old, new in zip(known, labels, strict=False) if old != new]
    if len(known) == len(labels):
        added = [f"ALTER TYPE {sql} RENAME VALUE {string(old)} TO {string(new)}" for old, new in renamed]
    raise PlanError(f"labels of the type {sql} have other names in the source now", remedy="; ".join(added))


def _composite(names: Names, sql: str, wanted: Parts, there: Parts) -> Iterable[str]:
    """Attributes are added behind all others; values that are there have none of them, as in the source."""
    added = [f"ALTER TYPE {sql} ADD ATTRIBUTE {names.quote(name)} {type_}" for name, type_ in wanted[len(there) :]]
    if wanted[: len(there)] == there:
        return added
    kept = tuple(part for part in there if part in wanted)
    new = tuple(part for part in wanted if part not in there)
    told = f"the type {sql} has other attributes in the source now"
    if (*kept, *new) != wanted:
        raise PlanError(f"{told}, in another order; drop its tables and the type on the target, to have them made anew")
    dropped = [f"ALTER TYPE {sql} DROP ATTRIBUTE {names.quote(name)}" for name, _ in there if (name, _) not in wanted]
    added = [f"ALTER TYPE {sql} ADD ATTRIBUTE {names.quote(name)} {type_}" for name, type_ in new]
    raise PlanError(told, remedy="; ".join([*dropped, *added]))


def _domain(names: Names, sql: str, wanted: Parts, there: Parts) -> Iterable[str]:
    """A check that is there and not in the source may refuse what the source takes; the other way round all is well."""
    gone = [part for part in there if part not in wanted]
    if not gone:
        return ()
    run = []
    for name, _ in gone:
        run.append(f"ALTER DOMAIN {sql} DROP {f'CONSTRAINT {names.quote(name)}' if name else 'NOT NULL'}")
    run += [
        f"ALTER DOMAIN {sql} ADD CONSTRAINT {names.quote(name)} {check}"
        for name, check in wanted
        if name and (name, check) not in there
    ]
    raise PlanError(f"the domain {sql} has other checks in the source now", remedy="; ".join(run))


_KINDS: dict[str, Callable[[Names, str, Parts, Parts], Iterable[str]]] = {
    "enum": _enum, "composite": _composite, "domain": _domain,
}  # fmt: skip
