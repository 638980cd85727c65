"""Ids of what the store keeps: a prefix that says what it is, then a KSUID (27 letters and digits)."""

from __future__ import annotations

import re

from cyksuid.v2 import ksuid

CONNECTION = "conn"
CONFIG = "config"
STREAM = "stream"
KEY = "key"
MEMBER = "member"

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def new_id(prefix: str) -> str:
    """A fresh id, e.g. ``conn_2t3EmXcvcg2J6I9mJ02UaiMVxfb``."""
    return f"{prefix}_{ksuid()}"


def is_id(text: str) -> bool:
    """Whether a text may be looked up as an id; anything else cannot exist."""
    return _ID.fullmatch(text) is not None
