"""What the plan of an unsaved config looks like, and the other ways to say the same config."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from mainstem.api.models import FindingLine, PlannedStatement, Problem, ReportLine


class OutlookColumn(BaseModel):
    """How a column travels."""

    source: str
    target: str
    sourceType: str
    targetType: str
    nullable: bool
    report: list[ReportLine]


class OutlookTable(BaseModel):
    """How a table (or a query) travels."""

    source: str
    target: str
    query: str
    where: str
    rowsEstimate: int
    bytesEstimate: int
    keyed: bool
    exists: bool = Field(description="the target has a table of this name already")
    columns: list[OutlookColumn]
    sourceSql: str = Field(description="as the source would write it; empty for a query")
    targetSql: str = Field(description="what runs on the target; empty where the table is there already")
    report: list[ReportLine] = Field(description="of the table and of all its columns")


class EstimateLine(BaseModel):
    """What the first copy may take."""

    rows: int
    bytes: int = Field(description="of the selected tables in the source, whole, without indexes")
    indexBytes: int
    seconds: float
    bytesPerSecond: float
    basis: Literal["these_connections", "other_connections", "default"]
    runs: int = Field(description="how many earlier runs the speed was taken from")


class Outlook(BaseModel):
    """What a start would do. Nothing has been touched."""

    findings: list[FindingLine]
    warnings: list[str]
    problem: Problem | None = Field(description="why there can be no plan")
    tables: list[OutlookTable]
    statements: list[PlannedStatement] = Field(description="those that belong to no table")
    report: list[ReportLine] = Field(description="what is about no table")
    skipped: list[str]
    estimate: EstimateLine | None


class RestCall(BaseModel):
    """A call of this API."""

    method: str
    path: str
    body: dict[str, Any] | None
    curl: str


class CliCommand(BaseModel):
    """A command line that does what the config says."""

    command: str
    needsFile: bool = Field(description="the config says more than the options can: it runs the YAML file")
    reasons: list[str] = Field(description="what the options cannot say")
    variables: list[str] = Field(description="of the environment, which hold the passwords")
    files: list[str] = Field(description="certificates that must be there")


class Equivalents(BaseModel):
    """One config in every way in which it can be said."""

    rest: list[RestCall]
    cli: CliCommand
    yaml: str
    warnings: list[str]
