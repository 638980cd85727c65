"""Several appliers as one: each has tables, transactions and a checkpoint of its own (see docs/adr/0014)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from types import TracebackType
from typing import TypeVar

from mainstem import failpoints
from mainstem.contract.apply import Applied, Applier, ChangeTarget
from mainstem.errors import LostConnectionError, MainstemError, Retry, TakenOverError, TransientError
from mainstem.model.change import RowChanges, Truncate
from mainstem.model.names import TableId
from mainstem.model.stream import Checkpoint, DeadLetter, SchemaRecord, StreamTable

Result = TypeVar("Result")


class PartedApplier:
    """See `contract.apply.Applier`. All parts take part in every transaction, so that all are as far as the others.

    Only a commit can leave them apart, if it breaks off: then they are as far as this transaction, or the one before.
    """

    def __init__(self, target: ChangeTarget, stream_id: str, parts: Sequence[Sequence[TableId]]) -> None:
        """Connect, once for each part. Raises as `contract.apply.ChangeTarget.applier`."""
        self._of = {table: number for number, tables in enumerate(parts) for table in tables}
        with ExitStack() as stack:
            self._pool = stack.enter_context(ThreadPoolExecutor(len(parts), "part"))
            self._parts: list[Applier] = [
                stack.enter_context(target.applier(stream_id, number)) for number in range(len(parts))
            ]
            self._opened = stack.pop_all()

    def __enter__(self) -> PartedApplier:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    @property
    def fires_triggers(self) -> bool:
        """As any of them says."""
        return self._parts[0].fires_triggers

    def begin(self) -> None:
        """Start a transaction in each part."""
        self._all([part.begin for part in self._parts])

    @property
    def goes_ahead(self) -> bool:
        """Parts do not: there would be one more of each."""
        return False

    def ahead(self) -> Applier:
        """Not asked of the whole."""
        raise NotImplementedError

    def apply(self, changes: Sequence[RowChanges], tables: Mapping[TableId, StreamTable]) -> Applied:
        """Each part its own, at the same time; with an error in one of them the others take theirs back."""
        shares: dict[int, list[RowChanges]] = {}
        for share in changes:
            shares.setdefault(self._number(share.table), []).append(share)
        numbers = sorted(shares)
        done = self._whole(numbers, [_applying(self._parts[number], shares[number], tables) for number in numbers])
        applied = Applied()
        for one in done:
            applied.missing.update(one.missing)
            applied.coerced.update(one.coerced)
        return applied

    def truncate(self, part: Truncate, tables: Mapping[TableId, StreamTable]) -> None:
        """Each part its own; as `apply`."""
        shares: dict[int, list[TableId]] = {}
        for table in part.tables:
            shares.setdefault(self._number(table), []).append(table)
        numbers = sorted(shares)
        emptied = [Truncate(tuple(shares[number]), part.restart_identity) for number in numbers]
        self._whole(
            numbers,
            [_emptying(self._parts[number], share, tables) for number, share in zip(numbers, emptied, strict=True)],
        )

    def undo(self) -> None:
        """Not asked of the whole."""
        raise NotImplementedError

    def alter(self, statements: Sequence[str]) -> None:
        """Change structure; the parts have applied nothing in this transaction that could be in the way."""
        self._parts[0].alter(statements)

    def save(self, table: StreamTable) -> None:
        """With the checkpoint of its part."""
        self._parts[self._number(table.source)].save(table)

    def forget(self, table: TableId) -> None:
        """With the checkpoint of its part."""
        self._parts[self._number(table)].forget(table)

    def reject(self, letter: DeadLetter) -> None:
        """With the checkpoint of its part."""
        self._parts[self._number(letter.table)].reject(letter)

    def discard(self, table: TableId, number: int | None = None) -> int:
        """With the checkpoint of its part."""
        return self._parts[self._number(table)].discard(table, number)

    def record(self, line: SchemaRecord) -> None:
        """With the checkpoint of its table's part."""
        self._parts[self._number(line.table)].record(line)

    def commit(self, checkpoint: Checkpoint) -> None:
        """Make all of it durable: each part by itself, at the same time.

        Once one of them has, the others cannot be tried again from here, as this one would do its part twice: what
        waiting may mend becomes `LostConnectionError`, and the stream goes on from what the target has.
        """
        done, errors = self._settled([_committing(part, checkpoint) for part in self._parts])
        if not errors:
            return
        error = _gravest(errors)
        if done and error.retry is Retry.BACKOFF:
            raise LostConnectionError(
                f"only {len(done)} of {len(self._parts)} parts were committed: {error}"
            ) from error
        raise error

    def rollback(self) -> None:
        """In all parts."""
        for part in self._parts:
            part.rollback()

    def interrupt(self) -> None:
        """From another thread: break off what runs now."""
        for part in self._parts:
            part.interrupt()

    def _number(self, table: TableId) -> int:
        """The part of a table; of one that was added since, the first."""
        return self._of.get(table, 0)

    def _whole(self, numbers: Sequence[int], works: Sequence[Callable[[], Result]]) -> list[Result]:
        """All of it or, with an error that leaves the transaction as it was, nothing."""
        done, errors = self._settled(works)
        if errors:
            error = _gravest(errors)
            if not isinstance(error, LostConnectionError | TransientError | TakenOverError):
                for place in done:
                    self._parts[numbers[place]].undo()
            raise error
        return [done[place] for place in range(len(works))]

    def _all(self, works: Sequence[Callable[[], Result]]) -> None:
        _, errors = self._settled(works)
        if errors:
            raise _gravest(errors)

    def _settled(self, works: Sequence[Callable[[], Result]]) -> tuple[dict[int, Result], list[MainstemError]]:
        """Do all of it at once, and wait for all: results by place, and errors."""
        futures = [self._pool.submit(work) for work in works]
        done: dict[int, Result] = {}
        errors: list[MainstemError] = []
        for place, future in enumerate(futures):
            try:
                done[place] = future.result()
            except MainstemError as exc:
                errors.append(exc)
        return done, errors


def _gravest(errors: Sequence[MainstemError]) -> MainstemError:
    """The one that says most about what can be done now: the first of the kind after which least can."""
    for kind in (TakenOverError, LostConnectionError, TransientError):
        for error in errors:
            if isinstance(error, kind):
                return error
    return errors[0]


def _applying(
    part: Applier, changes: Sequence[RowChanges], tables: Mapping[TableId, StreamTable]
) -> Callable[[], Applied]:
    return lambda: part.apply(changes, tables)


def _emptying(part: Applier, share: Truncate, tables: Mapping[TableId, StreamTable]) -> Callable[[], None]:
    return lambda: part.truncate(share, tables)


def _committing(part: Applier, checkpoint: Checkpoint) -> Callable[[], None]:
    def commit() -> None:
        part.commit(checkpoint)
        failpoints.hit("parted.committed")

    return commit
