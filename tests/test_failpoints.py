"""Failpoints that several processes share by a file."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psutil

PASSES = (
    "from mainstem import failpoints; failpoints.hit('here'); failpoints.hit('there'); print('went on', flush=True)"
)


def process(file: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", PASSES], env={"MAINSTEM_FAILPOINTS": f"@{file}", "PYTHONPATH": ":".join(sys.path)},
        stdout=subprocess.PIPE,
    )  # fmt: skip


def test_of_several_processes_the_first_one_at_the_place_is_killed_and_no_other(tmp_path: Path) -> None:
    file = tmp_path / "failpoints"
    file.write_text("there=kill")
    started = [process(file) for _ in range(3)]
    assert sorted(one.wait(60) for one in started) == [-signal.SIGKILL, 0, 0]
    for one in started:
        one.communicate()
    assert not file.exists()


def test_a_process_that_is_frozen_at_a_place_goes_on_from_there(tmp_path: Path) -> None:
    file = tmp_path / "failpoints"
    file.write_text("here=freeze")
    with process(file) as frozen:
        assert frozen.stdout is not None
        while psutil.Process(frozen.pid).status() != psutil.STATUS_STOPPED:
            assert frozen.poll() is None
        frozen.send_signal(signal.SIGCONT)
        assert frozen.communicate(timeout=60)[0] == b"went on\n"
