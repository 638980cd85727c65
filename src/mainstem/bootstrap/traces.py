"""Whether a process traces, and where to."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from urllib.parse import urlsplit

from mainstem import tracing
from mainstem.errors import InvalidError

VARIABLE = "MAINSTEM_TRACES"
OFF = "off"
STANDARD = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


@contextmanager
def traces(setting: str | None, **resource: str) -> Iterator[None]:
    """Trace meanwhile, if it is wanted: by the setting, or by OpenTelemetry's own variables.

    Those often are of a whole cluster, so that they start nothing that would fail.

    Args:
        setting: an address of OTLP over HTTP; ``off``; None or empty: as the standard variables say.
        resource: what this process is.

    Raises:
        InvalidError: the setting is no address, or the packages are not installed.
    """
    if not _start(setting or "", resource):
        yield
        return
    try:
        yield
    finally:
        tracing.stop()


def traces_of_command(**resource: str) -> AbstractContextManager[None]:
    """The same for a command that runs by itself; its settings are not loaded for it."""
    return traces(os.environ.get(VARIABLE), **resource)


def _start(setting: str, resource: dict[str, str]) -> bool:
    if setting == OFF or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    if not setting:
        if not any(os.environ.get(name) for name in STANDARD):
            return False
        try:
            tracing.start("", **resource)
        except InvalidError as exc:
            logging.getLogger(__name__).warning("traces are off: %s (%s)", exc.message, exc.remedy)
            return False
        return True
    parts = urlsplit(setting)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidError(
            "MAINSTEM_TRACES is no address of a collector",
            fields={VARIABLE: "must be http://host:port or https://…, or off"},
            remedy="MAINSTEM_TRACES=http://localhost:4318",
        )
    tracing.start(setting, **resource)
    return True
