"""Names on the target: short enough, free of collisions, and the same in every run."""

from __future__ import annotations

import hashlib

_HASH_DIGITS = 8


def shorten(name: str, max_bytes: int) -> str:
    """The name itself if it fits, else its beginning, ``_`` and eight hex digits of its hash, in max_bytes of UTF-8.

    The same name always gives the same result, and a character is never cut in two.
    """
    encoded = name.encode()
    if len(encoded) <= max_bytes:
        return name
    digest = hashlib.sha256(encoded).hexdigest()[:_HASH_DIGITS]
    room = max_bytes - _HASH_DIGITS - 1
    return f"{encoded[:room].decode(errors='ignore')}_{digest}"


class Names:
    """The names of one namespace, given out one by one.

    The outcome depends only on what is asked for and in which order, so the same schema gives the same names.
    Comparison is exact: ``A`` and ``a`` are two names, as they are for quoted identifiers.
    """

    def __init__(self, max_bytes: int, taken: frozenset[str] = frozenset()) -> None:
        self._max_bytes = max_bytes
        self._taken = set(taken)

    def reserve(self, name: str) -> None:
        """Keep a name from being given out."""
        self._taken.add(name)

    def __call__(self, wanted: str) -> str:
        """The wanted name, shortened; with ``_2``, ``_3`` … where it is taken. The result counts as taken."""
        name, number = shorten(wanted, self._max_bytes), 1
        while name in self._taken:
            number += 1
            suffix = f"_{number}"
            name = shorten(wanted, self._max_bytes - len(suffix)) + suffix
        self._taken.add(name)
        return name
