from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from mainstem.cli.app import make_app
from mainstem.contract.fleet import Member
from mainstem.contract.store import ApiKeyRecord, ConfigRecord, ConnectionRecord, QueryRecord, StreamRecord, Voucher
from mainstem.errors import ConflictError, NotFoundError
from mainstem.model.connection import ConnectionSettings
from mainstem.model.event import Category, Event, Level
from mainstem.model.run import RunState
from mainstem.store.moving import move
from mainstem.store.sql import SqlStore
from mainstem.store.tables import FLEETING, metadata
from tests.store.conftest import postgres_url


def line(text: str) -> Event:
    return Event(Level.INFO, Category.GENERAL, text, 1, "api", {"a": [1, None]})


def filled(url: str) -> None:
    store = SqlStore(url)
    store.add_connection(
        ConnectionRecord(
            "conn_1", 1, "Ünï 漢字", "mysql", "mariadb", "h", 3306, "u", "d", "", "", {"password": "v1:x"}, True
        )
    )
    store.add_config(ConfigRecord("config_1", 2, "c", "cdc", "conn_1", "conn_1", {"deep": {"er": [1.5]}}))
    store.add_stream(StreamRecord("stream_1", 3, "config_1", "c", "cdc", "conn_1", "conn_1", {"b": 1}, RunState.PAUSED))
    store.append_logs([("stream_1", line(f"line {number}")) for number in range(1200)], keep=2000)
    store.save_timeline("stream_1", {"points": [1, 2]})
    store.add_key(ApiKeyRecord("key_1", 4, "k", "digest", "last"))
    store.add_query(QueryRecord(5, "conn_1", "n", "d", "SELECT 1", "done", "", 1, 2), keep=10)
    store.set_setting("install_id", "install_x")
    assert store.fleet.acquire("stream/stream_1", "member_1", 6)
    store.add_voucher(Voucher("ticket", "t", "v"), lasts_s=60, most=1)
    store.close()


def content(url: str) -> dict[str, list[tuple[object, ...]]]:
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        found = {
            table.name: [
                tuple(row) for row in connection.execute(sa.select(table).order_by(*table.primary_key.columns))
            ]
            for table in metadata.sorted_tables
            if table not in FLEETING
        }
    engine.dispose()
    return found


@pytest.fixture
def file_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'mainstem.db'}"


def test_a_store_moves_to_postgresql_and_back_with_all_that_it_holds(
    file_url: str, tmp_path: Path, postgres_db: ConnectionSettings
) -> None:
    filled(file_url)
    there, back = postgres_url(postgres_db), f"sqlite:///{tmp_path / 'back.db'}"
    moved = move(file_url, there)
    assert moved["stream_logs"] == 1200
    assert all(moved.values())
    assert content(there) == content(file_url)
    move(there, back)
    assert content(back) == content(file_url)


def test_a_store_that_has_moved_goes_on_with_new_numbers(file_url: str, postgres_db: ConnectionSettings) -> None:
    filled(file_url)
    move(file_url, postgres_url(postgres_db))
    store = SqlStore(postgres_url(postgres_db))
    store.append_logs([("stream_1", line("after"))], keep=2000)
    assert [found.number for found in store.logs("stream_1", limit=1)] == [1201]
    store.close()


def test_a_store_that_holds_something_is_not_written_to(file_url: str, postgres_db: ConnectionSettings) -> None:
    filled(file_url)
    filled(postgres_url(postgres_db))
    before = content(postgres_url(postgres_db))
    with pytest.raises(ConflictError, match="holds something"):
        move(file_url, postgres_url(postgres_db))
    assert content(postgres_url(postgres_db)) == before


@pytest.mark.parametrize("busy", ["source", "target"])
def test_a_store_that_a_server_uses_is_left_alone(busy: str, file_url: str, postgres_db: ConnectionSettings) -> None:
    filled(file_url)
    urls = {"source": file_url, "target": postgres_url(postgres_db)}
    server = SqlStore(urls[busy])
    server.claim()
    with pytest.raises(ConflictError, match="another server"):
        move(urls["source"], urls["target"])
    server.close()


def test_a_store_whose_servers_only_beat_is_left_alone(file_url: str, postgres_db: ConnectionSettings) -> None:
    filled(file_url)
    store = SqlStore(postgres_url(postgres_db))
    store.fleet.beat(Member("member_1", ("api",), "host", 1, "1.0"))
    with pytest.raises(ConflictError, match="a server uses"):
        move(file_url, postgres_url(postgres_db))
    store.fleet.leave("member_1")
    store.close()
    assert move(file_url, postgres_url(postgres_db))["stream_logs"] == 1200


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path, file_url: str) -> None:
    with pytest.raises(NotFoundError, match="no store"):
        move(f"sqlite:///{tmp_path / 'nowhere.db'}", file_url)
    assert not (tmp_path / "nowhere.db").exists()
    filled(file_url)
    with pytest.raises(ConflictError, match="the same store"):
        move(file_url, file_url)


def test_the_command_moves_the_store_of_a_home(tmp_path: Path, postgres_db: ConnectionSettings) -> None:
    filled(f"sqlite:///{tmp_path / 'mainstem.db'}")
    command = ["store", "migrate", postgres_url(postgres_db), "--home", str(tmp_path), "--json"]
    done = CliRunner().invoke(make_app("store"), command, catch_exceptions=False)
    assert done.exit_code == 0
    assert '"stream_logs": 1200' in done.stdout
