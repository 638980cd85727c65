"""Every place in the code at which a run may be killed is listed, so that the tests that kill can go through all."""

from __future__ import annotations

import re
from pathlib import Path

import mainstem
from mainstem import failpoints

_HIT = re.compile(r"failpoints\.hit\(\s*\"([a-z_.]+)\"")


def test_every_failpoint_is_listed() -> None:
    source = Path(mainstem.__file__).parent
    found = {name for path in source.rglob("*.py") for name in _HIT.findall(path.read_text())}
    assert found <= {*failpoints.OF_A_COPY, *failpoints.OF_A_STREAM, *failpoints.OF_A_READER}
