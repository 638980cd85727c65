"""An operator, an account and users of NATS by JWT, signed here as ``nsc`` does it."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nkeys

_UNLIMITED = -1
_LIMITS = ("subs", "data", "payload", "imports", "exports", "conn", "leaf", "mem_storage", "disk_storage", "streams",
           "consumer", "max_ack_pending", "mem_max_stream_bytes", "disk_max_stream_bytes")  # fmt: skip


@dataclass
class Key:
    """A pair of keys: of an operator, an account or a user."""

    prefix: int
    seed: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.seed = nkeys.encode_seed(os.urandom(32), self.prefix)

    @property
    def public(self) -> str:
        return str(nkeys.from_seed(bytearray(self.seed)).public_key.decode())

    def token(self, subject: str, name: str, claims: dict[str, Any]) -> str:
        """A JWT that this key signs."""
        head = _part({"typ": "JWT", "alg": "ed25519-nkey"})
        body = {"iat": int(time.time()), "iss": self.public, "name": name, "sub": subject, "nats": claims}
        digest = hashlib.new("sha512_256", json.dumps(body).encode()).digest()
        text = f"{head}.{_part({'jti': base64.b32encode(digest).decode().rstrip('='), **body})}"
        signature = nkeys.from_seed(bytearray(self.seed)).sign(text.encode())
        return f"{text}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


@dataclass
class Operator:
    """One operator with one account that has JetStream."""

    key: Key = field(default_factory=lambda: Key(nkeys.PREFIX_BYTE_OPERATOR))
    account: Key = field(default_factory=lambda: Key(nkeys.PREFIX_BYTE_ACCOUNT))
    system: Key = field(default_factory=lambda: Key(nkeys.PREFIX_BYTE_ACCOUNT))

    def config(self) -> dict[str, Any]:
        """What a server needs to know of it."""
        limits = {**dict.fromkeys(_LIMITS, _UNLIMITED), "wildcards": True}
        claims = {"type": "account", "version": 2, "limits": limits}
        accounts = {
            key.public: self.key.token(key.public, name, claims if name == "A" else {"type": "account", "version": 2})
            for key, name in ((self.account, "A"), (self.system, "SYS"))
        }
        return {
            "operator": self.key.token(self.key.public, "O", {"type": "operator", "version": 2}),
            "system_account": self.system.public,
            "resolver": "MEMORY",
            "resolver_preload": accounts,
        }

    def user(self, folder: Path, signed_by: Key | None = None) -> Path:
        """The credentials file of a user, whom this account has let in unless another key signs."""
        user = Key(nkeys.PREFIX_BYTE_USER)
        claims = {"type": "user", "version": 2, "subs": _UNLIMITED, "data": _UNLIMITED, "payload": _UNLIMITED}
        token = (signed_by or self.account).token(user.public, "u", claims)
        path = folder / f"{user.public}.creds"
        path.write_text(
            f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{user.seed.decode()}\n------END USER NKEY SEED------\n"
        )
        return path


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
