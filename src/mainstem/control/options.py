"""From a checked config of either shape to a `StreamDefinition`. Pure: no server, no store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mainstem.control.change_options import changes_of, mode_of
from mainstem.control.config_body import (
    CONVERT,
    DatabaseTarget,
    EarlyConfig,
    EarlyTable,
    FlagOrWord,
    LaterConfig,
    LaterConnection,
    LaterTable,
    Limits,
    Ours,
    StructureParts,
    StructureWord,
    Wishes,
    read_config,
)
from mainstem.control.validation import invalid
from mainstem.errors import InvalidError
from mainstem.model.config import REPLICATION_RETRY_S, StreamDefinition
from mainstem.model.run import (
    ChangeOptions,
    Mode,
    RunOptions,
    SchemaPolicy,
    StructureOptions,
    TableSelection,
    WriteMode,
)

MIN_BUNDLE, MAX_BUNDLE = 10, 1000
_NONE_OF_IT = StructureOptions(tables=False, indexes=False, foreign_keys=False, checks=False, views=False)
_LATER_DEFAULTS = {
    Mode.CONVERT: (SchemaPolicy.FAIL_IF_EXISTS, WriteMode.FAIL_IF_NOT_EMPTY),
    Mode.CDC: (SchemaPolicy.CREATE_MISSING, WriteMode.UPSERT),
}
_EARLY_DEFAULTS = {
    Mode.CONVERT: (SchemaPolicy.CREATE_MISSING, WriteMode.APPEND),
    Mode.CDC: (SchemaPolicy.CREATE_MISSING, WriteMode.UPSERT),
}
_DEFAULTS = RunOptions()


def options_of(config: Mapping[str, Any], *, sql_dialect: str = "") -> RunOptions:
    """The options that a config of either shape stands for; what names source and target is not looked at.

    Args:
        sql_dialect: the source's name in sqlglot; needed for row filters.

    Raises:
        InvalidError: naming every field that is wrong.
    """
    return definition_of(config, sql_dialect=sql_dialect).options


def definition_of(config: Mapping[str, Any], *, sql_dialect: str = "") -> StreamDefinition:
    """The whole meaning of a config; see `options_of`."""
    read = read_config(config)
    return _later(read, sql_dialect) if isinstance(read, LaterConfig) else _early(read, sql_dialect)


def reporting_interval_s(config: EarlyConfig | LaterConfig) -> int:
    """Seconds between two reports; of two intervals the shorter one that is not 0."""
    intervals = config.reporting_intervals if isinstance(config, EarlyConfig) else None
    named = [value for value in (intervals.source, intervals.target) if value is not None] if intervals else []
    if named:
        return min((value for value in named if value), default=0)
    return _DEFAULTS.reporting_interval_s if config.reporting_interval is None else config.reporting_interval


def _early(config: EarlyConfig, sql_dialect: str) -> StreamDefinition:
    changes, mode = changes_of(config), mode_of(config)
    tables = config.tables or (config.filter.tables if config.filter else None) or []
    selections = tuple(_early_selection(table) for table in tables)
    _check_selections([("tables", selections)], config.where, sql_dialect)
    schema_policy, write_mode = _EARLY_DEFAULTS[mode]
    structure, policy = _structure(config.structure_options, config.schema_policy, schema_policy)
    if config.structure_options is None and (config.create_structure is False or config.no_create_tables):
        structure = _NONE_OF_IT
    if config.skip_index_creation or config.no_create_indexes:
        structure = _without_indexes(structure)
    options = _options(
        config,
        tables=selections,
        structure=structure,
        schema_policy=policy,
        write_mode=config.write_mode or write_mode,
        skip_data=bool(config.skip_data),
        batch_rows=config.data_bundle_size or 0,
        limits=config.limits,
        interval=reporting_interval_s(config),
    )
    options = _in_mode(options, mode, changes, config)
    return StreamDefinition(config.mode or CONVERT, config.source or "", config.target or "", options)


def _early_selection(table: EarlyTable) -> TableSelection:
    return replace(
        _wished(table),
        query=_query(table.query),
        columns=tuple(table.columns or ()),
        skip_indexes=bool(table.skip_index_creation or table.no_create_indexes),
    )


def _wished(table: Wishes) -> TableSelection:
    """What both shapes say of a table."""
    return TableSelection(
        table.name,
        exclude_columns=tuple(table.exclude_columns or ()),
        where=(table.where or "").strip(),
        target=table.target or "",
        renames=dict(table.renames or {}),
    )


def _later(config: LaterConfig, sql_dialect: str) -> StreamDefinition:
    connection = _only_connection(config)
    changes, mode = changes_of(config), mode_of(config)
    target = _database_target(config)
    path = "source.connections[0]"
    tables = _later_tables(connection, sql_dialect)
    queries = tuple(TableSelection(item.name, query=_query(item.query)) for item in connection.queries or [])
    _check_selections([(f"{path}.tables", tables), (f"{path}.queries", queries)], config.where, sql_dialect)
    schema_policy, write_mode = _LATER_DEFAULTS[mode]
    structure, policy = _structure(target.structure_options, target.schema_policy, schema_policy)
    if target.skip_index_creation:
        structure = _without_indexes(structure)
    bundle, warnings = _clamped(config.source.options.data_bundle_size if config.source.options else None)
    options = _options(
        config,
        tables=tables + queries,
        structure=structure,
        schema_policy=policy,
        write_mode=target.write_mode or write_mode,
        skip_data=bool(target.skip_data),
        batch_rows=bundle,
        limits=config.limits,
        interval=reporting_interval_s(config),
        target_schema=target.schema_name or "",
    )
    return StreamDefinition(
        config.mode or CONVERT,
        connection.connection_id or "",
        config.target.id or "",
        _in_mode(options, mode, changes, config),
        source_database=connection.database or "",
        source_schema=connection.schema_name or "",
        target_database=target.database or "",
        warnings=warnings,
    )


def _only_connection(config: LaterConfig) -> LaterConnection:
    connections = config.source.connections
    if len(connections) > 1:
        raise invalid({"source.connections": "must hold one connection; several sources are not supported yet"})
    for kind in ("s3", "files"):
        if getattr(connections[0], kind) is not None:
            raise invalid({f"source.connections[0].{kind}": "is not supported yet; use tables or queries"})
    return connections[0]


def _database_target(config: LaterConfig) -> DatabaseTarget:
    spec = config.target.spec
    if spec is None:
        return DatabaseTarget()
    for kind in ("files", "s3", "gcs", "azure", "snowflake"):
        if getattr(spec, kind) is not None:
            raise invalid({f"target.spec.{kind}": "is not supported yet; use db"})
    return spec.db or spec.database or DatabaseTarget()


def _later_tables(connection: LaterConnection, sql_dialect: str) -> tuple[TableSelection, ...]:
    problems: dict[str, str] = {}
    selections = []
    for number, table in enumerate(connection.tables or []):
        try:
            selections.append(_later_selection(table, sql_dialect))
        except ValueError as exc:
            name, _, problem = str(exc).partition(" ")
            problems[f"source.connections[0].tables[{number}].selection.{name}"] = problem
    if problems:
        raise invalid(problems)
    return tuple(selections)


def _later_selection(table: LaterTable, sql_dialect: str) -> TableSelection:
    wished = replace(_wished(table), skip_indexes=bool(table.skip_index_creation))
    selection = table.selection
    if selection is None:
        return wished
    if selection.limit:
        raise ValueError("limit is not supported; use limits.numberOfEvents, or a query with LIMIT")
    filtered = ""
    if selection.filters:
        from mainstem.control.filters import condition_of  # with a parser that is large

        filtered = condition_of(selection.filters, sql_dialect)
    conditions = [item for item in (filtered, wished.where) if item]
    return replace(
        wished,
        columns=tuple(selection.selected_columns or ()),
        where=" AND ".join(f"({item})" for item in conditions) if len(conditions) > 1 else "".join(conditions),
    )


def _structure(
    parts: StructureParts | None, policy: SchemaPolicy | None, default: SchemaPolicy
) -> tuple[StructureOptions, SchemaPolicy]:
    """A schema policy of its own outweighs what the older words of ``structureOptions`` say."""
    if parts is None:
        return StructureOptions(), policy or default
    by_word = {StructureWord.CREATE: SchemaPolicy.CREATE_MISSING, StructureWord.FAIL: SchemaPolicy.FAIL_IF_EXISTS}
    worded = by_word.get(parts.tables) if isinstance(parts.tables, StructureWord) else None
    structure = StructureOptions(
        tables=_wanted(parts.tables),
        indexes=_wanted(parts.indexes),
        foreign_keys=_wanted(parts.foreign_keys),
        checks=_wanted(parts.check_constraints),
        views=_wanted(parts.views),
    )
    return structure, policy or worded or default


def _wanted(part: FlagOrWord | None) -> bool:
    return part is not False and part is not StructureWord.DISABLED


def _without_indexes(structure: StructureOptions) -> StructureOptions:
    return StructureOptions(structure.tables, False, structure.foreign_keys, structure.checks, structure.views)


def _clamped(size: int | None) -> tuple[int, tuple[str, ...]]:
    if size is None:
        return 0, ()
    fitting = min(max(size, MIN_BUNDLE), MAX_BUNDLE)
    if fitting == size:
        return size, ()
    return fitting, (f"dataBundleSize {size} is outside {MIN_BUNDLE} to {MAX_BUNDLE}; {fitting} is used",)


def _options(
    ours: Ours,
    *,
    tables: tuple[TableSelection, ...],
    structure: StructureOptions,
    schema_policy: SchemaPolicy,
    write_mode: WriteMode,
    skip_data: bool,
    batch_rows: int,
    limits: Limits | None,
    interval: int,
    target_schema: str = "",
) -> RunOptions:
    errors = ours.row_errors
    return RunOptions(
        tables=tables,
        exclude=tuple(ours.exclude or ()),
        structure=structure,
        schema_policy=schema_policy,
        write_mode=write_mode,
        skip_data=skip_data,
        batch_rows=batch_rows,
        max_rows=limits.rows if limits else 0,
        max_seconds=(limits.elapsed_time or 0) if limits else 0,
        row_errors=errors.policy if errors and errors.policy else _DEFAULTS.row_errors,
        row_error_limit=errors.limit if errors and errors.limit is not None else _DEFAULTS.row_error_limit,
        zero_dates=ours.zero_dates or _DEFAULTS.zero_dates,
        nul_text=ours.nul_text or _DEFAULTS.nul_text,
        special_values=ours.special_values or _DEFAULTS.special_values,
        denied=ours.denied or _DEFAULTS.denied,
        type_overrides=dict(ours.type_overrides or {}),
        renames=dict(ours.renames or {}),
        exclude_columns=tuple(ours.exclude_columns or ()),
        filters={name: condition.strip() for name, condition in (ours.where or {}).items()},
        source_schemas=tuple(ours.source_schemas or ()),
        schema_names=dict(ours.schema_names or {}),
        target_schema=target_schema,
        jobs=ours.jobs or _DEFAULTS.jobs,
        memory_bytes=ours.memory_mb * 1024 * 1024 if ours.memory_mb else _DEFAULTS.memory_bytes,
        reporting_interval_s=interval,
        retry_seconds=_DEFAULTS.retry_seconds if ours.retry_seconds is None else float(ours.retry_seconds),
    )


def _in_mode(options: RunOptions, mode: Mode, changes: ChangeOptions, ours: Ours) -> RunOptions:
    """The options with what mode cdc has beside; it has no copy without rows, but may leave out the whole copy."""
    if mode is Mode.CONVERT:
        return options
    waits_s = REPLICATION_RETRY_S if ours.retry_seconds is None else ours.retry_seconds
    return replace(options, mode=mode, changes=changes, skip_data=False, retry_seconds=float(waits_s))


def _check_selections(
    groups: Sequence[tuple[str, Sequence[TableSelection]]], conditions: Mapping[str, str] | None, sql_dialect: str
) -> None:
    problems = dict(_problems(groups, sql_dialect))
    for name, condition in (conditions or {}).items():
        if problem := condition_problem(condition, sql_dialect):
            problems[f"where.{name}"] = problem
    if problems:
        raise invalid(problems)


def _problems(groups: Sequence[tuple[str, Sequence[TableSelection]]], sql_dialect: str) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for path, selections in groups:
        for number, selection in enumerate(selections):
            if selection.name in seen:
                yield f"{path}[{number}].name", "is there twice"
            seen.add(selection.name)
            problem = _query_problem(selection.query, sql_dialect) if selection.query else ""
            if problem:
                yield f"{path}[{number}].query", problem
            for name, wrong in _query_extras(selection) if selection.query else ():
                yield f"{path}[{number}].{name}", wrong
            if selection.where and not selection.query and (problem := condition_problem(selection.where, sql_dialect)):
                yield f"{path}[{number}].where", problem


def _query_extras(selection: TableSelection) -> Iterator[tuple[str, str]]:
    """Members that a query cannot have: it says itself which rows and columns it returns."""
    given = {"columns": selection.columns, "excludeColumns": selection.exclude_columns, "where": selection.where}
    return ((name, "cannot stand beside a query; write it into the query") for name, value in given.items() if value)


def condition_problem(condition: str, sql_dialect: str) -> str:
    """Why a text is not one condition of the dialect; empty when it is, or when the dialect is not known."""
    if not sql_dialect:
        return ""
    from mainstem.contract.selects import check_condition  # its parser is large

    try:
        check_condition(condition, sql_dialect)
    except InvalidError as exc:
        return f"must be one condition: {exc.fields['where']}"
    return ""


def _query_problem(query: str, sql_dialect: str) -> str:
    """Why a query is not one plain SELECT; empty when it is, or when the dialect is not known."""
    if not sql_dialect:
        return ""
    from mainstem.contract.selects import check_select

    try:
        check_select(query, sql_dialect)
    except InvalidError as exc:
        return f"must be one SELECT statement: {exc.fields['query']}"
    return ""


def _query(text: str | None) -> str:
    """A query as it is run: clients' editors end statements with a semicolon."""
    return (text or "").strip().rstrip(";").rstrip()
