"""Options that ``copy`` and ``replicate`` share."""

from __future__ import annotations

from typing import Annotated

import typer

from mainstem.model.run import (
    DeniedPolicy,
    NulPolicy,
    RowErrorPolicy,
    RunOptions,
    SchemaPolicy,
    SpecialValuePolicy,
    ZeroDatePolicy,
)

DEFAULTS = RunOptions()
WHAT = "What is copied"
HOW = "How it arrives"
ROWS = "Rows that do not fit"
_URL_HELP = "type://user:password@host:port/database; ${NAME} is taken from the environment."

SourceUrl = Annotated[str, typer.Argument(metavar="SOURCE_URL", help=_URL_HELP, show_default=False)]
TargetUrl = Annotated[str, typer.Argument(metavar="TARGET_URL", help=_URL_HELP, show_default=False)]

Tables = Annotated[
    list[str] | None,
    typer.Option(
        "--table", metavar="NAME", help="Only this table (or schema.table); may be repeated.", rich_help_panel=WHAT
    ),
]
Exclude = Annotated[
    list[str] | None, typer.Option(metavar="NAME", help="Not this table; may be repeated.", rich_help_panel=WHAT)
]
SourceSchemas = Annotated[
    list[str] | None,
    typer.Option(
        "--source-schema",
        metavar="NAME",
        help="Tables of this schema; may be repeated; '*' is all.",
        rich_help_panel=WHAT,
    ),
]
ExcludeColumns = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude-column", metavar="TABLE.COLUMN", help="Not this column; may be repeated.", rich_help_panel=WHAT
    ),
]
Denied = Annotated[
    DeniedPolicy,
    typer.Option(help="Tables that the source's user may not read: fail, or skip.", rich_help_panel=WHAT),
]
Schema = Annotated[
    str, typer.Option(metavar="NAME", help="The target's schema.", rich_help_panel=HOW, show_default=False)
]
SchemaNames = Annotated[
    list[str] | None,
    typer.Option(
        "--schema-name", metavar="SCHEMA=NAME", help="Another name for a schema; may be repeated.", rich_help_panel=HOW
    ),
]
Renames = Annotated[
    list[str] | None,
    typer.Option(
        "--rename",
        metavar="TABLE[.COLUMN]=NAME",
        help="Another name for a table or column; may be repeated.",
        rich_help_panel=HOW,
    ),
]
WhatIsThere = Annotated[
    SchemaPolicy,
    typer.Option("--schema-policy", help="What to do about tables that are there already.", rich_help_panel=HOW),
]
Types = Annotated[
    list[str] | None,
    typer.Option(
        "--type",
        metavar="TABLE.COLUMN=TYPE",
        help="The target's type of a column, or of a type: tinyint(1)=smallint; may be repeated.",
        rich_help_panel=HOW,
    ),
]
SkipIndexes = Annotated[bool, typer.Option("--skip-indexes", help="Leave secondary indexes out.", rich_help_panel=HOW)]
Jobs = Annotated[int, typer.Option(min=1, max=64, help="Connections to each side at work.", rich_help_panel=HOW)]
OnRowError = Annotated[
    RowErrorPolicy,
    typer.Option(help="End the run, or put the row of the copy aside and count it.", rich_help_panel=ROWS),
]
RowErrorLimit = Annotated[
    int, typer.Option(min=0, help="Rows that may be put aside before the run fails.", rich_help_panel=ROWS)
]
ZeroDates = Annotated[ZeroDatePolicy, typer.Option(help="Dates like 0000-00-00.", rich_help_panel=ROWS)]
NulText = Annotated[NulPolicy, typer.Option(help="NUL characters in text.", rich_help_panel=ROWS)]
SpecialValues = Annotated[
    SpecialValuePolicy,
    typer.Option(help="NaN, infinities and dates that the target does not have.", rich_help_panel=ROWS),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the DDL and the report; touch nothing.")]
Preflight = Annotated[bool, typer.Option(help="Check both sides first.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]

RENAME_FORM = "TABLE=NAME or TABLE.COLUMN=NAME"
TYPE_FORM = "TABLE.COLUMN=TYPE (or TYPE=TYPE)"
