"""Takes passwords out of texts that other people's software wrote (a driver's error, a server's message)."""

from __future__ import annotations

from mainstem.log import redact_text
from mainstem.model.connection import ConnectionSettings

_LEAST = 6  # shorter ones are found in ordinary words; hiding those would tell what they are


def hide(text: str, *settings: ConnectionSettings) -> str:
    """The text without the passwords of these settings, and without what looks like a secret anyway."""
    for one in settings:
        password = one.password
        public = {one.username, one.host, one.database, one.schema, one.type, one.name}
        if len(password) >= _LEAST and password not in public:
            text = text.replace(password, "****")
    return redact_text(text)
