"""New copies that were asked for and have not begun: kept in the target, so that no end of a process forgets them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable

from mainstem.contract.target import Ledger
from mainstem.model.names import TableId

_ASKED, _BEGUN = "asked:", "begun:"
_PLAN = "{}"  # it plans nothing: only its notes are wanted


def asked_id(stream_id: str) -> str:
    """The run under which a stream's wishes are noted: a ledger beside those of its copies."""
    return f"{stream_id}.asked"


class Asked:
    """The wishes of one stream; from any thread of the process that leads it.

    Methods open a connection and may raise `ConnectError` or `LostConnectionError`.

    Args:
        ledger: opens that of `asked_id`.
    """

    def __init__(self, ledger: Callable[[], Ledger]) -> None:
        self._ledger = ledger
        self._lock = threading.Lock()

    def add(self, tables: Iterable[TableId]) -> None:
        """Durable when it returns."""
        with self._lock, self._ledger() as ledger:
            if not ledger.known_plan():
                ledger.open(_PLAN)
            last = max(_asked(ledger), default=0)
            for number, table in enumerate(tables, last + 1):
                ledger.note(f"{_ASKED}{json.dumps([number, table.schema, table.name])}")

    def tables(self) -> list[TableId]:
        """Those that have not begun, in the order in which they were asked for."""
        with self._lock, self._ledger() as ledger:
            return list(dict.fromkeys(_open(ledger).values()))

    def begun(self, tables: Iterable[TableId]) -> None:
        """What is durable of these says by itself from here on that they are to be copied, or why they cannot be."""
        wanted = set(tables)
        with self._lock, self._ledger() as ledger:
            left = _open(ledger)
            for number in [number for number, table in left.items() if table in wanted]:
                ledger.note(f"{_BEGUN}{number}")
                del left[number]
            if not left and ledger.known_plan():
                ledger.finish(keep=False)


def _asked(ledger: Ledger) -> dict[int, TableId]:
    """All that was asked for, by number; notes keep no order and are there once."""
    notes = [json.loads(note.removeprefix(_ASKED)) for note in ledger.notes() if note.startswith(_ASKED)]
    return {number: TableId(schema, name) for number, schema, name in sorted(notes)}


def _open(ledger: Ledger) -> dict[int, TableId]:
    if not ledger.known_plan():
        return {}
    notes = ledger.notes()
    return {number: table for number, table in _asked(ledger).items() if f"{_BEGUN}{number}" not in notes}
