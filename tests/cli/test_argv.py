from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mainstem.cli.argv import mask_url, masked
from tests.cli.conftest import environment

SECRET = "pl4nted-s3cret"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mysql://u:pw@h:3306/db", "mysql://u:***@h:3306/db"),
        ("mysql://u@h/db", "mysql://u@h/db"),
        ("mysql://u:${MYSQL_PWD}@h/db", "mysql://u:${MYSQL_PWD}@h/db"),
        ("mysql://u:a@b:c/d@h/db", "mysql://u:***@h/db"),
        ("postgresql://u@h/db?password=pw&sslmode=require", "postgresql://u@h/db?password=***&sslmode=require"),
        ("http://127.0.0.1:8020", "http://127.0.0.1:8020"),
        ("orders.total=numeric(14,2)", "orders.total=numeric(14,2)"),
    ],
)
def test_a_password_in_a_url_is_masked(text: str, shown: str) -> None:
    assert mask_url(text) == shown


def test_the_value_of_a_secret_option_is_masked() -> None:
    assert masked(["streams", "list", "--key", "k1", "--key=k2"]) == ["streams", "list", "--key", "***", "--key=***"]


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc")
@pytest.mark.parametrize("command", [("doctor",), ("copy",)])
def test_the_process_list_does_not_show_a_password(command: tuple[str, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes the connection and says nothing
        silent.settimeout(60)
        port = silent.getsockname()[1]
        urls = [f"mysql://root:{SECRET}@127.0.0.1:{port}/db", f"postgresql://root:{SECRET}@127.0.0.1:{port}/db"]
        process = subprocess.Popen(
            [sys.executable, "-m", "mainstem", *command, *urls],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment(),
        )
        try:
            connection, _ = silent.accept()  # it is at work now
            with connection:
                shown = Path(f"/proc/{process.pid}/cmdline").read_bytes().rstrip(b"\0").decode()
        finally:
            process.kill()
            process.wait()
    assert SECRET not in shown
    assert shown.startswith(f"mainstem {command[0]} mysql://root:***@127.0.0.1:{port}/db")


def test_a_command_without_secrets_keeps_its_name_in_the_process_list() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        port = silent.getsockname()[1]
        process = subprocess.Popen(
            [sys.executable, "-m", "mainstem", "doctor", f"mysql://root@127.0.0.1:{port}/db"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment(MYSQL_PWD=SECRET),
        )
        try:
            connection, _ = silent.accept()
            connection.close()
            deadline = time.monotonic() + 60
            while process.poll() is None and time.monotonic() < deadline:
                shown = Path(f"/proc/{process.pid}/cmdline").read_bytes()
                assert SECRET.encode() not in shown
                time.sleep(0.02)
        finally:
            process.kill()
            process.wait()
