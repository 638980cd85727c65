"""Looks at both sides before a stream starts: named findings, each with its remedy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from mainstem.contract.dialect import NameRules
from mainstem.contract.inspector import Finding, Inspector, Role
from mainstem.ddl.overrides import splits
from mainstem.ddl.placement import Placement
from mainstem.engine.denied import wanted
from mainstem.engine.endpoint import Endpoint
from mainstem.engine.present import Present, check_schemas, present
from mainstem.errors import InvalidError
from mainstem.model.names import TableId
from mainstem.model.plan import Severity
from mainstem.model.run import Mode, RunOptions, SnapshotPolicy, TableSelection, WriteMode
from mainstem.tasks import together


class PreflightError(InvalidError):
    """At least one finding forbids the start."""

    code = "preflight"

    def __init__(self, findings: list[RoleFinding]) -> None:
        first = findings[0]
        told = "; ".join(f"{item.role}: {item.finding.message}" for item in findings)
        super().__init__(f"the stream cannot start: {told}", remedy=first.finding.remedy)
        self.details = {"findings": [finding_json(item) for item in findings]}


class UnknownTableError(InvalidError):
    """A table that was named is not in the source."""


MAX_ANY = 2**16  # a name of any length
_DOUBLING = (WriteMode.APPEND, WriteMode.UPSERT)


@dataclass(frozen=True, slots=True)
class RoleFinding:
    """A finding and the side that it is about."""

    role: Role
    finding: Finding


def finding_json(item: RoleFinding) -> dict[str, str]:
    """A finding as the API tells it."""
    finding = item.finding
    return {
        "role": item.role.value,
        "check": finding.check,
        "severity": finding.severity.value,
        "message": finding.message,
        "remedy": finding.remedy,
    }


def look(source: Endpoint, target: Endpoint, options: RunOptions) -> list[RoleFinding]:
    """All findings of both sides.

    Raises:
        ConnectError: a side cannot be reached.
        InvalidError: a selected table or schema does not exist, a query is not one SELECT, or the source does not take
            a condition.
    """
    _check_mode(source, target, options)
    with source.spec.inspector(source.settings) as inspector:
        check_schemas(inspector, source, target, options)
        tables = _selected(inspector, source, options)
        asked = spelled_out(options, tables) if options.tables or options.exclude else options
        there = places_of(tables, source, target, options)

        def at_target() -> tuple[Inspector, list[Finding]]:
            opened = stack.enter_context(target.spec.inspector(target.settings))
            return opened, opened.preflight(Role.TARGET, for_target(options, there))

        with ExitStack() as stack:
            at_source, (other, more) = together(lambda: inspector.preflight(Role.SOURCE, asked), at_target)
            found = [RoleFinding(Role.SOURCE, finding) for finding in at_source]
            found += [RoleFinding(Role.TARGET, finding) for finding in more]
            if options.mode is Mode.CDC:
                found += [*_not_copied(other, there, options), *_apart(options)]
            elif options.write_mode in _DOUBLING and not options.skip_data:
                found += _doubling(inspector, other, there, options, options.target_schema or target.schema)
    return found


def _check_mode(source: Endpoint, target: Endpoint, options: RunOptions) -> None:
    if options.mode is Mode.CDC:
        for end, can, told in (
            (source, source.spec.changes, "the source"),
            (target, target.spec.applies, "the target"),
        ):
            if can is None:
                problem = f"cannot be cdc: {end.spec.title} cannot be {told} of a replication"
                raise InvalidError(problem, fields={"mode": problem}, remedy="use mode convert")


def _apart(options: RunOptions) -> list[RoleFinding]:
    """Changes that are applied in parts tear transactions."""
    if options.changes.partitions < 2:
        return []
    told = "changes are applied in parts: what the source committed at once, in tables of several parts, is seen apart"
    remedy = "set partitions to 1 where readers of the target need whole transactions"
    return [RoleFinding(Role.TARGET, Finding("tgt.parts", Severity.WARNING, told, remedy))]


def _not_copied(target: Inspector, there: Mapping[TableId, TableId], options: RunOptions) -> list[RoleFinding]:
    """Tables that have rows already, which `SnapshotPolicy.AUTO` takes for copied: what they miss stays missing."""
    if options.changes.snapshot is not SnapshotPolicy.AUTO:
        return []
    filled = [there[table] for table, status in target.table_status([*there]).items() if not status.empty]
    if not filled:
        return []
    told = f"{', '.join(map(str, filled))}: the target has rows already, so that only changes from now on are applied"
    remedy = "if these rows are not what the source has now, set snapshot to always, or re-sync the tables later"
    return [RoleFinding(Role.TARGET, Finding("tgt.not_copied", Severity.WARNING, told, remedy))]


def check(source: Endpoint, target: Endpoint, options: RunOptions) -> list[RoleFinding]:
    """The findings, none of them an error; `PreflightError` when one is."""
    found = look(source, target, options)
    errors = [item for item in found if item.finding.severity is Severity.ERROR]
    if errors:
        raise PreflightError(errors)
    return found


def _selected(inspector: Inspector, source: Endpoint, options: RunOptions) -> list[TableId]:
    """The tables that will be read; checks that those named are there, and that queries are what they should be."""
    there = present(inspector, source, options)
    names = [item.name for item in options.tables if not item.query]
    problems = {
        f"tables.{name}": f"there is no table {name} in {source.schema}{there.near(name)}"
        for name in [*names, *options.exclude]
        if there.find(name) is None
    }
    if problems:
        raise UnknownTableError(
            "; ".join(problems.values()),
            fields=problems,
            remedy="names are case-sensitive; GET /connections/{id}/tables lists them",
        )
    _check_keys(options, there)
    for item in options.tables:
        if item.query:
            _check_query(inspector, item)
    _check_conditions(inspector, source, options, there)
    excluded = {there.get(name) for name in options.exclude}
    return [table for table in (map(there.get, names) if options.tables else there.tables) if table not in excluded]


def spelled_out(options: RunOptions, tables: Sequence[TableId]) -> RunOptions:
    """The options with every table of the selection under its full name, so that nobody else has to look for it."""
    queries = (item for item in options.tables if item.query)
    return replace(options, tables=(*wanted(tables, options).values(), *queries), exclude=())


def places_of(
    tables: Iterable[TableId], source: Endpoint, target: Endpoint, options: RunOptions
) -> dict[TableId, TableId]:
    """Target → source: where each table will go, but for names that the target must have shortened."""
    placement = Placement(
        NameRules(MAX_ANY),
        options.target_schema or target.schema,
        source.schema if source.spec.has_schemas else "",
        options.schema_names,
        source.spec.has_schemas and target.spec.has_schemas,
    )
    found = {}
    for table, selection in wanted(tables, options).items():
        renamed = next((options.renames[key] for key in (str(table), table.name) if key in options.renames), "")
        name = selection.target or renamed or table.name
        found[TableId(placement.schema(table.schema), name)] = table
    return found


def for_target(options: RunOptions, there: Iterable[TableId]) -> RunOptions:
    """The options with the selection as the target will have it: it is asked about these tables and no others."""
    queries = (item for item in options.tables if item.query)
    return replace(options, tables=(*(TableSelection(str(table)) for table in there), *queries), exclude=())


def _check_query(inspector: Inspector, item: TableSelection) -> None:
    try:
        inspector.query_columns(item.query)
    except InvalidError as exc:
        problem = exc.fields.get("query", exc.message)
        raise InvalidError(
            f"table {item.name}: {exc.message}", fields={f"tables.{item.name}.query": problem}, remedy=exc.remedy
        ) from exc


def _check_keys(options: RunOptions, there: Present) -> None:
    """Each table that is named beside the selection is there; its columns are the plan's to look up."""
    queries = {item.name for item in options.tables if item.query}
    keys = {
        f"{member}.{key}": key
        for member, named in (
            ("renames", options.renames), ("excludeColumns", options.exclude_columns), ("where", options.filters)
        )
        for key in named
    }  # fmt: skip
    problems = {
        field: f"there is no table of this name{there.near(key)}"
        for field, key in keys.items()
        if not any(name in queries or there.find(name) for name in (key, *(table for table, _ in splits(key))))
    }
    if problems:
        told = "; ".join(f"{field}: {problem}" for field, problem in problems.items())
        raise InvalidError(told, fields=problems, remedy="names are case-sensitive, and those of the source")


def _check_conditions(inspector: Inspector, source: Endpoint, options: RunOptions, there: Present) -> None:
    """Have the server say whether it takes the conditions on rows; which tables they mean is the plan's to decide."""
    conditions = [
        (f"tables.{item.name}.where", item.name, item.where) for item in options.tables if item.where and not item.query
    ]
    conditions += [(f"where.{name}", name, condition) for name, condition in options.filters.items()]
    for field, name, condition in conditions:
        table = there.find(name)
        if table is None:
            continue
        try:
            inspector.query_columns(f"SELECT 1 AS a FROM {source.spec.dialect.qualified(table)} WHERE ({condition}\n)")
        except InvalidError as exc:
            problem = exc.fields.get("query", exc.message)
            raise InvalidError(
                f"the condition on {name} is refused: {problem}", fields={field: problem},
                remedy="write it in the source's SQL, with its columns",
            ) from exc  # fmt: skip


def _doubling(
    source: Inspector, target: Inspector, there: Mapping[TableId, TableId], options: RunOptions, schema: str
) -> list[RoleFinding]:
    """Tables and queries whose rows would come a second time, because the target has some and no key tells them apart.

    A warning for append, where a unique key refuses them at least; an error for upsert, which goes by primary key.
    """
    upsert = options.write_mode is WriteMode.UPSERT
    queries = {TableId(schema, item.name): item.name for item in options.tables if item.query}
    filled = [table for table, status in target.table_status([*there, *queries]).items() if not status.empty]
    named = [there[table] for table in filled if table in there]
    keyless = [queries[table] for table in filled if table in queries]
    for table in source.catalog(named).tables if named else ():
        unique = not upsert and any(index.unique for index in table.indexes)
        if table.id in named and not table.primary_key and not unique:
            keyless.append(str(table.id))
    check, severity, key = (
        ("upsert.no_key", Severity.ERROR, "primary key")
        if upsert
        else ("append.no_key", Severity.WARNING, "unique key")
    )
    told = f"has no {key} and its target has rows already; rows that are there would come a second time"
    remedy = "empty the target table, or set writeMode to truncate_and_load"
    return [RoleFinding(Role.TARGET, Finding(check, severity, f"{name} {told}", remedy)) for name in keyless]
