"""``mainstem copy``: one database to another, once, without a server."""

from __future__ import annotations

from typing import Annotated

import typer

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

_URL_HELP = "type://user:password@host:port/database; ${NAME} is taken from the environment."
_WHAT = "What is copied"
_HOW = "How it arrives"
_ROWS = "Rows that do not fit"


def copy(
    ctx: typer.Context,
    source: Annotated[str, typer.Argument(metavar="SOURCE_URL", help=_URL_HELP, show_default=False)],
    target: Annotated[str, typer.Argument(metavar="TARGET_URL", help=_URL_HELP, show_default=False)],
    table: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only this table (or schema.table); may be repeated.", rich_help_panel=_WHAT),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Not this table; may be repeated.", rich_help_panel=_WHAT),
    ] = None,
    source_schema: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Tables of this schema; may be repeated; '*' is all.", rich_help_panel=_WHAT),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TABLE=CONDITION",
            help="Only rows that meet it, in the source's SQL; may be repeated.",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    exclude_column: Annotated[
        list[str] | None,
        typer.Option(metavar="TABLE.COLUMN", help="Not this column; may be repeated.", rich_help_panel=_WHAT),
    ] = None,
    denied: Annotated[
        DeniedPolicy,
        typer.Option(help="Tables that the source's user may not read: fail, or skip.", rich_help_panel=_WHAT),
    ] = DeniedPolicy.FAIL,
    schema_only: Annotated[
        bool, typer.Option("--schema-only", help="The structure without rows.", rich_help_panel=_WHAT)
    ] = False,
    limit_rows: Annotated[
        int, typer.Option(min=0, help="End after so many rows; 0 is no limit.", rich_help_panel=_WHAT)
    ] = 0,
    limit_seconds: Annotated[
        int, typer.Option(min=0, help="End after so many seconds; 0 is no limit.", rich_help_panel=_WHAT)
    ] = 0,
    schema: Annotated[
        str, typer.Option(metavar="NAME", help="The target's schema.", rich_help_panel=_HOW, show_default=False)
    ] = "",
    schema_name: Annotated[
        list[str] | None,
        typer.Option(metavar="SCHEMA=NAME", help="Another name for a schema; may be repeated.", rich_help_panel=_HOW),
    ] = None,
    rename: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TABLE[.COLUMN]=NAME",
            help="Another name for a table or column; may be repeated.",
            rich_help_panel=_HOW,
        ),
    ] = None,
    schema_policy: Annotated[
        SchemaPolicy, typer.Option(help="What to do about tables that are there already.", rich_help_panel=_HOW)
    ] = SchemaPolicy.FAIL_IF_EXISTS,
    write_mode: Annotated[
        WriteMode, typer.Option(help="What to do about rows that are there already.", rich_help_panel=_HOW)
    ] = WriteMode.FAIL_IF_NOT_EMPTY,
    types: Annotated[
        list[str] | None,
        typer.Option(
            "--type",
            metavar="TABLE.COLUMN=TYPE",
            help="The target's type of a column, or of a type: tinyint(1)=smallint; may be repeated.",
            rich_help_panel=_HOW,
        ),
    ] = None,
    skip_indexes: Annotated[
        bool, typer.Option("--skip-indexes", help="Leave secondary indexes out.", rich_help_panel=_HOW)
    ] = False,
    jobs: Annotated[
        int, typer.Option(min=1, max=64, help="Connections to each side at work.", rich_help_panel=_HOW)
    ] = RunOptions().jobs,
    on_row_error: Annotated[
        RowErrorPolicy,
        typer.Option(help="End the run, or put the row aside and count it.", rich_help_panel=_ROWS),
    ] = RowErrorPolicy.FAIL,
    row_error_limit: Annotated[
        int, typer.Option(min=0, help="Rows that may be put aside before the run fails.", rich_help_panel=_ROWS)
    ] = RunOptions().row_error_limit,
    zero_dates: Annotated[
        ZeroDatePolicy, typer.Option(help="Dates like 0000-00-00.", rich_help_panel=_ROWS)
    ] = ZeroDatePolicy.ERROR,
    nul_text: Annotated[
        NulPolicy, typer.Option(help="NUL characters in text.", rich_help_panel=_ROWS)
    ] = NulPolicy.ERROR,
    special_values: Annotated[
        SpecialValuePolicy,
        typer.Option(help="NaN, infinities and dates that the target does not have.", rich_help_panel=_ROWS),
    ] = SpecialValuePolicy.ERROR,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the DDL and the report; touch nothing.")] = False,
    resume: Annotated[
        str, typer.Option(metavar="RUN_ID", help="Go on with a run that was interrupted or failed.", show_default=False)
    ] = "",
    preflight: Annotated[bool, typer.Option(help="Check both sides first.")] = True,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
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
        type_overrides=assignments("--type", "TABLE.COLUMN=TYPE (or TYPE=TYPE)", types),
        renames=assignments("--rename", "TABLE=NAME or TABLE.COLUMN=NAME", rename),
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
