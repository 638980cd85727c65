"""``mainstem replicate`` as a user runs it, on real servers."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import DEADLINE_S, Outcome, Pair, environment, mainstem


class Replicating:
    """A process that replicates; what it prints goes to files."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._out, self._err = folder / "out", folder / "err"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mainstem", "replicate", *arguments], stdin=subprocess.DEVNULL, stdout=out,
                stderr=err, env=environment(),
            )  # fmt: skip

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert self.process.poll() is None, self._err.read_text() + self._out.read_text()
            assert time.monotonic() < deadline, self._err.read_text()
            time.sleep(0.02)

    def interrupted(self) -> Outcome:
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(DEADLINE_S)
        return Outcome(code, self._out.read_text(), self._err.read_text())


def streams(pair: Pair, statement: str = "SELECT count(*) FROM purchase", found: Any = 1000) -> bool:
    try:
        return pair.postgres(statement) == [(found,)]
    except Exception:  # the table is not there yet
        return False


def test_a_replication_copies_streams_stops_and_goes_on(pair: Pair, tmp_path: Path) -> None:
    arguments = (*pair.urls, "--id", "shop", "--json")
    running = Replicating(tmp_path, *arguments)
    running.until(lambda: streams(pair))
    pair.mysql(
        "INSERT INTO customer (id, name) VALUES (500, 'new'), (501, 'gone')", "DELETE FROM customer WHERE id = 501"
    )
    running.until(lambda: streams(pair, "SELECT count(*) FROM customer", 201))
    done = running.interrupted()
    assert done.code == 0, done.err
    document = done.document
    assert (document["id"], document["status"], document["stage"]) == ("shop", "STOPPED", "streaming")
    assert document["changes"]["transactions"] >= 1
    assert "--id shop" in document["resume"]
    pair.mysql("UPDATE customer SET name = 'while it was away' WHERE id = 500")
    again = Replicating(tmp_path, *arguments)
    again.until(lambda: streams(pair, "SELECT name FROM customer WHERE id = 500", "while it was away"))
    assert again.interrupted().code == 0
    forgotten = mainstem("replicate", *pair.urls, "--id", "shop", "--forget")
    assert (forgotten.code, "is forgotten" in forgotten.out) == (0, True), forgotten.err
    unknown = mainstem("replicate", *pair.urls, "--id", "shop", "--forget")
    assert (unknown.code, "knows no stream called shop" in unknown.err) == (2, True)


def test_a_cut_over_ends_it_and_says_that_it_is_safe(pair: Pair) -> None:
    done = mainstem("replicate", *pair.urls, "--cutover", "--json", "--id", "move")
    assert done.code == 0, done.err + done.out
    report = done.document["cutover"]
    assert (report["safe"], report["problems"]) == (True, [])
    assert {(table["sourceRows"], table["targetRows"]) for table in report["tables"]} == {(200, 200), (1000, 1000)}
    assert pair.postgres("INSERT INTO customer (name) VALUES ('after') RETURNING id > 200") == [(True,)]
    assert mainstem("replicate", *pair.urls, "--id", "move", "--forget").code == 0


@pytest.mark.parametrize("cdc", [True, False])
def test_doctor_looks_at_what_a_replication_needs_when_asked(pair: Pair, cdc: bool) -> None:
    done = mainstem("doctor", *pair.urls, "--json", *(["--cdc"] if cdc else []))
    assert done.code == 0, done.out
