from __future__ import annotations

from collections.abc import Sequence

from mainstem.connectors.mysql.log_lag import Lag
from mainstem.connectors.mysql.log_side import Rows, Side, identify, log_end
from mainstem.model.connection import ConnectionSettings


class Listening(Side):
    """Remembers what is asked."""

    def __init__(self, settings: ConnectionSettings) -> None:
        super().__init__(settings)
        self.asked: list[str] = []

    def ask(self, sql: str, arguments: Sequence[object] = ()) -> Rows:
        self.asked.append(sql)
        return super().ask(sql, arguments)


def test_how_far_a_reader_is_behind_is_asked_without_having_the_server_read_its_log(
    mariadb_server: ConnectionSettings,
) -> None:
    """A reader asks again and again; MariaDB finds the GTIDs of a place by reading the file up to there."""
    side = Listening(mariadb_server)
    try:
        identity = identify(side)
        end = log_end(side, identity)
        side.asked.clear()
        behind = Lag(side, identity).bytes_behind(end)
        assert behind is not None
        assert behind >= 0
        assert side.asked
        assert not any("GTID" in question for question in side.asked)
    finally:
        side.close()
