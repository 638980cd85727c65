"""Completes /openapi.json: request bodies that are read by hand, the error's shape, the security scheme's reach."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic.json_schema import models_json_schema

from mainstem.api.browse_models import SummaryBody
from mainstem.api.console_models import ExplainBody, ExportBody, HistorySettings, QueryBody, StatementsBody
from mainstem.api.models import LogLine, Problem
from mainstem.api.monitor_models import Lines, Moved, Timeline, Watched
from mainstem.control.browse_input import Changes
from mainstem.control.config_body import MAX_COUNT, EarlyConfig, LaterConfig
from mainstem.control.connection_body import SslBody
from mainstem.control.exports import FORMATS

_REF = "#/components/schemas/{model}"
_PROBLEMS = {
    400: "invalid data",
    401: "missing or wrong key",
    403: "refused to another site's page",
    404: "not found",
    409: "refused in this state",
    413: "the body is too large",
    503: "a database cannot be reached",
}
FILE = {"content": {form.media_type.split(";")[0]: {} for form in FORMATS.values()}, "description": "the file"}
"""The answer of what gives rows as a file."""


class AddressBody(BaseModel):
    """Where a connection goes, and its login."""

    host: str = Field(examples=["127.0.0.1"])
    port: int | str | None = Field(default=None, description="1 to 65535; absent is the type's own")
    username: str
    password: str = ""
    database: str = ""
    schema_name: str | None = Field(default=None, alias="schema", description="absent is the type's own")
    ssl: SslBody | None = None


class FlatConnection(AddressBody):
    """A connection in the early shape."""

    name: str
    type: str = Field(description="mysql, mariadb, postgresql or postgres, in any case", examples=["mysql"])
    readOnly: bool = Field(default=False, description="SQL that users write must change nothing there")


class SpecBody(BaseModel):
    """The later shape's envelope."""

    database: AddressBody


class NestedConnection(BaseModel):
    """A connection in the later shape."""

    name: str
    type: str = Field(description="mysql, mariadb, postgresql or postgres, in any case", examples=["postgresql"])
    readOnly: bool = Field(default=False, description="SQL that users write must change nothing there")
    spec: SpecBody


class CutoverBody(BaseModel):
    """How long a cut-over may wait; all of it may be left out."""

    model_config = ConfigDict(alias_generator=to_camel)

    deadline_seconds: float = Field(
        default=60, gt=0, le=86_400, description="for a quiet source and no lag", examples=[60]
    )
    quiet_seconds: float = Field(default=3, ge=0, le=3600, description="for how long no change must come", examples=[3])


class NumbersBody(BaseModel):
    """Dead letters by their numbers."""

    numbers: list[Annotated[int, Field(ge=0, le=MAX_COUNT)]] = Field(default=[], max_length=10_000, examples=[[1, 2]])


_BODIES: tuple[type[BaseModel], ...] = (
    FlatConnection,
    NestedConnection,
    EarlyConfig,
    LaterConfig,
    CutoverBody,
    NumbersBody,
    StatementsBody,
    QueryBody,
    ExplainBody,
    ExportBody,
    HistorySettings,
    Changes,
    SummaryBody,
)

EVENTS: Mapping[str, type[BaseModel]] = {
    "stats": Watched, "log": Lines, "points": Timeline, "state": Moved, "alert": LogLine,
}  # fmt: skip
"""Events of a stream, by name, with what each carries; ``gone`` carries nothing."""


def problem_responses() -> dict[int | str, dict[str, Any]]:
    """For routers: every error has the same shape."""
    return {status: {"model": Problem, "description": text} for status, text in _PROBLEMS.items()}


def json_body(*models: type[BaseModel], required: bool = True) -> dict[str, Any]:
    """For routes that read their body by hand: one of these models."""
    choices = [{"$ref": _REF.format(model=model.__name__)} for model in models]
    schema: Mapping[str, Any] = choices[0] if len(choices) == 1 else {"anyOf": choices}
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": schema}}}}


def event_stream() -> dict[int | str, dict[str, Any]]:
    """For the events of one stream."""
    choices = [{"$ref": _REF.format(model=model.__name__)} for model in EVENTS.values()]
    told = "; ".join(f"`{name}`: {model.__name__}" for name, model in EVENTS.items())
    return {200: {"description": told, "content": {"text/event-stream": {"schema": {"anyOf": choices}}}}}


def name_body() -> dict[str, Any]:
    """For routes whose body is a name."""
    named = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    content = {"text/plain": {"schema": {"type": "string"}}, "application/json": {"schema": named}}
    return {"requestBody": {"required": True, "content": content}}


def complete(app: FastAPI) -> None:
    """Have the app's document hold the models of the bodies too."""
    make = app.openapi

    def openapi() -> dict[str, Any]:
        document = make()
        schemas = document["components"]["schemas"]
        if FlatConnection.__name__ not in schemas:
            _, bodies = models_json_schema([(model, "validation") for model in _BODIES], ref_template=_REF)
            _, told = models_json_schema([(model, "serialization") for model in EVENTS.values()], ref_template=_REF)
            for name, schema in {**bodies["$defs"], **told["$defs"]}.items():
                schemas.setdefault(name, schema)
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
            for operations in document["paths"].values():
                for operation in operations.values():
                    operation["responses"].pop("422", None)  # FastAPI's own, which `problems` answers as 400
        return document

    app.openapi = openapi  # type: ignore[method-assign]
