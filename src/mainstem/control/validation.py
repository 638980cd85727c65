"""Checks a user's JSON against a pydantic model, and tells every offending field in one `InvalidError`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ValidationError

from mainstem.errors import InvalidError

Model = TypeVar("Model", bound=BaseModel)

_TEXTS = {
    "missing": "is required",
    "string_type": "must be a string",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "string_too_short": "must not be empty",
}
_LIMITS = {
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must have at least {min_length} entries",
    "too_long": "must have at most {max_length} entries",
    "enum": "must be one of {expected}",
    "literal_error": "must be one of {expected}",
}
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def check(model: type[Model], data: Mapping[str, Any], context: Mapping[str, Any] | None = None) -> Model:
    """Read ``data`` as a model.

    Args:
        context: what the model's validators need to know besides.

    Raises:
        InvalidError: ``fields`` maps each path (``source.connections[0].tables[1].name``) to what is wrong with it.
    """
    try:
        return model.model_validate(data, context=context)
    except ValidationError as exc:
        raise invalid(fields_of(exc)) from None  # the cause would carry the values, passwords among them


def invalid(fields: dict[str, str], remedy: str = "") -> InvalidError:
    """One error for all these fields."""
    told = "; ".join(f"{name} {problem}" for name, problem in fields.items())
    return InvalidError(f"invalid data: {told}", fields=fields, remedy=remedy)


def fields_of(error: ValidationError) -> dict[str, str]:
    """Each path with what is wrong; the first problem of a path counts. Values are never part of it."""
    fields: dict[str, str] = {}
    for problem in error.errors(include_url=False, include_input=False):
        fields.setdefault(
            path_of(problem["loc"]) or "body", _text(problem["type"], problem.get("ctx", {}), problem["msg"])
        )
    return fields


def path_of(location: tuple[int | str, ...]) -> str:
    """``("tables", 0, "name")`` as ``tables[0].name``."""
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def _text(kind: str, context: Mapping[str, Any], message: str) -> str:
    if kind == "value_error":
        return str(context["error"])
    if kind in _LIMITS:
        return _LIMITS[kind].format(**context)
    return _TEXTS.get(kind, message[:1].lower() + message[1:])


def _no_control_characters(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("must not hold control characters")
    return text


def _no_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not hold NUL characters")
    return text


def limited(most: int, *, least: int = 0) -> Callable[[str], str]:
    """A validator of a text's length in characters."""

    def check_length(text: str) -> str:
        if least and not text.strip():
            raise ValueError("must not be empty")
        if len(text) > most:
            raise ValueError(f"must have at most {most} characters")
        return text

    return check_length


Line = Annotated[str, AfterValidator(_no_control_characters), AfterValidator(limited(255))]
"""One line of text, at most 255 characters."""

LongLine = Annotated[str, AfterValidator(_no_control_characters), AfterValidator(limited(1024, least=1))]
"""One line for a name with those in front of it, at most 1024 characters, not blank."""

FilledLine = Annotated[str, AfterValidator(_no_control_characters), AfterValidator(limited(255, least=1))]
"""The same, not blank."""

Text = Annotated[str, AfterValidator(_no_nul), AfterValidator(limited(100_000))]
"""Text that may have lines (a query)."""

FilledText = Annotated[str, AfterValidator(_no_nul), AfterValidator(limited(100_000, least=1))]
"""The same, not blank."""
