"""Traces: what a run spends its time on, as spans of OpenTelemetry. Unless `start` is called, nothing is loaded.

A span carries names, numbers and positions, and of an error its code: never a row's value, a message or a password.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from enum import Enum
from typing import Protocol

from mainstem.errors import CancelledError, InvalidError, MainstemError

Value = str | int | float | bool
MAX_LINKS = 32
"""Of a span: what goes into one transaction of a target may come from thousands of groups."""


class Kind(Enum):
    """What a span is to the other side of a connection or queue."""

    INTERNAL = "INTERNAL"
    SERVER = "SERVER"
    CLIENT = "CLIENT"
    PRODUCER = "PRODUCER"
    CONSUMER = "CONSUMER"


class Span(Protocol):
    """Something that takes time."""

    @property
    def carrier(self) -> str:
        """What others need to go on with its trace, W3C's traceparent; empty while tracing is off."""
        ...

    def name(self, name: str) -> None:
        """Call it otherwise, now that it is known."""
        ...

    def note(self, **values: Value) -> None:
        """Attributes, named ``mainstem.…`` in the trace."""
        ...

    def fail(self, code: str) -> None:
        """It came to nothing, for this reason."""
        ...

    def end(self) -> None:
        """It is over."""
        ...


class Tracer(Protocol):
    """Makes spans."""

    def begin(self, name: str, kind: Kind, parent: str | None, links: Sequence[str], values: dict[str, Value]) -> Span:
        """Begin a span; `span` says what the arguments mean."""
        ...

    def attached(self, span: Span) -> AbstractContextManager[object]:
        """A context manager in which this span is the one that others begin under, in this thread."""
        ...

    def resumed(self, carrier: str) -> AbstractContextManager[object]:
        """The same for a span of elsewhere."""
        ...

    def carrier(self) -> str:
        """Of the span that this thread is in."""
        ...

    def close(self) -> None:
        """Send what waits, for some seconds at most."""
        ...


class _Nothing:
    """The span of a process that does not trace."""

    carrier = ""

    def name(self, name: str) -> None:
        return

    def note(self, **values: Value) -> None:
        return

    def fail(self, code: str) -> None:
        return

    def end(self) -> None:
        return


NOTHING: Span = _Nothing()
_tracer: Tracer | None = None


def is_on() -> bool:
    """Whether spans go anywhere."""
    return _tracer is not None


def begin(
    name: str,
    kind: Kind = Kind.INTERNAL,
    *,
    parent: str | None = None,
    links: Sequence[str] = (),
    **values: Value,
) -> Span:
    """Begin a span that its caller ends; as `span` otherwise."""
    if _tracer is None:
        return NOTHING
    return _tracer.begin(name, kind, parent, links, values)


@contextmanager
def span(
    name: str,
    kind: Kind = Kind.INTERNAL,
    *,
    parent: str | None = None,
    links: Sequence[str] = (),
    **values: Value,
) -> Iterator[Span]:
    """A span around the body, which others begin under; an error in it is told by its code, and passes.

    Args:
        parent: the carrier of the span that it belongs to; empty begins a trace; None: the one that the thread is in.
        links: carriers of others that it has to do with.
    """
    if _tracer is None:
        yield NOTHING
        return
    found = _tracer.begin(name, kind, parent, links, values)
    try:
        with _tracer.attached(found):
            yield found
    except CancelledError:
        found.note(cancelled=True)
        raise
    except BaseException as exc:
        found.fail(exc.code if isinstance(exc, MainstemError) else type(exc).__name__)
        raise
    finally:
        found.end()


def within(span: Span) -> AbstractContextManager[object]:
    """What is begun in the body by this thread belongs to a span that is already begun."""
    return nullcontext() if _tracer is None or span is NOTHING else _tracer.attached(span)


def resumed(carrier: str) -> AbstractContextManager[object]:
    """What is begun in the body by this thread belongs to a span of elsewhere; an empty carrier changes nothing."""
    return _tracer.resumed(carrier) if _tracer is not None and carrier else nullcontext()


def untraced() -> AbstractContextManager[Span]:
    """In place of a span, where there is nothing to tell."""
    return nullcontext(NOTHING)


def carrier() -> str:
    """What another process needs to go on with this thread's trace; empty while tracing is off."""
    return "" if _tracer is None else _tracer.carrier()


def start(endpoint: str, **resource: str) -> None:
    """Send spans to a collector from now on.

    Args:
        endpoint: of OTLP by HTTP; empty: what OpenTelemetry's own variables (``OTEL_EXPORTER_OTLP_…``) say.
        resource: what this process is; ``OTEL_RESOURCE_ATTRIBUTES`` and ``OTEL_SERVICE_NAME`` say more.

    Raises:
        InvalidError: the packages are not installed.
    """
    global _tracer
    try:
        from mainstem.tracing.otel import OtelTracer
    except ImportError as exc:
        raise InvalidError(
            "traces are asked for, and OpenTelemetry's packages are not installed",
            fields={"MAINSTEM_TRACES": "needs the extra otel"},
            remedy="pip install 'mainstem[otel]', or set MAINSTEM_TRACES=off",
        ) from exc
    stop()
    _tracer = OtelTracer(endpoint, resource)


def stop() -> None:
    """Send what waits, and trace no more."""
    global _tracer
    tracer, _tracer = _tracer, None
    if tracer is not None:
        tracer.close()
