"""The server over a PostgreSQL store: what it knew before it ended it knows again, and no secret is readable there."""

from __future__ import annotations

from mainstem.model.connection import ConnectionSettings
from tests.api.conftest import Server, body
from tests.api.drive import count, fill, finish, make, postgres, start
from tests.conftest import _postgres_database

SECRET = "pl4nted-in-a-St0re"


def everything(settings: ConnectionSettings) -> str:
    """Every row of every table, as text."""
    tables = [name for (name,) in postgres(settings, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    assert len(tables) >= 5
    return "\n".join(str(postgres(settings, f"SELECT t.*::text FROM {name} t")) for name in tables)


def test_a_server_finds_its_state_again(
    own_server: Server,
    mysql_db: ConnectionSettings,
    postgres_db: ConnectionSettings,
    postgres18_server: ConnectionSettings,
) -> None:
    store = next(databases := _postgres_database(postgres18_server))
    url = f"postgresql://{store.username}:{store.password}@{store.host}:{store.port}/{store.database}"
    fill(mysql_db, 2_000)
    own_server.start(MAINSTEM_STORE_URL=url)
    with own_server.client() as api:
        spare = api.post("/connections", json={**body(mysql_db, "spare"), "password": SECRET}).json()
        config = make(api, mysql_db, postgres_db)
        stream = start(api, config)
        stats = finish(api, stream)
        assert (stats["status"], stats["totals"]["rowsWritten"]) == ("FINISHED", 2_000)
        before = [api.get(path).json() for path in paths(config, stream)]
    own_server.end(kill=True)
    own_server.start(MAINSTEM_STORE_URL=url)
    with own_server.client() as api:
        assert [api.get(path).json() for path in paths(config, stream)] == before
        assert spare["id"] in [item["id"] for item in api.get("/connections").json()]
        source = api.get(f"/stream-configs/{config}").json()["source"]
        assert api.post(f"/connections/{source}/ping").json()["ping"] == "ok"  # its password can still be opened
        again = finish(api, start(api, make(api, mysql_db, postgres_db, writeMode="truncate_and_load")))
        assert again["status"] == "FINISHED"
    assert count(postgres_db) == 2_000
    own_server.end()
    assert SECRET not in everything(store)
    assert not list(own_server.home.glob("*.db"))
    next(databases, None)


def paths(config: str, stream: str) -> list[str]:
    return [
        "/connections", "/stream-configs", f"/stream-configs/{config}/history", "/streams", f"/streams/{stream}",
        f"/streams/{stream}/stats", f"/streams/{stream}/logs",
    ]  # fmt: skip
