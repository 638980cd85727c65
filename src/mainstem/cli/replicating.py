"""``mainstem replicate``: a copy and then every change, in this process, without a server."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from mainstem.cli import asked
from mainstem.cli.asked import DEFAULTS
from mainstem.cli.assignments import assignments
from mainstem.cli.convert import Job, carry_out
from mainstem.cli.endpoints import check_roles, endpoint
from mainstem.cli.names import checked_id
from mainstem.cli.terminal import JsonFlag, Terminal
from mainstem.contract.registry import Registry
from mainstem.errors import NotFoundError
from mainstem.model.config import REPLICATION_RETRY_S
from mainstem.model.run import (
    MAX_PARTITIONS,
    ChangeErrorPolicy,
    ChangeOptions,
    DeniedPolicy,
    Mode,
    NulPolicy,
    RowErrorPolicy,
    RunOptions,
    SchemaChangePolicy,
    SchemaPolicy,
    SnapshotPolicy,
    SpecialValuePolicy,
    StructureOptions,
    TableSelection,
    WriteMode,
    ZeroDatePolicy,
)

CUTOVER_S = 300.0
_CHANGES = "Changes"
_SOURCE = "The source's log"
_WATCH = "Alerts and limits"
_TABLE_OPERATIONS = "--table-operations"
_PLAIN = ChangeOptions()


class Applied(StrEnum):
    """A kind of change; ``delete`` means ``truncate`` too."""

    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"
    TRUNCATE = "truncate"


def replicate(
    ctx: typer.Context,
    source: asked.SourceUrl,
    target: asked.TargetUrl,
    stream_id: Annotated[
        str,
        typer.Option(
            "--id", metavar="NAME", help="What the stream is called; a second start goes on.", show_default=False
        ),
    ] = "",
    forget: Annotated[
        bool, typer.Option("--forget", help="End the stream of this --id for good: the source keeps no log for it.")
    ] = False,
    cutover: Annotated[
        bool, typer.Option("--cutover", help="Once nothing is behind: set counters, compare counts, and end.")
    ] = False,
    cutover_seconds: Annotated[
        float, typer.Option(min=1, help="How long --cutover waits for a quiet source.")
    ] = CUTOVER_S,
    table: asked.Tables = None,
    exclude: asked.Exclude = None,
    source_schema: asked.SourceSchemas = None,
    exclude_column: asked.ExcludeColumns = None,
    denied: asked.Denied = DeniedPolicy.FAIL,
    snapshot: Annotated[
        SnapshotPolicy | None,
        typer.Option(
            help="Tables to copy first: auto is those that the target lacks or has without rows.",
            rich_help_panel=_CHANGES,
            show_default="auto; never with --position",
        ),
    ] = None,
    operation: Annotated[
        list[Applied] | None,
        typer.Option(help="Only changes of this kind; may be repeated.", rich_help_panel=_CHANGES, show_default="all"),
    ] = None,
    table_operations: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TABLE=KIND[,KIND]", help="The same for one table; may be repeated.", rich_help_panel=_CHANGES
        ),
    ] = None,
    soft_delete: Annotated[
        str,
        typer.Option(
            metavar="COLUMN",
            help="Keep deleted rows; set this column of the target to the time.",
            rich_help_panel=_CHANGES,
            show_default=False,
        ),
    ] = "",
    on_change_error: Annotated[
        ChangeErrorPolicy,
        typer.Option(help="A change that the target refuses: put it aside, or stop.", rich_help_panel=_CHANGES),
    ] = _PLAIN.row_errors,
    schema_changes: Annotated[
        SchemaChangePolicy,
        typer.Option(help="Columns that change: carry over what is safe, or pause.", rich_help_panel=_CHANGES),
    ] = _PLAIN.schema_changes,
    lock_timeout: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="SECONDS",
            help="How long a change waits for a lock of the target before it is tried again; 0 is for ever.",
            rich_help_panel=_CHANGES,
        ),
    ] = _PLAIN.lock_timeout_s,
    partitions: Annotated[
        int,
        typer.Option(
            min=1,
            max=MAX_PARTITIONS,
            help="Apply tables that no foreign key binds in so many groups at once, seen apart from each other.",
            rich_help_panel=_CHANGES,
        ),
    ] = _PLAIN.partitions,
    position: Annotated[
        str,
        typer.Option(
            metavar="POSITION",
            help="Where to begin: 16/B374D848, binlog.000002:154, or a GTID set. Nothing is copied then.",
            rich_help_panel=_SOURCE,
            show_default=False,
        ),
    ] = "",
    slot: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="PostgreSQL: the slot to use.", rich_help_panel=_SOURCE, show_default="one of our own"
        ),
    ] = "",
    publication: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="PostgreSQL: the publication to use.",
            rich_help_panel=_SOURCE,
            show_default="one of our own",
        ),
    ] = "",
    server_id: Annotated[
        int,
        typer.Option(
            min=0,
            max=2**32 - 1,
            help="MySQL: the number to be known by.",
            rich_help_panel=_SOURCE,
            show_default="one of our own",
        ),
    ] = 0,
    schema: asked.Schema = "",
    schema_name: asked.SchemaNames = None,
    rename: asked.Renames = None,
    schema_policy: asked.WhatIsThere = SchemaPolicy.CREATE_MISSING,
    types: asked.Types = None,
    skip_indexes: asked.SkipIndexes = False,
    jobs: asked.Jobs = DEFAULTS.jobs,
    on_row_error: asked.OnRowError = RowErrorPolicy.FAIL,
    row_error_limit: asked.RowErrorLimit = DEFAULTS.row_error_limit,
    zero_dates: asked.ZeroDates = ZeroDatePolicy.ERROR,
    nul_text: asked.NulText = NulPolicy.ERROR,
    special_values: asked.SpecialValues = SpecialValuePolicy.ERROR,
    alert_url: Annotated[
        str,
        typer.Option(
            metavar="URL", help="A webhook that alerts are posted to.", rich_help_panel=_WATCH, show_default=False
        ),
    ] = "",
    max_lag: Annotated[
        int, typer.Option(min=0, metavar="SECONDS", help="Alert when further behind.", rich_help_panel=_WATCH)
    ] = _PLAIN.max_lag_s,
    max_silence: Annotated[
        int,
        typer.Option(min=0, metavar="SECONDS", help="Alert when nothing moves for so long.", rich_help_panel=_WATCH),
    ] = _PLAIN.max_silence_s,
    limit_events: Annotated[
        int,
        typer.Option(
            min=0, help="End after so many changes; rows of the first copy do not count.", rich_help_panel=_WATCH
        ),
    ] = 0,
    limit_seconds: Annotated[int, typer.Option(min=0, help="End after so many seconds.", rich_help_panel=_WATCH)] = 0,
    dry_run: asked.DryRun = False,
    preflight: asked.Preflight = True,
    quiet: asked.Quiet = False,
    as_json: JsonFlag = False,
) -> None:
    """Copy what is missing, then keep the target equal by the source's log.

    Between MySQL, MariaDB and PostgreSQL in every direction. Ctrl-C stops cleanly; the same command with the same --id
    goes on where it was. The source keeps its log for a stream that has a name: end it for good with --forget.
    """
    terminal = Terminal(as_json=as_json)
    registry = Registry.installed()
    names = [item.value for item in operation or ()]
    changes = ChangeOptions(
        snapshot=_snapshot(snapshot, position, schema_policy),
        position="".join(position.split()),
        operations=_operations(names) or _PLAIN.operations,
        table_operations=_by_table(table_operations),
        soft_delete=soft_delete,
        row_errors=on_change_error,
        schema_changes=schema_changes,
        slot=slot,
        publication=publication,
        server_id=server_id,
        lock_timeout_s=lock_timeout,
        partitions=partitions,
        max_lag_s=max_lag,
        max_silence_s=max_silence,
        alert_url=_alert_url(alert_url),
    )
    options = RunOptions(
        tables=tuple(TableSelection(name) for name in table or ()),
        exclude=tuple(exclude or ()),
        structure=StructureOptions(indexes=not skip_indexes),
        schema_policy=schema_policy,
        write_mode=WriteMode.UPSERT,
        max_rows=limit_events,
        max_seconds=limit_seconds,
        row_errors=on_row_error,
        row_error_limit=row_error_limit,
        zero_dates=zero_dates,
        nul_text=nul_text,
        special_values=special_values,
        denied=denied,
        type_overrides=assignments("--type", asked.TYPE_FORM, types),
        renames=assignments("--rename", asked.RENAME_FORM, rename),
        exclude_columns=tuple(exclude_column or ()),
        source_schemas=tuple(source_schema or ()),
        schema_names=assignments("--schema-name", "SCHEMA=NAME", schema_name),
        target_schema=schema,
        jobs=jobs,
        reporting_interval_s=0,
        retry_seconds=REPLICATION_RETRY_S,
        mode=Mode.CDC,
        changes=changes,
    )
    job = Job(
        endpoint(source, registry),
        endpoint(target, registry),
        options,
        arguments=ctx.obj or (),
        resume=checked_id(stream_id),
        dry_run=dry_run,
        look_first=preflight,
        quiet=quiet,
        cutover_s=cutover_seconds if cutover else 0.0,
    )
    if forget:
        _forget(job, terminal)
        return
    carry_out(job, terminal)


def _snapshot(wanted: SnapshotPolicy | None, position: str, policy: SchemaPolicy) -> SnapshotPolicy:
    drops = policy is SchemaPolicy.DROP_AND_RECREATE
    if position and wanted not in (None, SnapshotPolicy.NEVER):
        raise typer.BadParameter("contradicts --position, from which nothing is copied", param_hint="--snapshot")
    if drops and (position or wanted not in (None, SnapshotPolicy.ALWAYS)):
        raise typer.BadParameter("drops every table: it needs --snapshot always", param_hint="--schema-policy")
    if wanted is not None:
        return wanted
    return SnapshotPolicy.ALWAYS if drops else SnapshotPolicy.NEVER if position else _PLAIN.snapshot


def _operations(names: list[str]) -> tuple[str, ...]:
    if not names:
        return ()
    from mainstem.control.change_options import applied  # brings all shapes of a config with it

    return applied(names)


def _by_table(texts: list[str] | None) -> dict[str, tuple[str, ...]]:
    found = {}
    for table, kinds in assignments(_TABLE_OPERATIONS, "TABLE=KIND[,KIND]", texts).items():
        names = [kind.strip().lower() for kind in kinds.split(",")]
        if wrong := [name for name in names if name not in set(Applied)]:
            raise typer.BadParameter(f"{wrong[0]!r} is none of {', '.join(Applied)}", param_hint=_TABLE_OPERATIONS)
        found[table] = _operations(names)
    return found


def _alert_url(text: str) -> str:
    if not text:
        return ""
    from mainstem.control.config_body import web_address

    try:
        return web_address(text)
    except ValueError as exc:
        raise typer.BadParameter(str(exc), param_hint="--alert-url") from None


def _forget(job: Job, terminal: Terminal) -> None:
    """Have source and target forget a stream."""
    from mainstem.control.leftovers import is_known
    from mainstem.engine.replication import close_stream

    if not job.resume:
        raise typer.BadParameter("needs the --id of the stream to forget", param_hint="--forget")
    check_roles(job.source, job.target)
    if not is_known(job.target, job.options, job.resume):
        raise NotFoundError(
            f"{job.target.settings.label} knows no stream called {job.resume}",
            remedy="give the --id it was started with",
        )
    close_stream(job.source, job.target, job.options, job.resume)
    if terminal.json:
        terminal.document({"id": job.resume, "status": "forgotten"})
    else:
        terminal.say(f"{job.resume} is forgotten: the source keeps nothing for it; the rows in the target stay")
