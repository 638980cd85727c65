"""Planted secrets, searched wherever the server leaves something: answers, live log, logs, store, process list."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from mainstem.model.connection import ConnectionSettings, SslMode
from tests.api.conftest import KEY, Server, body
from tests.api.drive import fill, finish, mysql, start, wait_for
from tests.connectors import tls

PASSWORD = "pl4nted-S3cret"
WRONG = "wr0ng-Pl4nt"
STORED = "st0red-0nly"


class Heard:
    """All that a server said over HTTP: bodies and headers of answers, and the live log."""

    def __init__(self, server: Server) -> None:
        self.said: list[bytes] = []
        self._server = server
        self.connected = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()
        assert self.connected.wait(60)

    def _listen(self) -> None:
        with suppress(httpx.HTTPError), httpx.stream("GET", f"{self._server.url}/logs/stream", timeout=60) as live:
            for piece in live.iter_raw():
                self.said.append(piece)
                self.connected.set()

    def hear(self, response: httpx.Response) -> None:
        """For the client's hooks."""
        self.said.append(response.read() + str(response.headers).encode())

    @property
    def all(self) -> bytes:
        return b"".join(self.said)


@pytest.fixture
def planted_user(mysql_db: ConnectionSettings) -> Iterator[ConnectionSettings]:
    """A login of the source whose password is the planted one."""
    user = f"u{os.urandom(4).hex()}"
    mysql(
        mysql_db,
        f"CREATE USER {user}@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'",
        f"GRANT ALL ON {mysql_db.database}.* TO {user}@'127.0.0.1'",
    )
    yield replace(mysql_db, username=user, password=PASSWORD)
    mysql(mysql_db, f"DROP USER {user}@'127.0.0.1'")


def processes() -> bytes:
    """Command lines of all processes, and what those under us have in their environment."""
    found = b""
    for folder in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            with suppress(OSError):
                found += (folder / name).read_bytes()
    return found


def ssl_body() -> tuple[dict[str, Any], list[bytes]]:
    """TLS files as clients send them, and pieces of the private key that must not come back."""
    files = tls.Certificates().ssl(SslMode.REQUIRE, client="good")
    sent = {name: base64.b64encode(getattr(files, name)).decode() for name in ("ca", "client_cert", "client_key")}
    return {"mode": "require", **sent}, [files.client_key.splitlines()[2], sent["client_key"].encode()[100:160]]


def test_planted_secrets_are_found_nowhere(
    own_server: Server, planted_user: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    fill(planted_user, 10)
    ssl, key_pieces = ssl_body()
    own_server.start(MAINSTEM_LOG_LEVEL="debug")
    heard = Heard(own_server)
    with own_server.client() as api:
        api.event_hooks["response"].append(heard.hear)
        login = body(planted_user)
        source = api.post("/connections", json=login).json()["id"]
        spare = api.post("/connections", json={**login, "password": STORED, "ssl": ssl}).json()["id"]
        api.put(f"/connections/{spare}/clone")
        for made in ({**login, "password": WRONG}, {**login, "ssl": ssl}, {**login, "database": "nowhere"}):
            api.post("/connections/test", json=made)
            broken = api.post("/connections", json=made).json()["id"]
            for call in ("ping", "tables", "meta", "databases"):
                api.get(f"/connections/{broken}/{call}")
        for wrong in ({"port": "x"}, {"ssl": {**ssl, "ca": "%"}}, {"type": PASSWORD[:3]}, {"host": f"u:{PASSWORD}@h"}):
            assert api.post("/connections", json={**login, **wrong}).status_code == 400
        api.post("/connections", content=f'{{"password": "{PASSWORD}", '.encode())
        url = f"mysql://u:{PASSWORD}@127.0.0.1/x"
        api.post("/stream-configs", json={"source": url, "target": url, "mode": "convert"})
        api.get(f"/connections/{url}")
        target = api.post("/connections", json=body(postgres_db)).json()["id"]
        config = api.post("/stream-configs", json={"source": source, "target": target, "mode": "convert"}).json()["id"]
        api.get(f"/stream-configs/{config}/plan")
        stream = start(api, config)
        assert finish(api, stream)["status"] == "FINISHED"
        api.get(f"/streams/{stream}/logs")
        bad = api.post("/connections", json={**login, "password": WRONG}).json()["id"]
        other = api.post("/stream-configs", json={"source": bad, "target": target, "mode": "convert"}).json()["id"]
        assert api.post(f"/stream-configs/{other}/start").status_code == 503
        seen = processes()
        wal = own_server.home / "mainstem.db-wal"
        live = b"".join(path.read_bytes() for path in own_server.home.rglob("*") if path.is_file())
        assert wal.exists()
    own_server.end()
    files = b"".join(path.read_bytes() for path in own_server.home.rglob("*") if path.is_file())
    assert b"FINISHED" in heard.all
    for secret in (PASSWORD.encode(), WRONG.encode(), STORED.encode(), *key_pieces):
        assert secret not in heard.all
        assert secret not in seen
        assert secret not in live + files
    assert KEY.encode() not in heard.all + live + files
    for name in ("secret.key", "mainstem.db"):
        assert oct((own_server.home / name).stat().st_mode)[-3:] == "600"


@pytest.mark.parametrize("how", ["url", "reference", "environment"])
def test_the_command_line_shows_no_password_while_it_runs(
    how: str, planted_user: ConnectionSettings, postgres_db: ConnectionSettings, tmp_path: Path
) -> None:
    """A password in a URL is overwritten in the process list; a reference or MYSQL_PWD never puts it there."""
    fill(planted_user, 400_000)
    word = {"url": f":{PASSWORD}", "reference": ":${SOURCE_PASSWORD}", "environment": ""}[how]
    source = f"mysql://{planted_user.username}{word}@127.0.0.1:{planted_user.port}/{planted_user.database}"
    target = f"postgresql://postgres:postgres@127.0.0.1:{postgres_db.port}/{postgres_db.database}"
    given = {"reference": {"SOURCE_PASSWORD": PASSWORD}, "environment": {"MYSQL_PWD": PASSWORD}}.get(how, {})
    process = subprocess.Popen(
        [sys.executable, "-m", "mainstem", "copy", source, target],
        env={**os.environ, **given}, cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        wait_for(lambda: _copying(planted_user) or process.poll() is not None, "the copy did not begin")
        assert process.poll() is None
        command_line = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        assert planted_user.username.encode() in command_line
        assert PASSWORD.encode() not in command_line
    finally:
        output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output.decode()
    assert PASSWORD.encode() not in output


def _copying(settings: ConnectionSettings) -> bool:
    """Whether someone else is logged in as this user."""
    own = "SELECT COUNT(*) FROM information_schema.processlist WHERE user = SUBSTRING_INDEX(USER(), '@', 1)"
    return int(mysql(settings, own)[0][0]) > 1


def test_a_store_is_not_opened_with_another_secret_key(own_server: Server) -> None:
    """Its secrets could not be read; the server says so at once, and the right key still works afterwards."""
    own_server.start()
    with own_server.client() as api:
        settings = ConnectionSettings("mysql", "127.0.0.1", 1, "u", STORED, "d")
        made = api.post("/connections", json=body(settings)).json()["id"]
    own_server.end()
    key = own_server.home / "secret.key"
    right = key.read_bytes()
    other = base64.b64encode(os.urandom(32)).decode()
    with pytest.raises(AssertionError, match="secret"):
        own_server.start(MAINSTEM_SECRET_KEY=other)
    assert own_server.process is not None
    assert own_server.process.returncode == 2
    log = own_server.log.read_text()
    assert "Traceback" not in log
    assert other not in log
    assert key.read_bytes() == right
    own_server.start()
    with own_server.client() as api:
        assert api.post(f"/connections/{made}/ping").json()["code"] == "refused"
