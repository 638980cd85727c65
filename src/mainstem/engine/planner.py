"""What a run would do, found out without touching either side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mainstem.contract.dialect import TargetDialect, Unchecked
from mainstem.contract.inspector import TableStatus
from mainstem.contract.network import same_host
from mainstem.ddl.plan import build_plan, sequences_there
from mainstem.ddl.references import ordered
from mainstem.engine.denied import denied, left, told, without
from mainstem.engine.endpoint import Endpoint
from mainstem.engine.existing import collisions, fitted, kept, suspects, triggers
from mainstem.engine.present import check_schemas, selected
from mainstem.errors import DeniedError, InvalidError, NotFoundError, SchemaConflictError
from mainstem.model.names import TableId, listed
from mainstem.model.plan import MigrationPlan, Statement
from mainstem.model.run import Mode, RunOptions, SchemaPolicy, WriteMode
from mainstem.model.schema import Catalog, Column, Table


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan with what it was made from.

    Attributes:
        catalog: of the source, the selected tables.
        existing: the tables that the target has already.
    """

    plan: MigrationPlan
    catalog: Catalog
    existing: Mapping[TableId, TableStatus]


def make_plan(source: Endpoint, target: Endpoint, options: RunOptions) -> MigrationPlan:
    """The plan of `look`."""
    return look(source, target, options).plan


def look(source: Endpoint, target: Endpoint, options: RunOptions) -> Planned:
    """What a run would do, found out without touching either side.

    Raises:
        ConnectError: a side cannot be reached.
        NotFoundError: a selected table does not exist.
        InvalidError: a query that isn't one SELECT, or source and target are the same place.
        SchemaConflictError: the target holds something that the schema policy or the write mode forbids.
    """
    check_roles(source, target, options)
    schemas = options.source_schemas if source.spec.has_schemas else ()
    with source.spec.inspector(source.settings) as inspector:
        check_schemas(inspector, source, target, options)
        queries = {item.name: inspector.query_columns(item.query) for item in options.tables if item.query}
        tables = selected(inspector, source, options)
        wanted = inspector.tables(schemas) if tables is None else tables
        denials = denied(inspector, wanted, options)
        if denials:
            tables, options = [table for table in wanted if table not in denials], left(options, denials)
        asked = bool(tables) or tables is None
        # between two systems of one kind a type is what it is, whatever the rows hold
        # … and rows that are still to come may differ from those that are there
        evidence = source.spec.name != target.spec.name and options.mode is Mode.CONVERT
        catalog = inspector.catalog(tables, evidence=evidence, schemas=schemas) if asked else Catalog(())
    if denials and not catalog.tables and not queries:
        raise DeniedError(told(denials), remedy=next(iter(denials.values())).remedy)
    if not catalog.tables and not queries:
        raise NotFoundError(
            f"{source.settings.label} holds no tables to copy",
            remedy="check the connection's database and schema, and the selection",
        )
    with target.spec.inspector(target.settings) as inspector:
        dialect = inspector.target_dialect()
        if dialect is None:
            raise InvalidError(f"{target.spec.title} cannot be a target yet")
        plan = without(_build(catalog, source, target, dialect, options, queries, {}), denials)
        _refuse_same(plan, source, target)
        existing = inspector.table_status([table.target for table in plan.tables])
        held = kept(inspector, existing, options)
    there = {table.id: table for table in held.tables}
    if options.schema_policy is SchemaPolicy.DROP_AND_RECREATE and options.structure.tables:
        return Planned(_checked_keys(plan, catalog, {}, source, dialect, options), catalog, {})
    _check_existing(plan, existing, options)
    if existing:
        plan = without(_build(catalog, source, target, dialect, options, queries, existing), denials)
        plan = fitted(plan, there, source.spec.dialect, dialect)
        once = options.mode is Mode.CONVERT  # a stream's writers check nothing where they may, and not all is copied
        if not options.skip_data and (once or dialect.unchecked is Unchecked.NEVER):
            plan = ordered(plan, there, dialect, strict=once)
        plan = replace(plan, report=(*plan.report, *triggers(plan, held, options, dialect)))
    return Planned(_checked_keys(plan, catalog, there, source, dialect, options), catalog, existing)


def _checked_keys(
    plan: MigrationPlan,
    catalog: Catalog,
    there: Mapping[TableId, Table],
    source: Endpoint,
    dialect: TargetDialect,
    options: RunOptions,
) -> MigrationPlan:
    """The plan, if no keys of different rows become equal on the target; the source is asked only where they might."""
    keys = [] if options.skip_data else suspects(plan, catalog.tables, there, source.spec.dialect, dialect)
    if not keys:
        return plan
    with source.spec.inspector(source.settings) as inspector:
        return replace(plan, report=(*plan.report, *collisions(inspector, keys, options)))


def check_roles(source: Endpoint, target: Endpoint, options: RunOptions | None = None) -> None:
    """`InvalidError` unless the one can be read, the other written, and they are two places.

    Args:
        options: may name other schemas than the connections do; which tables would be copied onto themselves is then
            only known from the plan.
    """
    options = options or RunOptions()
    named = bool(options.source_schemas or options.schema_names)
    if not named and _same_database(source, target) and source.schema == (options.target_schema or target.schema):
        raise _same_place()
    if source.spec.source is None:
        raise InvalidError(
            f"{source.spec.title} cannot be a source yet",
            fields={"source": f"{source.spec.title} cannot be a source yet"},
            remedy="choose a MySQL, MariaDB or PostgreSQL connection as the source",
        )
    if target.spec.target is None:
        raise InvalidError(
            f"{target.spec.title} cannot be a target yet",
            fields={"target": f"{target.spec.title} cannot be a target yet"},
            remedy="choose a MySQL, MariaDB or PostgreSQL connection as the target",
        )


def _same_database(source: Endpoint, target: Endpoint) -> bool:
    one, other = source.settings, target.settings
    same = source.spec.name == target.spec.name and (one.port, one.database) == (other.port, other.database)
    return same and same_host(one.host, other.host)


def _refuse_same(plan: MigrationPlan, source: Endpoint, target: Endpoint) -> None:
    """`InvalidError` when a table would be copied onto itself."""
    if _same_database(source, target) and any(table.source == table.target for table in plan.tables):
        raise _same_place()


def _same_place() -> InvalidError:
    return InvalidError(
        "source and target are the same place",
        fields={"target": "is the same host, port, database and schema as the source"},
        remedy="choose another database or schema as the target",
    )


def _build(
    catalog: Catalog,
    source: Endpoint,
    target: Endpoint,
    dialect: TargetDialect,
    options: RunOptions,
    queries: Mapping[str, tuple[Column, ...]],
    existing: Mapping[TableId, TableStatus],
) -> MigrationPlan:
    return build_plan(
        catalog, options, source.spec.dialect, dialect, options.target_schema or target.schema, queries,
        existing=existing, source_schema=source.schema if source.spec.has_schemas else "",
        apart=source.spec.has_schemas and target.spec.has_schemas,
    )  # fmt: skip


def _check_existing(plan: MigrationPlan, existing: Mapping[TableId, TableStatus], options: RunOptions) -> None:
    names = sorted(str(table) for table in existing)
    policy = options.schema_policy if options.structure.tables else SchemaPolicy.VALIDATE
    if policy is SchemaPolicy.FAIL_IF_EXISTS and names:
        raise SchemaConflictError(
            f"the target has tables of these names already: {listed(names)}",
            remedy="choose another schema, or schemaPolicy create_missing_only, validate_existing or drop_and_recreate",
            setting="schemaPolicy",
        )
    missing = sorted(str(table.target) for table in plan.tables if table.target not in existing)
    if policy is SchemaPolicy.VALIDATE and missing:
        raise SchemaConflictError(
            f"the target lacks these tables: {listed(missing)}",
            remedy="create them, or let createStructure (schemaPolicy create_missing_only) do it",
            setting="schemaPolicy",
        )
    filled = sorted(str(table) for table, status in existing.items() if not status.empty)
    if options.write_mode is WriteMode.FAIL_IF_NOT_EMPTY and filled and not options.skip_data:
        raise SchemaConflictError(
            f"the target has rows already in {listed(filled)}",
            remedy="empty them, or choose writeMode append, truncate_and_load or upsert",
            setting="writeMode",
        )


def sequences(source: Endpoint, target: Endpoint, options: RunOptions, tables: Sequence[TableId]) -> list[Statement]:
    """What sets the target's sequences that stand alone to the source's next values, as they are now."""
    schemas = options.source_schemas if source.spec.has_schemas else ()
    with source.spec.inspector(source.settings) as inspector:
        catalog = inspector.catalog(tables, schemas=schemas)
    if not any(item.owner is None for item in catalog.sequences):
        return []
    with target.spec.inspector(target.settings) as inspector:
        dialect = inspector.target_dialect()
    if dialect is None:
        return []
    found = sequences_there(
        catalog, options, source.spec.dialect, dialect, options.target_schema or target.schema,
        source.schema if source.spec.has_schemas else "", source.spec.has_schemas and target.spec.has_schemas,
    )  # fmt: skip
    return [statement for item in found for statement in dialect.set_sequence(item).statements]
