"""``mainstem copy``: one database to another, once, without a server."""

from __future__ import annotations

from typing import Annotated

import typer

from mainstem.cli import asked
from mainstem.cli.assignments import assignments, conditions
from mainstem.cli.convert import Job, carry_out
from mainstem.cli.endpoints import endpoint
from mainstem.cli.terminal import JsonFlag, Terminal
from mainstem.contract.registry import Registry
from mainstem.model.run import (
    DeniedPolicy,
    NulPolicy,
    RowErrorPolicy,
    RunOptions,
    SchemaPolicy,
    SpecialValuePolicy,
    StructureOptions,
    TableSelection,
    WriteMode,
    ZeroDatePolicy,
)


def copy(
    ctx: typer.Context,
    source: asked.SourceUrl,
    target: asked.TargetUrl,
    table: asked.Tables = None,
    exclude: asked.Exclude = None,
    source_schema: asked.SourceSchemas = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TABLE=CONDITION",
            help="Only rows that meet it, in the source's SQL; may be repeated.",
            rich_help_panel=asked.WHAT,
        ),
    ] = None,
    exclude_column: asked.ExcludeColumns = None,
    denied: asked.Denied = DeniedPolicy.FAIL,
    schema_only: Annotated[
        bool, typer.Option("--schema-only", help="The structure without rows.", rich_help_panel=asked.WHAT)
    ] = False,
    limit_rows: Annotated[
        int, typer.Option(min=0, help="End after so many rows; 0 is no limit.", rich_help_panel=asked.WHAT)
    ] = 0,
    limit_seconds: Annotated[
        int, typer.Option(min=0, help="End after so many seconds; 0 is no limit.", rich_help_panel=asked.WHAT)
    ] = 0,
    schema: asked.Schema = "",
    schema_name: asked.SchemaNames = None,
    rename: asked.Renames = None,
    schema_policy: asked.WhatIsThere = SchemaPolicy.FAIL_IF_EXISTS,
    write_mode: Annotated[
        WriteMode, typer.Option(help="What to do about rows that are there already.", rich_help_panel=asked.HOW)
    ] = WriteMode.FAIL_IF_NOT_EMPTY,
    types: asked.Types = None,
    skip_indexes: asked.SkipIndexes = False,
    jobs: asked.Jobs = asked.DEFAULTS.jobs,
    on_row_error: asked.OnRowError = RowErrorPolicy.FAIL,
    row_error_limit: asked.RowErrorLimit = asked.DEFAULTS.row_error_limit,
    zero_dates: asked.ZeroDates = ZeroDatePolicy.ERROR,
    nul_text: asked.NulText = NulPolicy.ERROR,
    special_values: asked.SpecialValues = SpecialValuePolicy.ERROR,
    dry_run: asked.DryRun = False,
    resume: Annotated[
        str, typer.Option(metavar="RUN_ID", help="Go on with a run that was interrupted or failed.", show_default=False)
    ] = "",
    preflight: asked.Preflight = True,
    quiet: asked.Quiet = False,
    as_json: JsonFlag = False,
) -> None:
    """Copy a database: tables, rows, keys, indexes, foreign keys, counters, views.

    Between MySQL, MariaDB and PostgreSQL in every direction; names are those of the source.

    Ctrl-C stops cleanly and prints the command that goes on from there.

    Passwords: better in MYSQL_PWD, PGPASSWORD or a ${NAME} than in the URL.
    """
    terminal = Terminal(as_json=as_json)
    registry = Registry.installed()
    origin = endpoint(source, registry)
    options = RunOptions(
        tables=tuple(TableSelection(name) for name in table or ()),
        exclude=tuple(exclude or ()),
        structure=StructureOptions(indexes=not skip_indexes),
        schema_policy=schema_policy,
        write_mode=write_mode,
        skip_data=schema_only,
        max_rows=limit_rows,
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
        filters=conditions(where, origin.spec.dialect.sql_name),
        source_schemas=tuple(source_schema or ()),
        schema_names=assignments("--schema-name", "SCHEMA=NAME", schema_name),
        target_schema=schema,
        jobs=jobs,
        reporting_interval_s=0,
    )
    job = Job(
        origin,
        endpoint(target, registry),
        options,
        arguments=ctx.obj or (),
        resume=resume,
        dry_run=dry_run,
        look_first=preflight,
        quiet=quiet,
    )
    carry_out(job, terminal)
