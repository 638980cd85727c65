"""A server's data folder, and what may be done with its store without the server and all that it imports."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mainstem.control.keys import ApiKeys
from mainstem.errors import InvalidError
from mainstem.settings import Settings
from mainstem.store.sql import SqlStore


@contextmanager
def api_keys(settings: Settings) -> Iterator[ApiKeys]:
    """The API keys of the store, for the command line; may be used beside a running server."""
    make_home(settings)
    store = SqlStore(settings.resolved_store_url)
    try:
        yield ApiKeys(store)
    finally:
        store.close()


def make_home(settings: Settings) -> None:
    """The data folder, for its owner alone; `InvalidError` when it cannot be made."""
    try:
        settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as exc:
        raise InvalidError(
            f"the data folder {settings.home} cannot be made: {exc.strerror}",
            fields={"MAINSTEM_HOME": "cannot be made or is no folder"},
            remedy="set MAINSTEM_HOME to a folder that you may write to",
        ) from exc
