"""What the demo leaves of processes when it is interrupted: nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CHILD = """
import subprocess, sys
from pathlib import Path
from demo.processes import end_processes_of
child = subprocess.Popen(["sleep", "300"])
end_processes_of(Path(sys.argv[1]))
print(child.wait())
"""


def test_a_child_that_does_not_bear_the_folders_name_yet_is_ended_too(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CHILD, str(tmp_path)]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=120, cwd=Path(__file__).resolve().parents[2]
    )
    assert done.stdout == "-15\n"
