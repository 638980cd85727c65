"""Logging: structlog to stderr and, if asked for, to a file; whatever looks like a secret is replaced on the way."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import structlog

REDACTED = "[REDACTED]"
_SECRET_NAME = re.compile(
    r"password|passwd|secret|token|api[_-]?key|client[_-]?key|private[_-]?key|authorization|credential|dsn$",
    re.IGNORECASE,
)
_SECRET_TEXT = (
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s:/@]*):[^\s@/]+@", re.IGNORECASE), r"\1:****@"),
    (re.compile(r"\b(ms_[A-Za-z0-9]{4})[A-Za-z0-9_-]{8,}"), r"\1****"),
    (re.compile(r"((?:password|api_key|secret)\s*[=:]\s*)[^\s&,;\"']+", re.IGNORECASE), rf"\1{REDACTED}"),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL), REDACTED),
)


def redact_text(text: str) -> str:
    """A text without passwords of URLs, API keys, ``password=…`` pairs and private keys."""
    for pattern, replacement in _SECRET_TEXT:
        text = pattern.sub(replacement, text)
    return text


def _redact(value: Any) -> Any:
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, dict):
        return {
            key: REDACTED if _SECRET_NAME.search(str(key)) and item else _redact(item) for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_redact(item) for item in value]
    return value


def redact_event(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The structlog processor: members with a secret's name, and secrets inside texts."""
    return {name: item if name in _INNER else _redact({name: item})[name] for name, item in event.items()}


_INNER = frozenset({"_record", "_from_structlog", "exc_info"})  # structlog's own members, gone before a line is written


def configure(level: str = "info", *, file: Path | None = None, json_lines: bool | None = None) -> None:
    """Send all logging of this process (ours and the libraries') through one chain.

    Args:
        level: ``debug``, ``info``, ``warning`` or ``error``.
        file: a second copy, always JSON lines.
        json_lines: JSON on stderr; None means "unless stderr is a terminal".
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    as_json = not sys.stderr.isatty() if json_lines is None else json_lines
    handlers: list[logging.Handler] = [_handler(logging.StreamHandler(sys.stderr), shared, as_json=as_json)]
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(_handler(logging.FileHandler(file, encoding="utf-8"), shared, as_json=True))
    root = logging.getLogger()
    for old in root.handlers[:]:
        if getattr(old, "mainstem", False):
            root.removeHandler(old)
            old.close()
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(level.upper())
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("sqlglot").setLevel(logging.ERROR)  # its warnings quote the user's SQL


def _handler(handler: logging.Handler, shared: list[Any], *, as_json: bool) -> logging.Handler:
    last: list[Any] = (
        [structlog.processors.format_exc_info, redact_event, structlog.processors.JSONRenderer(ensure_ascii=False)]
        if as_json
        else [structlog.processors.format_exc_info, redact_event, structlog.dev.ConsoleRenderer()]
    )
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last]
        )
    )
    handler.mainstem = True  # type: ignore[attr-defined]  # so that a second `configure` replaces it
    return handler


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger; call it with an event and members: ``log.info("stream started", stream=id)``."""
    found: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return found
