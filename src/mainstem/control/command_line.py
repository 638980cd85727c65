"""Options of a run as options of ``mainstem copy`` and ``mainstem replicate``; and what those cannot say. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mainstem.model.config import REPLICATION_RETRY_S
from mainstem.model.run import (
    Mode,
    RunOptions,
    SchemaPolicy,
    SnapshotPolicy,
    TableSelection,
    WriteMode,
)

COMMANDS = {Mode.CONVERT: "copy", Mode.CDC: "replicate"}
_DEFAULTS = {
    Mode.CONVERT: RunOptions(),
    Mode.CDC: RunOptions(
        schema_policy=SchemaPolicy.CREATE_MISSING, write_mode=WriteMode.UPSERT, retry_seconds=REPLICATION_RETRY_S,
        mode=Mode.CDC,
    ),
}  # fmt: skip
"""What each command means by no options at all."""


@dataclass(frozen=True, slots=True)
class Flags:
    """Options as arguments; ``reasons`` is what they leave unsaid, by the config's own words."""

    arguments: tuple[str, ...]
    reasons: tuple[str, ...]


def flags_of(options: RunOptions) -> Flags:
    """The arguments behind the two URLs."""
    plain, reasons = flattened(options)
    default = _DEFAULTS[options.mode]
    readers = [*_BOTH, *(_CHANGES if options.mode is Mode.CDC else _COPY)]
    arguments = [argument for read in readers for argument in read(plain, default)]
    return Flags(tuple(arguments), (*reasons, *_unsaid(plain, default)))


def flattened(options: RunOptions) -> tuple[RunOptions, tuple[str, ...]]:
    """The same options, with what tables of the selection have of their own said of them by name; and what cannot be.

    The command line has no other way to say it.
    """
    said = _Said(dict(options.renames), list(options.exclude_columns), dict(options.filters))
    reasons = [reason for item in options.tables for reason in said.take(item)]
    tables = tuple(TableSelection(item.name) for item in options.tables)
    flat = replace(
        options, tables=tables, renames=said.renames, exclude_columns=tuple(said.excluded), filters=said.filters
    )
    return flat, tuple(reasons)


@dataclass(slots=True)
class _Said:
    """What is said of tables by name."""

    renames: dict[str, str]
    excluded: list[str]
    filters: dict[str, str]

    def take(self, item: TableSelection) -> Iterator[str]:
        """Add what a table of the selection has of its own; what cannot be added is named."""
        if item.query:
            yield f"{item.name}: a query"
            return
        if item.columns:
            yield f"{item.name}: chosen columns"
        if item.skip_indexes:
            yield f"{item.name}: without indexes"
        renamed = {item.name: item.target} if item.target else {}
        renamed |= {f"{item.name}.{column}": name for column, name in item.renames.items()}
        wanted = {item.name: item.where} if item.where else {}
        if self.renames.keys() & renamed.keys() or self.filters.keys() & wanted.keys():
            yield f"{item.name}: said twice"
        self.renames |= renamed
        self.filters |= wanted
        self.excluded += [f"{item.name}.{column}" for column in item.exclude_columns]


def _option(flag: str, value: object) -> tuple[str, ...]:
    """A value that begins with a dash would be taken for an option."""
    text = str(value)
    return (f"{flag}={text}",) if text.startswith("-") else (flag, text)


_Read = Callable[[RunOptions, RunOptions], Iterable[str]]


def _scalar(flag: str, get: Callable[[RunOptions], object]) -> _Read:
    def read(options: RunOptions, default: RunOptions) -> Iterable[str]:
        value = get(options)
        return () if value == get(default) else _option(flag, value)

    return read


def _switch(flag: str, get: Callable[[RunOptions], bool]) -> _Read:
    return lambda options, _default: (flag,) if get(options) else ()


def _list(flag: str, get: Callable[[RunOptions], Sequence[str]]) -> _Read:
    return lambda options, _default: (part for value in get(options) for part in _option(flag, value))


def _map(flag: str, get: Callable[[RunOptions], Mapping[str, str]]) -> _Read:
    return lambda options, _default: (
        part for name, value in get(options).items() for part in _option(flag, f"{name}={value}")
    )


def _kinds(names: Sequence[str]) -> list[str]:
    """Whoever says delete says truncate."""
    return list(names[:-1] if "delete" in names and names[-1:] == ("truncate",) else names)


def _operations(options: RunOptions, default: RunOptions) -> Iterable[str]:
    wanted = options.changes.operations
    return () if wanted == default.changes.operations else (p for n in _kinds(wanted) for p in ("--operation", n))


def _by_table(options: RunOptions) -> Mapping[str, str]:
    return {table: ",".join(_kinds(names)) for table, names in options.changes.table_operations.items()}


def _snapshot(options: RunOptions, _default: RunOptions) -> Iterable[str]:
    drops, changes = options.schema_policy is SchemaPolicy.DROP_AND_RECREATE, options.changes
    meant = SnapshotPolicy.NEVER if changes.position else SnapshotPolicy.AUTO
    return () if changes.snapshot is (SnapshotPolicy.ALWAYS if drops else meant) else ("--snapshot", changes.snapshot)


_BOTH: tuple[_Read, ...] = (
    _list("--table", lambda o: [item.name for item in o.tables]),
    _list("--exclude", lambda o: o.exclude),
    _list("--source-schema", lambda o: o.source_schemas),
    _list("--exclude-column", lambda o: o.exclude_columns),
    _scalar("--denied", lambda o: o.denied),
    _scalar("--schema", lambda o: o.target_schema),
    _map("--schema-name", lambda o: o.schema_names),
    _map("--rename", lambda o: o.renames),
    _scalar("--schema-policy", lambda o: o.schema_policy),
    _map("--type", lambda o: o.type_overrides),
    _switch("--skip-indexes", lambda o: not o.structure.indexes),
    _scalar("--jobs", lambda o: o.jobs),
    _scalar("--on-row-error", lambda o: o.row_errors),
    _scalar("--row-error-limit", lambda o: o.row_error_limit),
    _scalar("--zero-dates", lambda o: o.zero_dates),
    _scalar("--nul-text", lambda o: o.nul_text),
    _scalar("--special-values", lambda o: o.special_values),
    _scalar("--limit-seconds", lambda o: o.max_seconds),
)
_COPY: tuple[_Read, ...] = (
    _map("--where", lambda o: o.filters),
    _scalar("--write-mode", lambda o: o.write_mode),
    _switch("--schema-only", lambda o: o.skip_data),
    _scalar("--limit-rows", lambda o: o.max_rows),
)
_CHANGES: tuple[_Read, ...] = (
    _snapshot,
    _operations,
    _map("--table-operations", _by_table),
    _scalar("--soft-delete", lambda o: o.changes.soft_delete),
    _scalar("--on-change-error", lambda o: o.changes.row_errors),
    _scalar("--schema-changes", lambda o: o.changes.schema_changes),
    _scalar("--lock-timeout", lambda o: o.changes.lock_timeout_s),
    _scalar("--partitions", lambda o: o.changes.partitions),
    _scalar("--position", lambda o: o.changes.position),
    _scalar("--slot", lambda o: o.changes.slot),
    _scalar("--publication", lambda o: o.changes.publication),
    _scalar("--server-id", lambda o: o.changes.server_id),
    _scalar("--max-lag", lambda o: o.changes.max_lag_s),
    _scalar("--max-silence", lambda o: o.changes.max_silence_s),
    _scalar("--alert-url", lambda o: o.changes.alert_url),
    _scalar("--limit-events", lambda o: o.max_rows),
)


def _unsaid(options: RunOptions, default: RunOptions) -> Iterator[str]:
    """What no option is there for."""
    values: tuple[tuple[str, Callable[[RunOptions], Any]], ...] = (
        ("structureOptions", lambda o: replace(o.structure, indexes=True)),
        ("dataBundleSize", lambda o: o.batch_rows),
        ("memoryMb", lambda o: o.memory_bytes),
        ("retrySeconds", lambda o: o.retry_seconds),
    )
    yield from (name for name, get in values if get(options) != get(default))
    maps = (options.type_overrides, options.renames, options.schema_names, options.filters, _by_table(options))
    yield from (f"{key}: a name or value that the shell's options would split" for one in maps for key in _odd(one))


def _odd(pairs: Mapping[str, str]) -> Iterator[str]:
    """Names with an equals sign, and what begins or ends with a space: ``NAME=VALUE`` would be read otherwise."""
    return (name for name, value in pairs.items() if "=" in name or name != name.strip() or value != value.strip())
