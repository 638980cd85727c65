"""Tells later clients from early ones, where the two expect different answers to the same request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import Query, Request

Search = Annotated[str, Query(description="part of a name, type, host, database or id; asks for the later form")]
Limit = Annotated[int | None, Query(ge=0, le=100_000, description="asks for the later form")]
Offset = Annotated[int, Query(ge=0, description="asks for the later form")]
_PARAMETERS = ("search", "limit", "offset")
_SEARCHED = ("id", "name", "type", "flavor", "host", "database", "mode", "status", "source", "target")


def is_later(request: Request) -> bool:
    """Whether the client shows, by a header or a parameter, that it knows the later forms."""
    return "x-install-id" in request.headers or any(name in request.query_params for name in _PARAMETERS)


def listed(request: Request, items: Sequence[Mapping[str, Any]], search: str, limit: int | None, offset: int) -> Any:
    """A bare array; for a later client an object with ``items`` and counts."""
    if not is_later(request):
        return list(items)
    wanted = search.strip().lower()
    found = [item for item in items if any(wanted in str(item.get(name, "")).lower() for name in _SEARCHED)]
    page = found[offset:] if limit is None else found[offset : offset + limit]
    return {
        "items": page,
        "total": len(items),
        "filtered": len(found),
        "search": search,
        "limit": len(found) if limit is None else limit,
        "offset": offset,
    }
