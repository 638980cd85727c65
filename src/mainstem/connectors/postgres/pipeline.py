"""Many statements in one go: prepared once, sent without waiting for each other's results.

Source: libpq manual, "Pipeline Mode".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import psycopg
from psycopg import errors, generators, pq, waiting

_MOST_PREPARED = 1000
_SENT_AT_ONCE = 64
_FAILED = {pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.BAD_RESPONSE, pq.ExecStatus.NONFATAL_ERROR}


@dataclass(frozen=True, slots=True)
class Call:
    """A statement with its parameters, whose types are those of their places in it.

    Attributes:
        formats: of each parameter: 0 is text, 1 is binary.
    """

    sql: str
    parameters: Sequence[bytes | None] = ()
    formats: Sequence[int] = ()


class CallError(Exception):
    """The server refused a call; ``__cause__`` is the driver's error. Those behind it were not made."""

    def __init__(self, index: int, error: psycopg.Error) -> None:
        super().__init__(index)
        self.index = index
        self.error = error


class Pipeline:
    """Makes calls on a connection that prepares nothing by itself (``prepare_threshold=None``)."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._names: dict[str, bytes] = {}
        self._made = 0

    def run(self, calls: Sequence[Call]) -> list[pq.abc.PGresult]:
        """Make calls in their order; returns a result of each.

        Raises:
            CallError: one was refused.
            psycopg.OperationalError: the connection was lost.
        """
        pgconn = self._connection.pgconn
        if len(self._names) > _MOST_PREPARED:
            self.forget()
        new: dict[str, bytes] = {}
        steps = list(self._steps(calls, new))
        pgconn.enter_pipeline_mode()
        try:
            results = self._connection.wait(self._results(steps))
        finally:
            if pgconn.status == pq.ConnStatus.OK:
                pgconn.exit_pipeline_mode()
        return self._sorted(steps, results, new)

    def forget(self) -> None:
        """Prepare all statements anew: what they were about has changed."""
        if self._names:
            self._connection.execute("DEALLOCATE ALL")
        self._names.clear()

    def _steps(self, calls: Sequence[Call], new: dict[str, bytes]) -> Iterator[tuple[int, str, Callable[[], None]]]:
        """What is sent, in order: each call's index; of a preparation also the statement."""
        pgconn = self._connection.pgconn
        for index, call in enumerate(calls):
            name = self._names.get(call.sql) or new.get(call.sql)
            if name is None:
                self._made += 1
                name = new[call.sql] = b"mainstem%d" % self._made
                yield index, call.sql, partial(pgconn.send_prepare, name, call.sql.encode())
            yield index, "", partial(pgconn.send_query_prepared, name, call.parameters, call.formats)

    def _results(self, steps: Sequence[tuple[int, str, Callable[[], None]]]) -> Any:
        """Generator: send all and a sync, and read to its answer."""
        pgconn = self._connection.pgconn
        sends = iter([send for _, _, send in steps] + [pgconn.pipeline_sync])
        commands: deque[Callable[[], None]] = deque()
        while part := tuple(islice(sends, _SENT_AT_ONCE)):
            commands.append(partial(_all, part))
        results: list[Any] = yield from generators.pipeline_communicate(pgconn, commands)
        while pgconn.flush():  # the generator ends with the last command's bytes in libpq, where they need not fit
            ready = yield waiting.Wait.RW
            if ready & waiting.Ready.R:
                pgconn.consume_input()
        while not results or results[-1][0].status != pq.ExecStatus.PIPELINE_SYNC:
            more: list[Any] = yield from generators.fetch_many(pgconn)
            if more:
                results.append(more)
        return results[:-1]

    def _sorted(
        self, steps: Sequence[tuple[int, str, Callable[[], None]]], results: Sequence[Any], new: dict[str, bytes]
    ) -> list[pq.abc.PGresult]:
        made: list[pq.abc.PGresult] = []
        failure: CallError | None = None
        for (index, prepared, _), (result, *_rest) in zip(steps, results, strict=True):
            if result.status in _FAILED:
                error = errors.error_from_result(result, self._connection.info.encoding)
                failure = failure or CallError(index, error)
            elif prepared and result.status == pq.ExecStatus.COMMAND_OK:
                self._names[prepared] = new[prepared]
            elif not prepared:
                made.append(result)
        if failure is not None:
            raise failure from failure.error
        return made


def _all(sends: Sequence[Callable[[], None]]) -> None:
    for send in sends:
        send()
