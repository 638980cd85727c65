"""Request bodies: JSON objects, read leniently where old clients need it."""

from __future__ import annotations

import json
from typing import Any

from fastapi import Request

from mainstem.errors import InvalidError

MAX_BYTES = 16 * 1024 * 1024


async def read_object(request: Request) -> dict[str, Any]:
    """The body as a JSON object, whatever the Content-Type says.

    UTF-8 is expected; where it isn't, and no charset was named, Latin-1 is tried: PowerShell 5.1 sends that.

    Raises:
        InvalidError: not JSON, not an object, or larger than `MAX_BYTES`.
    """
    raw = await request.body()
    if len(raw) > MAX_BYTES:
        raise InvalidError("the body is too large", fields={"body": f"at most {MAX_BYTES} bytes"})
    try:
        value = json.loads(_decode(raw, request.headers.get("content-type", "")))
    except (ValueError, RecursionError) as exc:
        raise InvalidError(
            "the body is not JSON", fields={"body": "is not valid JSON"}, remedy="send an object"
        ) from exc
    if not isinstance(value, dict):
        raise InvalidError("the body is not a JSON object", fields={"body": "must be a JSON object"})
    return value


async def read_name(request: Request, field: str) -> tuple[str, dict[str, Any]]:
    """A name that comes as plain text or as ``{"name": …}``, and the object if it was one."""
    raw = (await request.body())[:MAX_BYTES]
    text = _decode(raw, request.headers.get("content-type", "")).strip()
    value: dict[str, Any] = {}
    if text.startswith("{"):
        value = await read_object(request)
        text = str(value.get("name") or value.get(field) or "")
    elif text.startswith('"'):
        text = str(json.loads(text)) if text.endswith('"') and len(text) > 1 else text
    if not text or text == "null":
        raise InvalidError(f"the name of the {field} is missing", fields={"name": "is required"})
    return text, value


def _decode(raw: bytes, content_type: str) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as exc:
        if "charset" in content_type.lower() and "8859" not in content_type:
            raise InvalidError("the body is not UTF-8", fields={"body": "is not valid UTF-8"}) from exc
        return raw.decode("latin-1")
