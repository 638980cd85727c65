"""A MySQL or MariaDB database to write to."""

from __future__ import annotations

from mainstem.connectors.mysql.build import MysqlBuilder
from mainstem.connectors.mysql.client import connect, translating
from mainstem.connectors.mysql.fence import run_fence
from mainstem.connectors.mysql.ledger import MysqlLedger
from mainstem.connectors.mysql.load import MysqlLoader
from mainstem.model.connection import ConnectionSettings
from mainstem.model.run import RunOptions


class MysqlTarget:
    """See `contract.target.Target`."""

    def __init__(self, settings: ConnectionSettings, options: RunOptions) -> None:
        self._settings = settings
        self._options = options

    def ledger(self, run_id: str) -> MysqlLedger:
        """The ledger of a run."""
        return MysqlLedger(self._settings, run_id, self._options.token)

    def builder(self, run_id: str) -> MysqlBuilder:
        """A connection that changes structure."""
        return MysqlBuilder(self._settings, run_id, self._options.token)

    def loader(self, run_id: str) -> MysqlLoader:
        """A connection that writes rows."""
        return MysqlLoader(self._settings, self._options, run_id)

    def end_loader(self, run_id: str, session: str) -> None:
        """End the connection of a loader whose process was lost."""
        with connect(self._settings) as connection, translating():
            run_fence(self._settings, run_id, self._options.token).end_own(connection, int(session))
