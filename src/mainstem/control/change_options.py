"""What a config of mode cdc means beside `options`, and what it must not ask for. Pure: no server, no store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic.alias_generators import to_camel

from mainstem.control.config_body import (
    CDC,
    DatabaseTarget,
    EarlyConfig,
    EarlySettings,
    LaterConfig,
    LaterTable,
    OfCdc,
    Operations,
    SourceOptions,
    Wishes,
)
from mainstem.control.validation import invalid
from mainstem.model.run import ChangeOptions, Mode, SchemaPolicy, SnapshotPolicy, WriteMode

_DEFAULTS = ChangeOptions()
_NO_CONDITION = "cannot be in mode cdc, whose rows may change from meeting it to not meeting it; use mode convert"
_NO_QUERY = "cannot be in mode cdc: the log tells of tables; use mode convert"


@dataclass(frozen=True, slots=True)
class Words:
    """What a shape says in words of its own, with the paths under which it was sent.

    Attributes:
        positions: path → position.
        conditions, queries: paths at which rows are chosen.
        write_mode, schema_policy, skip_data: path and value.
    """

    operations: Operations | None = None
    table_operations: dict[str, tuple[str, ...]] = field(default_factory=dict)
    slot: str = ""
    publication: str = ""
    positions: Mapping[str, str] = field(default_factory=dict)
    conditions: tuple[str, ...] = ()
    queries: tuple[str, ...] = ()
    write_mode: tuple[str, WriteMode | None] = ("writeMode", None)
    schema_policy: tuple[str, SchemaPolicy | None] = ("schemaPolicy", None)
    skip_data: tuple[str, bool] = ("skipData", False)


def mode_of(config: EarlyConfig | LaterConfig) -> Mode:
    """The mode, whichever word stands for it."""
    return Mode.CDC if config.mode == CDC else Mode.CONVERT


def changes_of(config: EarlyConfig | LaterConfig) -> ChangeOptions:
    """The options of mode cdc; the defaults in mode convert.

    Raises:
        InvalidError: naming every field that the mode does not have, or that contradicts another.
    """
    words = _early_words(config) if isinstance(config, EarlyConfig) else _later_words(config)
    replicates = mode_of(config) is Mode.CDC
    problems = dict(_problems(config, words) if replicates else _out_of_place(config))
    if problems:
        raise invalid(problems)
    if not replicates:
        return _DEFAULTS
    positions = {path: _plain(value) for path, value in words.positions.items()}
    return ChangeOptions(
        snapshot=config.snapshot or _snapshot(words),
        position=next(iter(positions.values()), ""),
        operations=_applied(words.operations) or _DEFAULTS.operations,
        table_operations=words.table_operations,
        soft_delete=config.soft_delete or "",
        row_errors=config.on_change_error or _DEFAULTS.row_errors,
        schema_changes=config.schema_changes or _DEFAULTS.schema_changes,
        slot=words.slot,
        publication=words.publication,
        server_id=config.server_id or _DEFAULTS.server_id,
        max_lag_s=_DEFAULTS.max_lag_s if config.max_lag_seconds is None else config.max_lag_seconds,
        max_silence_s=_DEFAULTS.max_silence_s if config.max_silence_seconds is None else config.max_silence_seconds,
        alert_url=config.alert_url or "",
        lock_timeout_s=_DEFAULTS.lock_timeout_s if config.lock_timeout_seconds is None else config.lock_timeout_seconds,
        partitions=config.partitions or _DEFAULTS.partitions,
    )


def _snapshot(words: Words) -> SnapshotPolicy:
    """What is copied when the config does not say."""
    if words.schema_policy[1] is SchemaPolicy.DROP_AND_RECREATE:
        return SnapshotPolicy.ALWAYS
    return SnapshotPolicy.NEVER if words.positions or words.skip_data[1] else _DEFAULTS.snapshot


def applied(names: list[str]) -> tuple[str, ...]:
    """Operations as `ChangeOptions` has them: whoever wants DELETE wants TRUNCATE, which deletes every row."""
    return tuple(dict.fromkeys([*names, *(["truncate"] if "delete" in names else [])]))


def _applied(operations: Operations | None) -> tuple[str, ...]:
    return applied([operation.value for operation in operations or ()])


def _plain(position: str) -> str:
    """A position without white space, which clients put into long GTID sets."""
    return "".join(position.split())


def _problems(config: OfCdc, words: Words) -> Iterator[tuple[str, str]]:
    yield from ((path, _NO_CONDITION) for path in words.conditions)
    yield from ((path, _NO_QUERY) for path in words.queries)
    path, write_mode = words.write_mode
    if write_mode not in (None, WriteMode.UPSERT):
        yield path, "must be upsert in mode cdc; snapshot says which tables are copied first"
    path, policy = words.schema_policy
    keeps = config.snapshot in (SnapshotPolicy.AUTO, SnapshotPolicy.NEVER) or words.positions or words.skip_data[1]
    if policy is SchemaPolicy.DROP_AND_RECREATE and keeps:
        yield path, "drops every table, which must be copied then: it needs snapshot always"
    copies = config.snapshot in (SnapshotPolicy.AUTO, SnapshotPolicy.ALWAYS)
    path, skips = words.skip_data
    if copies and skips:
        yield path, f"contradicts snapshot {config.snapshot}"
    if copies and words.positions:
        told = f"contradicts snapshot {config.snapshot}, which begins where its copy was made"
        yield from ((path, told) for path in words.positions)
    if len({_plain(value) for value in words.positions.values()}) > 1:
        yield from ((path, f"differs from {other}") for path, other in [tuple(words.positions)])
    deletes = any("delete" in names for names in [_applied(words.operations), *words.table_operations.values()])
    if config.soft_delete and words.operations and not deletes:
        yield "softDelete", "contradicts operations, which leave deletes out"


def _out_of_place(config: OfCdc) -> Iterator[tuple[str, str]]:
    for name in OfCdc.model_fields:
        if getattr(config, name) is not None:
            yield to_camel(name), "means something in mode cdc only"


def _early_words(config: EarlyConfig) -> Words:
    tables = config.tables or (config.filter.tables if config.filter else None) or []
    older = config.settings or EarlySettings()
    return Words(
        operations=config.operations,
        table_operations=_by_table(tables),
        slot=config.replication_slot_name or older.replication_slot_name or "",
        publication=config.publication_name or older.publication_name or "",
        positions={"position": config.position} if config.position else {},
        conditions=(*_conditions(config.where), *_with("tables", tables, "where")),
        queries=tuple(_with("tables", tables, "query")),
        write_mode=("writeMode", config.write_mode),
        schema_policy=("schemaPolicy", config.schema_policy),
        skip_data=("skipData", bool(config.skip_data)),
    )


def _later_words(config: LaterConfig) -> Words:
    connection = config.source.connections[0]
    path = "source.connections[0]"
    options = config.source.options or SourceOptions()
    spec = config.target.spec
    target = (spec and (spec.db or spec.database)) or DatabaseTarget()
    given = {"position": config.position, "source.options.binlogPosition": options.binlog_position}
    tables = connection.tables or []
    return Words(
        operations=options.operations,
        table_operations=_by_table(tables),
        slot=options.replication_slot or "",
        publication=options.publication_name or "",
        positions={name: value for name, value in given.items() if value},
        conditions=(*_conditions(config.where), *_with(f"{path}.tables", tables, "where"), *_filters(path, tables)),
        queries=tuple(f"{path}.queries[{number}]" for number in range(len(connection.queries or []))),
        write_mode=("target.spec.db.writeMode", target.write_mode),
        schema_policy=("target.spec.db.schemaPolicy", target.schema_policy),
        skip_data=("target.spec.db.skipData", bool(target.skip_data)),
    )


def _by_table(tables: Sequence[Wishes]) -> dict[str, tuple[str, ...]]:
    return {table.name: _applied(table.operations) for table in tables if table.operations}


def _conditions(where: Mapping[str, str] | None) -> Iterator[str]:
    return (f"where.{name}" for name in where or {})


def _with(path: str, tables: Sequence[Wishes], member: str) -> Iterator[str]:
    """The paths of a member of tables, where it is not empty."""
    return (f"{path}[{number}].{member}" for number, table in enumerate(tables) if getattr(table, member))


def _filters(path: str, tables: list[LaterTable]) -> Iterator[str]:
    for number, table in enumerate(tables):
        if table.selection and table.selection.filters:
            yield f"{path}.tables[{number}].selection.filters"
