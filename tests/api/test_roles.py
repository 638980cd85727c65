"""Processes with roles: control planes of an API server, a reader and a writer, on one store and hub."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from mainstem.api.app import make_app, make_probed_app
from mainstem.api.services import Services
from mainstem.bootstrap.server import control_plane
from mainstem.cli.serve import settings
from mainstem.errors import InvalidError
from mainstem.model.connection import ConnectionSettings
from mainstem.testing.nats import nats
from tests.api.conftest import KEY
from tests.api.drive import count, fill, finish, make, start
from tests.api.planes import served
from tests.store.conftest import postgres_url

ROLES = ("api", "reader", "writer")
SECRET = base64.b64encode(b"k" * 32).decode()


@pytest.fixture
def planes(tmp_path: Path, postgres_db: ConnectionSettings) -> Iterator[dict[str, Services]]:
    with nats() as hub, ExitStack() as stack:
        yield {
            role: stack.enter_context(
                control_plane(
                    settings(
                        role=role, home=tmp_path / role, store_url=postgres_url(postgres_db), hub=hub.url,
                        secret_key=SECRET, api_key=KEY,
                    )
                )
            )[0]
            for role in ROLES
        }  # fmt: skip


def test_what_one_process_is_asked_for_others_read_and_write(
    planes: dict[str, Services], mysql_db: ConnectionSettings, postgres15_db: ConnectionSettings
) -> None:
    fill(mysql_db, 2_000)
    with (
        served(make_app(planes["api"])) as url,
        httpx.Client(base_url=url, headers={"X-API-Key": KEY}, timeout=60) as api,
    ):
        stream = start(api, make(api, mysql_db, postgres15_db))
        stats = finish(api, stream)
        assert (stats["status"], stats["totals"]["rowsWritten"]) == ("FINISHED", 2_000)
        members = api.get("/system/members").json()
        services = {item["name"]: item["status"] for item in api.get("/services/status").json()["services"]}
    assert count(postgres15_db) == 2_000
    assert [member["roles"] for member in members] == [[role] for role in ROLES]
    assert [member["answers"] for member in members] == [True, False, False]
    assert set(services.values()) == {"passing"}
    with served(make_probed_app(planes["writer"])) as url, httpx.Client(base_url=url) as probe:
        keyed, bare = {"X-API-Key": KEY}, url.removesuffix("/api/v1")
        assert [probe.get(path).status_code for path in ("/ready", f"{bare}/ready", f"{bare}/health")] == [200] * 3
        assert [probe.get(f"{bare}/metrics", headers=headers).status_code for headers in ({}, keyed)] == [401, 200]
        assert probe.get("/streams", headers=keyed).status_code == 404


@pytest.mark.parametrize("role", ["writer", "api,reader", "cook", " , "])
def test_a_role_that_cannot_be_played_is_refused_by_the_names_of_settings(role: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidError) as caught, control_plane(settings(role=role, home=tmp_path)):
        pass
    known = role in {"writer", "api,reader"}
    assert set(caught.value.fields) == ({"MAINSTEM_STORE_URL", "MAINSTEM_HUB"} if known else {"MAINSTEM_ROLE"})
    assert list(tmp_path.iterdir()) == []


def test_all_roles_by_name_are_all() -> None:
    assert settings(role="writer, API,reader").role == "all"
    assert settings(role="all").roles == {"api", "reader", "writer"}
    assert settings(role="Reader").roles == {"reader"}
