"""Runs a user's SQL: a session for each run, within limits of rows, bytes and time, and never more than allowed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from mainstem.contract.console import Console, ConsoleKit, Names, Plan, Refusal, RefusedError, ResultSet, SessionOptions
from mainstem.contract.effects import Effect, Statement, only_statement, statements
from mainstem.contract.registry import Registry
from mainstem.contract.store import ConnectionRecord, StateStore
from mainstem.control.cancels import Cancels
from mainstem.control.clock import now_us
from mainstem.control.connections import Connections
from mainstem.control.freshness import CACHED_S, Freshness
from mainstem.control.hiding import hide
from mainstem.control.query_history import QueryHistory
from mainstem.control.validation import invalid
from mainstem.errors import ConflictError, MainstemError, NotFoundError, StatementError
from mainstem.model.connection import ConnectionSettings
from mainstem.model.shown import ShownCell, ShownColumn, ShownKind, shown_bytes, shown_text

MOST_AT_ONCE = 16
_SERVER_GRACE_S = 5  # the server's own limit is a net below ours, and must not be faster than it
_CELL_OVERHEAD = 4
_STOP_AGAIN_S = 0.5
_READ_ONLY_CODES = {"25006", "25001", "1792"}
READ_ONLY_REMEDY = "turn read-only off for this connection, or run it on another one"


class QueryError(StatementError):
    """A statement of a user's was refused, or broken off. Its message is the server's own."""

    def __init__(self, message: str, *, code: str, remedy: str, refusal: Refusal, number: int) -> None:
        super().__init__(message, remedy=remedy)
        self.code = code
        self.refusal = refusal
        self.details = {
            "statement": number,
            **{
                name: value
                for name, value in (
                    ("server_code", refusal.code), ("detail", refusal.detail), ("hint", refusal.hint),
                    ("position", refusal.position),
                )
                if value not in ("", None)
            },
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a result is taken, and for how long a run may go on."""

    rows: int = 1000
    bytes: int = 16 * 1024 * 1024
    cell_bytes: int = 64 * 1024
    seconds: int = 300


@dataclass(frozen=True, slots=True)
class Asked:
    """What a user wants to run, and where.

    Attributes:
        database, schema: other ones than the connection's, if given.
        read_only: may only add to what the connection says.
        query_id: by which it can be cancelled.
    """

    query: str = field(repr=False)
    database: str = ""
    schema: str = ""
    read_only: bool = False
    query_id: str = ""
    limits: Limits = Limits()


@dataclass(slots=True)
class Result:
    """What one statement came to; of a procedure, one of its results.

    Attributes:
        truncated: which limit ended the reading: ``rows``, ``bytes`` or empty.
        size: of the rows, in bytes.
        rolled_back: behind it a transaction was still open, and nothing of that is kept.
    """

    statement: Statement
    columns: Sequence[ShownColumn] = ()
    rows: list[list[ShownCell]] = field(default_factory=list)
    tag: str = ""
    affected: int | None = None
    notices: list[str] = field(default_factory=list)
    truncated: str = ""
    size: int = 0
    duration_ms: float = 0.0
    refusal: Refusal | None = None
    rolled_back: bool = False


@dataclass(slots=True)
class Outcome:
    """What a script came to. The last result has the refusal, if there was one; what follows it was not run."""

    results: list[Result]
    status: str
    failure: QueryError | None = None
    read_only: bool = False
    duration_ms: float = 0.0


class Running:
    """A run that can be broken off from another thread; ``reason`` is why it was: ``cancelled``, ``timeout``."""

    def __init__(self) -> None:
        self.reason = ""
        self._console: Console | None = None
        self._lock = threading.Lock()
        self._ended = threading.Event()

    def attach(self, console: Console | None) -> None:
        """The session to break off; None when it is about to be closed."""
        with self._lock:
            self._console = console
        if console is None:
            self._ended.set()

    def stop(self, reason: str) -> None:
        """Break it off; returns at once."""
        with self._lock:
            if self.reason:
                return
            self.reason = reason
        threading.Thread(target=self._stop, name="query-stop", daemon=True).start()

    def _stop(self) -> None:
        """Ask again and again: what came before a statement began has broken nothing off."""
        while not self._ended.is_set():
            with self._lock:
                if self._console is not None:
                    self._console.stop()
            self._ended.wait(_STOP_AGAIN_S)


class Consoles:
    """The SQL console's doings."""

    def __init__(self, connections: Connections, history: QueryHistory, store: StateStore) -> None:
        self._connections = connections
        self.history = history
        self._freshness = Freshness(store)
        self._cancels = Cancels(store, self._stop)
        self._running: dict[tuple[str, str], Running] = {}
        self._names: dict[tuple[str, str], tuple[float, str, Names]] = {}
        self._lock = threading.Lock()

    def statements(self, connection_id: str, script: str) -> list[Statement]:
        """The statements of a script, and what each does."""
        return statements(script, self._kit(self._connections.get(connection_id)).grammar)

    def run(self, connection_id: str, asked: Asked) -> Outcome:
        """Run a script, statement by statement, until one is refused.

        Raises:
            ConnectError: the server cannot be reached; `LostConnectionError`: it went away meanwhile.
            ConflictError: too much runs already, or something of that id.
        """
        record = self._connections.get(connection_id)
        kit = self._kit(record)
        script = statements(asked.query, kit.grammar)
        if not script:
            raise invalid({"query": "holds no statement"}, "write one")
        began, at_us = time.monotonic(), now_us()
        outcome = Outcome([], "ok", read_only=record.read_only or asked.read_only)
        with (
            self._told(record, asked, outcome, at_us),
            self._session(record, kit, asked, outcome.read_only) as (
                console,
                running,
            ),
        ):
            for statement in script:
                if not self._run_one(console, statement, asked.limits, outcome, running):
                    break
            if console.in_transaction():
                outcome.results[-1].rolled_back = True
                outcome.results[-1].notices.append("the transaction that was left open was rolled back")
            outcome.duration_ms = _since(began)
        if any(result.statement.objects for result in outcome.results):
            self._freshness.changed(self._connections.settings(record))
        return outcome

    def explain(self, connection_id: str, asked: Asked, *, analyze: bool, as_text: bool) -> tuple[Plan, float]:
        """The plan of one statement, and how many milliseconds it took.

        Raises:
            QueryError: the server refused it.
            InvalidError: it is not one statement, or cannot be analyzed.
        """
        record = self._connections.get(connection_id)
        kit = self._kit(record)
        statement = only_statement(asked.query, kit.grammar)
        read_only = record.read_only or asked.read_only
        if read_only and analyze and not statement.harmless:
            raise invalid({"query": "is not among what a read-only connection runs"}, READ_ONLY_REMEDY)
        began = time.monotonic()
        with self._session(record, kit, asked, read_only) as (console, running):
            try:
                return kit.explain(console, statement, analyze=analyze, as_text=as_text), _since(began)
            except RefusedError as exc:
                raise _failure(exc.refusal, running.reason, read_only=read_only) from exc

    def check_reading(self, connection_id: str, asked: Asked) -> Statement:
        """The one statement that is asked for; `InvalidError` unless it only reads."""
        statement = only_statement(asked.query, self._kit(self._connections.get(connection_id)).grammar)
        if not statement.harmless:
            raise invalid({"query": "is no statement that only reads"}, "export the result of a SELECT")
        return statement

    @contextmanager
    def reading(self, connection_id: str, asked: Asked) -> Iterator[ResultSet]:
        """The result of one statement, whole, in a read-only session; the caller reads its rows inside."""
        statement = self.check_reading(connection_id, asked)
        record = self._connections.get(connection_id)
        kit = self._kit(record)
        with self._session(record, kit, asked, read_only=True) as (console, running):
            try:
                results = console.execute(statement)  # held: its end is the end of the transaction
                yield next(results)
            except RefusedError as exc:
                raise _failure(exc.refusal, running.reason, read_only=True) from exc

    def names(self, connection_id: str, database: str = "", *, refresh: bool = False) -> Names:
        """What can be named in a database; up to a minute old unless ``refresh``."""
        record = self._connections.get(connection_id)
        key = (record.id, database)
        settings = self._connections.settings(record)
        mark = self._freshness.changed(settings) if refresh else self._freshness.mark(settings)
        with self._lock:
            at, kept_mark, found = self._names.get(key, (-CACHED_S, "", None))
        if found is None or not _is_fresh(at) or (mark and mark != kept_mark):
            found = self._kit(record).names(replace(settings, database=database or settings.database))
            with self._lock:
                self._names = {other: kept for other, kept in self._names.items() if _is_fresh(kept[0])}
                self._names[key] = (time.monotonic(), mark, found)
        return found

    def cancel(self, connection_id: str, query_id: str) -> None:
        """Break a run off, on whichever server it is; `NotFoundError` if nothing of that id runs."""
        if not self._stop(connection_id, query_id) and not self._cancels.ask(connection_id, query_id):
            raise NotFoundError("no query of that id runs", remedy="it has ended already; run it again")

    def _stop(self, connection_id: str, query_id: str) -> bool:
        """Break off a run of this server; whether there is one."""
        with self._lock:
            running = self._running.get((connection_id, query_id))
        if running is not None:
            running.stop("cancelled")
        return running is not None

    def close(self) -> None:
        """Break off all that runs: the server ends."""
        with self._lock:
            all_running = list(self._running.values())
        for running in all_running:
            running.stop("cancelled")

    def _kit(self, record: ConnectionRecord) -> ConsoleKit:
        spec = self.registry.find(record.type)
        if spec.console is None:
            raise invalid({"type": f"{spec.title} takes no SQL from here"})
        return spec.console()

    @property
    def registry(self) -> Registry:
        """The connectors."""
        return self._connections.registry

    @contextmanager
    def _session(
        self, record: ConnectionRecord, kit: ConsoleKit, asked: Asked, read_only: bool
    ) -> Iterator[tuple[Console, Running]]:
        """A session that is broken off when its time is over, or when it is cancelled."""
        key = (record.id, asked.query_id)
        running = self._enter(key)
        self._cancels.began()
        timer = threading.Timer(asked.limits.seconds, running.stop, ("timeout",))
        timer.daemon = True
        try:
            settings = _settings(self._connections.settings(record), asked)
            options = SessionOptions(read_only, asked.limits.seconds + _SERVER_GRACE_S, asked.schema)
            with kit.open(settings, options) as console:
                running.attach(console)
                timer.start()
                try:
                    yield console, running
                finally:
                    timer.cancel()
                    running.attach(None)
        finally:
            running.attach(None)
            self._cancels.ended()
            with self._lock:
                self._running.pop(key, None)

    def _enter(self, key: tuple[str, str]) -> Running:
        with self._lock:
            if key in self._running:
                raise ConflictError("a query of that id runs already", remedy="choose another queryId")
            if len(self._running) >= MOST_AT_ONCE:
                raise ConflictError(
                    f"{MOST_AT_ONCE} queries run already", remedy="wait until one of them ends, or cancel one"
                )
            running = self._running[key] = Running()
            return running

    @contextmanager
    def _told(self, record: ConnectionRecord, asked: Asked, outcome: Outcome, at_us: int) -> Iterator[None]:
        """Writes into the history what became of a run; hides secrets in what is told."""
        settings, error = self._connections.settings(record), ""
        try:
            yield
        except MainstemError as exc:
            outcome.status, error = "failed", exc.message
            raise
        finally:
            error = outcome.failure.message if outcome.failure is not None else error
            told = outcome.status, hide(error, settings), outcome.duration_ms, _rows(outcome)
            self.history.add(record, asked.database or record.database, asked.query, at_us, told)

    def _run_one(
        self, console: Console, statement: Statement, limits: Limits, outcome: Outcome, running: Running
    ) -> bool:
        """Run one statement; whether the next may follow."""
        began = time.monotonic()
        try:
            if running.reason:
                raise RefusedError(Refusal(""))
            if outcome.read_only and not statement.harmless:
                raise RefusedError(Refusal(f"{statement.verb or 'this'} is not among what a read-only connection runs"))
            for found in console.execute(statement):
                result = Result(statement)
                outcome.results.append(result)
                _collect(found, result, console, limits, limits.bytes - sum(one.size for one in outcome.results))
                result.duration_ms = _since(began)
            if running.reason:  # MySQL's SLEEP, broken off, is no error
                raise RefusedError(Refusal(""))
            outcome.results[-1].notices += console.notices()
        except RefusedError as exc:
            last = _fail(outcome, statement, exc.refusal, running.reason, _since(began))
            last.notices += console.notices()
            return False
        return True


def _collect(found: ResultSet, result: Result, console: Console, limits: Limits, bytes_left: int) -> None:
    kinds = found.kinds
    for row in found:
        if len(result.rows) >= limits.rows:
            result.truncated = "rows"
        elif bytes_left <= 0:
            result.truncated = "bytes"
        if result.truncated:
            console.enough(harmless=result.statement.effect is Effect.READ)
            break
        result.rows.append([_shown(cell, kind, limits.cell_bytes) for cell, kind in zip(row, kinds, strict=True)])
        size = sum(min(len(cell or b""), limits.cell_bytes) + _CELL_OVERHEAD for cell in row)
        result.size += size
        bytes_left -= size
    result.columns, result.tag, result.affected = found.columns, found.tag, found.affected


def _shown(cell: bytes | None, kind: ShownKind, most: int) -> ShownCell:
    if cell is None:
        return None
    return shown_bytes(cell, most) if kind is ShownKind.BINARY else shown_text(cell, most)


_STOPPED: dict[str, tuple[str, str, str]] = {
    "cancelled": ("query_cancelled", "the query was cancelled", ""),
    "timeout": ("query_timeout", "the query took longer than its time limit", "raise the limit, or ask for less"),
}


def _failure(refusal: Refusal, reason: str, *, read_only: bool, number: int = 1) -> QueryError:
    """The error that a refusal is."""
    if reason in _STOPPED:
        code, message, remedy = _STOPPED[reason]
        return QueryError(
            message, code=code, remedy=remedy, refusal=replace(refusal, message=message, position=None), number=number
        )
    barred = read_only and (not refusal.code or refusal.code in _READ_ONLY_CODES)
    return QueryError(
        refusal.message,
        code="read_only" if barred else QueryError.code,
        remedy=READ_ONLY_REMEDY if barred else refusal.hint,
        refusal=refusal,
        number=number,
    )


def _fail(outcome: Outcome, statement: Statement, refusal: Refusal, reason: str, duration_ms: float) -> Result:
    """Write down why the run ends here; returns the result that it concerns."""
    last = outcome.results[-1] if outcome.results else None
    if last is None or last.statement is not statement:
        last = Result(statement)
        outcome.results.append(last)
    number = len({id(result.statement) for result in outcome.results})
    outcome.failure = _failure(refusal, reason, read_only=outcome.read_only, number=number)
    outcome.status = reason or "failed"
    last.refusal, last.duration_ms = outcome.failure.refusal, duration_ms
    return last


def _settings(settings: ConnectionSettings, asked: Asked) -> ConnectionSettings:
    return replace(settings, database=asked.database or settings.database, schema=asked.schema or settings.schema)


def _rows(outcome: Outcome) -> int:
    return sum(len(result.rows) if result.columns else result.affected or 0 for result in outcome.results)


def _is_fresh(at: float) -> bool:
    return time.monotonic() - at <= CACHED_S


def _since(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 3)
