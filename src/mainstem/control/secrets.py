"""Secrets at rest: AES-256-GCM with a key that never enters the store."""

from __future__ import annotations

import base64
import binascii
import os
import tempfile
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mainstem.contract.store import StateStore
from mainstem.errors import InvalidError
from mainstem.log import logger

KEY_BYTES = 32
_NONCE_BYTES = 12
_VERSION = "v1:"
_CHECK = "secret_check"
_log = logger(__name__)


class SecretBox:
    """Seals and opens secrets. A sealed text says which key version made it: ``v1:`` + base64(nonce + ciphertext)."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, secret: bytes, owner: str, field: str) -> str:
        """Encrypt; the result opens only for the same owner (a connection's id) and field."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, secret, f"{owner}/{field}".encode())
        return _VERSION + base64.b64encode(nonce + sealed).decode()

    def open(self, sealed: str, owner: str, field: str) -> bytes:
        """Decrypt; `InvalidError` when the key is another one, or the text was tampered with or moved."""
        if not sealed.startswith(_VERSION):
            raise InvalidError(f"{field} of {owner} was sealed by an unknown key version", remedy=_REMEDY)
        try:
            data = base64.b64decode(sealed.removeprefix(_VERSION), validate=True)
            return self._cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], f"{owner}/{field}".encode())
        except (InvalidTag, binascii.Error, ValueError) as exc:
            raise InvalidError(f"{field} of {owner} cannot be opened with this secret key", remedy=_REMEDY) from exc


_REMEDY = (
    "set MAINSTEM_SECRET_KEY to the key that the store was made with, or put its secret.key back into MAINSTEM_HOME;"
    " all servers of one store need the same"
)


def open_box(store: StateStore, key_file: Path, from_environment: str | None) -> SecretBox:
    """The box of a store, its key checked.

    Args:
        key_file: read when no key comes from the environment; made, for its owner alone, when the store is new.
        from_environment: ``MAINSTEM_SECRET_KEY``, base64 of 32 bytes.

    Raises:
        InvalidError: the key is malformed, missing, or not the one of this store.
    """
    check = store.setting(_CHECK)
    if from_environment:
        key = _decode(from_environment, "MAINSTEM_SECRET_KEY")
    elif key_file.exists() or (check is None and _is_made(key_file)):
        key = _decode(_read_private(key_file), str(key_file))
    else:
        raise InvalidError(f"the secret key of this store is missing: no {key_file}", remedy=_REMEDY)
    box = SecretBox(key)
    check = store.setdefault(_CHECK, box.seal(b"mainstem", "settings", _CHECK))
    try:
        box.open(check, "settings", _CHECK)
    except InvalidError as exc:
        where = "MAINSTEM_SECRET_KEY" if from_environment else str(key_file)
        raise InvalidError(f"the secret key in {where} is not the one of this store", remedy=_REMEDY) from exc
    return box


def _decode(text: str, where: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise InvalidError(
            f"the secret key in {where} is not {KEY_BYTES} bytes in base64", remedy="make one: openssl rand -base64 32"
        )
    return key


def _read_private(path: Path) -> str:
    if path.stat().st_mode & 0o077:
        _log.warning("the secret key was readable for others; its permissions are now 0600", file=str(path))
        path.chmod(0o600)
    return path.read_text()


def _is_made(path: Path) -> bool:
    """Make a key, whole or not at all, unless another server of this machine does so meanwhile; there is one now."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")  # for its owner alone
    with os.fdopen(handle, "w") as file:
        file.write(base64.b64encode(os.urandom(KEY_BYTES)).decode() + "\n")
    try:
        os.link(part, path)
    except FileExistsError:
        _log.debug("another server has made the secret key")
    finally:
        os.unlink(part)
    return True
