"""What the SQL console asks and is answered; see `models` and `cells` for the conventions."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from mainstem.api.cells import Cell, CellColumn
from mainstem.api.models import Problem
from mainstem.contract.effects import Effect
from mainstem.control.validation import Line, limited

MOST_QUERY_CHARACTERS = 2_000_000
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MIB = 1024 * 1024


def _query_id(value: str) -> str:
    if value and not _ID.fullmatch(value):
        raise ValueError("must have at most 64 letters, digits, - and _")
    return value


def _sql(value: str) -> str:
    if "\0" in value:
        raise ValueError("must not hold NUL characters")
    return value


Sql = Annotated[str, AfterValidator(_sql), AfterValidator(limited(MOST_QUERY_CHARACTERS, least=1))]


class _Body(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="ignore")


class LimitsBody(_Body):
    """How much of each result is sent, and for how long the whole may take."""

    rows: int = Field(default=1000, ge=1, le=100_000, description="of each statement")
    bytes: int = Field(default=16 * _MIB, ge=1024, le=64 * _MIB, description="of all cells together")
    cell_bytes: int = Field(default=64 * 1024, ge=16, le=8 * _MIB, description="longer cells are cut")
    seconds: int = Field(default=300, ge=1, le=86_400, description="for the whole script")


class StatementsBody(_Body):
    """A script."""

    query: Sql = Field(examples=["SELECT 1; DELETE FROM t"])


class QueryBody(_Body):
    """SQL to run: one statement or several."""

    query: Sql = Field(examples=["SELECT 1"])
    database: Line = Field(default="", description="another one than the connection's")
    schema_name: Line = Field(
        default="", alias="schema", description="where names are looked for first; PostgreSQL only"
    )
    read_only: bool = Field(default=False, description="also where the connection allows changes")
    query_id: Annotated[str, AfterValidator(_query_id)] = Field(
        default="", description="a name of the client's, by which to cancel it", examples=["tab-1"]
    )
    limits: LimitsBody = LimitsBody()
    results_only: bool = Field(default=False, description="leave out columns and rows beside results, which repeat")


class ExplainBody(QueryBody):
    """A statement to explain."""

    analyze: bool = Field(default=False, description="run it, and measure; what it changes is undone")
    format: Literal["tree", "text"] = "tree"


class ExportBody(QueryBody):
    """A statement whose whole result is wanted as a file."""

    format: Literal["csv", "json", "jsonl"] = "csv"


class HistorySettings(BaseModel):
    """Whether what users run is kept."""

    on: bool


class StatementInfo(BaseModel):
    """A statement of a script. Places are counted in characters (code points) from 0."""

    text: str
    start: int
    end: int
    verb: str = Field(description="its first word", examples=["DELETE"])
    effect: Effect
    warning: str = Field(description="what is at stake; empty for what reads")
    readOnlyAllows: bool = Field(description="a read-only connection would try it")


class Statements(BaseModel):
    """The statements of a script."""

    statements: list[StatementInfo]


class StatementError(BaseModel):
    """What the server said of a statement that it refused. Places are within the whole query, in characters."""

    message: str
    code: str = Field(description="SQLSTATE, or MySQL's error number; may be empty")
    detail: str
    hint: str
    position: int | None = Field(description="from 0")
    line: int | None = Field(description="from 1")
    column: int | None = Field(description="from 1")


class QueryResult(BaseModel):
    """What one statement came to."""

    columns: list[CellColumn]
    rows: list[list[Cell]]
    commandTag: str = Field(description="what was done, in the server's words", examples=["INSERT 0 5"])
    rowsAffected: int | None = Field(description="null where none could be")
    notices: list[str]
    truncated: Literal["", "rows", "bytes"] = Field(description="the limit at which the reading ended")
    rolledBack: bool = Field(description="behind it a transaction was left open, of which nothing is kept")
    durationMs: float
    start: int = Field(description="of the statement in the query")
    end: int
    verb: str
    effect: Effect
    error: StatementError | None


class QueryAnswer(BaseModel):
    """What a script came to."""

    status: Literal["ok"]
    columns: list[str] = Field(description="of the first result that has some")
    rows: list[list[Cell]] = Field(description="of the same")
    results: list[QueryResult]
    affected_rows: int
    affectedObjects: list[Literal["database", "schema", "table"]] = Field(
        description="kinds of things that were made, changed or taken away"
    )
    readOnly: bool
    durationMs: float


class QueryProblem(Problem):
    """A statement was refused or broken off; those before it have their results, those behind it were not run."""

    results: list[QueryResult] = Field(default=[])


class QueryColumn(BaseModel):
    """A column that a query would return."""

    name: str
    type: str
    nullable: bool


class QueryColumns(BaseModel):
    """The columns that a query would return."""

    columns: list[QueryColumn]
    status: Literal["ok"]


class PlanFact(BaseModel):
    """Something known of a step."""

    name: str
    value: str


class PlanStep(BaseModel):
    """A step of an execution plan; what the server does not tell is null."""

    title: str
    facts: list[PlanFact]
    rows: float | None = Field(description="as estimated")
    cost: float | None
    loops: float | None
    actualRows: float | None = Field(description="of all loops together")
    actualMs: float | None
    children: list[PlanStep]


class Explained(BaseModel):
    """An execution plan."""

    text: str = Field(description="as the server printed it")
    tree: PlanStep | None
    analyzed: bool
    durationMs: float


class ExportTicket(BaseModel):
    """Where a file can be fetched, once, within a minute."""

    url: str
    name: str


class Cancelled(BaseModel):
    """A query was told to end."""

    status: Literal["cancelled"]


class NamedTable(BaseModel):
    """A table or view."""

    schema_name: str = Field(alias="schema", serialization_alias="schema")
    name: str
    columns: list[str]


class NamesAnswer(BaseModel):
    """What can be named in a database, for completion."""

    defaultSchema: str
    schemas: list[str]
    tables: list[NamedTable]
    whole: bool = Field(description="nothing was left out; a very large catalog is cut")


class QueryHistoryLine(BaseModel):
    """SQL that was run."""

    number: int
    at: float = Field(description="seconds since 1970")
    connectionId: str
    connectionName: str
    database: str
    query: str
    status: Literal["ok", "failed", "cancelled", "timeout"]
    error: str
    durationMs: int
    rows: int


class QueryHistoryPage(BaseModel):
    """What was run, newest first."""

    items: list[QueryHistoryLine]
    on: bool
