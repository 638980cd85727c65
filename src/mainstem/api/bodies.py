"""Request bodies: JSON objects, read leniently where old clients need it."""

from __future__ import annotations

import codecs
import json
import re
from typing import Any, NoReturn

from fastapi import Request

from mainstem.control.validation import invalid
from mainstem.errors import InvalidError

MAX_BYTES = 8 * 1024 * 1024  # three certificates of 1 MB in base64, and room
_CHARSET = re.compile(r"charset\s*=\s*\"?([^\s;\"]+)", re.IGNORECASE)


class BodyTooLargeError(InvalidError):
    """A body of more than `MAX_BYTES`."""

    code = "body_too_large"


async def read_object(request: Request) -> dict[str, Any]:
    """The body as a JSON object, whatever the Content-Type says.

    UTF-8 is expected; where it isn't, and no charset was named, Latin-1 is tried: PowerShell 5.1 sends that.

    Raises:
        InvalidError: not JSON, not an object, larger than `MAX_BYTES`, or with text that no database can keep.
    """
    value = _parsed(_decoded(await _read(request), request))
    if not isinstance(value, dict):
        raise invalid({"body": "must be a JSON object"})
    return value


async def read_optional_object(request: Request) -> dict[str, Any]:
    """The same, where no body, or ``null``, means an empty object."""
    text = _decoded(await _read(request), request).strip()
    value = _parsed(text) if text else None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid({"body": "must be a JSON object, or nothing"})
    return value


async def read_name(request: Request, kind: str) -> tuple[str, dict[str, Any]]:
    """A name that comes as plain text, as a JSON string or as ``{"name": …}``; and the object if it was one."""
    text = _decoded(await _read(request), request).strip()
    value: Any = _parsed(text) if text[:1] in {"{", '"'} else text
    given = value if isinstance(value, dict) else {}
    name = given.get("name") or given.get(kind) if given else value
    if not isinstance(name, str) or not name.strip() or name == "null":
        raise invalid({"name": f"is required: the name of the {kind}, as plain text or as a member"})
    return name, given


async def _read(request: Request) -> bytes:
    size = request.headers.get("content-length", "0")
    if size.isdigit() and int(size) > MAX_BYTES:
        _too_large()
    raw = bytearray()
    async for piece in request.stream():
        raw += piece
        if len(raw) > MAX_BYTES:
            _too_large()
    return bytes(raw)


def _too_large() -> NoReturn:
    raise BodyTooLargeError("the body is too large", fields={"body": f"must have at most {MAX_BYTES} bytes"})


def _decoded(raw: bytes, request: Request) -> str:
    named = _CHARSET.search(request.headers.get("content-type", ""))
    if named is not None:
        try:
            return raw.decode(codecs.lookup(named[1]).name)
        except (LookupError, UnicodeError):
            raise invalid({"body": f"is not in the charset that Content-Type names ({named[1][:40]})"}) from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _parsed(text: str) -> Any:
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
        json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except (ValueError, RecursionError):
        raise invalid({"body": "is not valid JSON"}, "send a JSON object") from None
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)
