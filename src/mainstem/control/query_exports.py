"""Results as files: asked for with all that a query needs, fetched once by a plain address, as a browser downloads.

Any server of the store gives the file: what was asked for waits there, sealed, because a query may hold secrets.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import TypeAdapter

from mainstem.contract.store import StateStore, Voucher
from mainstem.control.console import Asked, Consoles
from mainstem.control.exports import FORMATS
from mainstem.control.secrets import SecretBox
from mainstem.errors import NotFoundError

FRESH_S = 60.0
_MOST = 100
_KIND, _FIELD = "export", "query"


@dataclass(frozen=True, slots=True)
class QueryExport:
    """A file that was asked for."""

    connection_id: str
    asked: Asked
    format: str
    name: str


_ADAPTER = TypeAdapter(QueryExport)


class QueryExports:
    """Files that were asked for and not fetched yet."""

    def __init__(self, consoles: Consoles, store: StateStore, box: SecretBox) -> None:
        self._consoles, self._store, self._box = consoles, store, box

    def ask(self, connection_id: str, asked: Asked, file_format: str, name: str) -> str:
        """An id that can be fetched once within `FRESH_S`; `InvalidError` for what is not one reading statement."""
        self._consoles.check_reading(connection_id, asked)
        export_id = secrets.token_urlsafe(24)
        data = _ADAPTER.dump_json(QueryExport(connection_id, asked, file_format, name))
        voucher = Voucher(_KIND, _digest(export_id), self._box.seal(data, _digest(export_id), _FIELD))
        self._store.add_voucher(voucher, lasts_s=FRESH_S, most=_MOST)
        return export_id

    def take(self, export_id: str) -> QueryExport:
        """What was asked for under an id, which is then used up; `NotFoundError`."""
        found = self._store.take_voucher(_KIND, _digest(export_id))
        if found is None:
            raise NotFoundError("there is no such export, or it was fetched already", remedy="export once more")
        return _ADAPTER.validate_json(self._box.open(found.value, found.id, _FIELD))

    def pieces(self, export: QueryExport) -> Iterator[bytes]:
        """The file; the first piece comes when the server has answered, so that a refusal is an error in time."""
        with self._consoles.reading(export.connection_id, export.asked) as result:
            yield from FORMATS[export.format].write(result.names, result.kinds, result)


def _digest(export_id: str) -> str:
    """What the store knows of an id: who reads it there cannot fetch the file."""
    return hashlib.sha256(export_id.encode("utf-8", "surrogateescape")).hexdigest()
