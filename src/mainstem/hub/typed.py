"""Arguments, results and errors of calls as JSON, by the annotations of the methods that are called."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, TypeAdapter, ValidationError

from mainstem import errors
from mainstem.errors import ConnectReason, LostConnectionError, MainstemError

OTHER_VERSION = "the processes are of different versions"
"""Which passes while a fleet is renewed: to be tried again, maybe with another process."""


@dataclass(frozen=True, slots=True)
class Signature:
    """How calls of one method travel: all arguments in their order, each one that was left out by its default."""

    method: inspect.Signature
    _arguments: TypeAdapter[Any]
    _result: TypeAdapter[Any]

    def pack(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bytes:
        """Arguments as bytes; TypeError for some that the method does not take."""
        bound = self.method.bind(None, *args, **kwargs)
        bound.apply_defaults()
        return self._arguments.dump_json(tuple(bound.arguments.values())[1:], warnings=False)

    def unpack(self, body: bytes) -> tuple[list[Any], dict[str, Any]]:
        """What `pack` wrote, for the method itself. Raises `LostConnectionError`."""
        values = _read(self._arguments, body)
        args: list[Any] = []
        named: dict[str, Any] = {}
        for parameter, value in zip(list(self.method.parameters.values())[1:], values, strict=True):
            if parameter.kind is parameter.KEYWORD_ONLY:
                named[parameter.name] = value
            else:
                args.append(value)
        return args, named

    def pack_result(self, value: Any) -> bytes:
        """A result as bytes."""
        return self._result.dump_json(value, warnings=False)

    def unpack_result(self, body: bytes) -> Any:
        """What `pack_result` wrote. Raises `LostConnectionError`."""
        return _read(self._result, body)


@cache
def signature(method: Callable[..., Any]) -> Signature:
    """Of a method of a class, whose annotations must all be of plain data."""
    found, hints = inspect.signature(method), get_type_hints(method)
    kinds = tuple(_kind(hints[name]) for name in list(found.parameters)[1:])
    arguments: Any = tuple[kinds] if kinds else tuple[()]  # type: ignore[valid-type]
    return Signature(found, TypeAdapter(arguments), TypeAdapter(_kind(hints["return"])))


def _kind(annotation: Any) -> Any:
    """The annotation; a mapping whose keys are no text as the list of its items, as JSON knows no others."""
    origin, args = get_origin(annotation), get_args(annotation)
    if not (isinstance(origin, type) and issubclass(origin, Mapping)) or args[0] is str:
        return annotation
    items = list[tuple[args]]  # type: ignore[valid-type]
    return Annotated[items, AfterValidator(dict), BeforeValidator(_items), PlainSerializer(_items, return_type=items)]


def _items(value: Any) -> Any:
    return list(value.items()) if isinstance(value, Mapping) else value


def _read(adapter: TypeAdapter[Any], body: bytes) -> Any:
    try:
        return adapter.validate_json(body)
    except ValidationError:  # whose text has all that was sent
        raise LostConnectionError(f"a call or its answer cannot be read: {OTHER_VERSION}") from None


def pack_error(error: MainstemError) -> bytes:
    """An error of ours as bytes; its class by name."""
    known = {name: value for name, value in vars(error).items() if not name.startswith("_")}
    return json.dumps({"class": type(error).__name__, "has": known}, default=str).encode()


def unpack_error(body: bytes) -> MainstemError:
    """The error that `pack_error` wrote; one of a class that this version does not know as the root's."""
    try:
        found = json.loads(body)
        kind = _classes().get(found["class"], MainstemError)
        has = dict(found["has"])
        if "reason" in has:
            has["reason"] = ConnectReason(has["reason"])
        error = kind.__new__(kind, has["message"])
    except (ValueError, KeyError, TypeError):
        return LostConnectionError("another process answered with an error that cannot be read")
    vars(error).update(has)
    return error


def _classes() -> dict[str, type[MainstemError]]:
    return {
        name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, MainstemError)
    }
