"""Names on the target: short enough, free of collisions, and the same in every run."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from difflib import get_close_matches

from mainstem.contract.dialect import NameRules

_HASH_DIGITS = 8
_OUTSIDE_BASIC_PLANE = re.compile("[\U00010000-\U0010ffff]")


def shorten(name: str, longest: int, *, characters: bool = False) -> str:
    """The name itself if it fits, else its beginning, ``_`` and eight hex digits of its hash.

    The same name always gives the same result, and a character is never cut in two.

    Args:
        longest: what fits, in bytes of UTF-8, or in characters.
    """
    encoded = name.encode()
    if (len(name) if characters else len(encoded)) <= longest:
        return name
    digest = hashlib.sha256(encoded).hexdigest()[:_HASH_DIGITS]
    room = longest - _HASH_DIGITS - 1
    return f"{name[:room] if characters else encoded[:room].decode(errors='ignore')}_{digest}"


def near_names(name: str, names: Iterable[str]) -> str:
    """Names that were perhaps meant, as the end of a message; empty when none is near."""
    lowered = {known.lower(): known for known in sorted(names, reverse=True)}
    near = [lowered[found] for found in get_close_matches(name.lower(), lowered, n=3)]
    return f" (did you mean {' or '.join(near)}?)" if near else ""


class Names:
    """The names of one namespace, given out one by one.

    The outcome depends only on what is asked for and in which order, so the same schema gives the same names.

    Args:
        folds: names that differ only in case count as one.
    """

    def __init__(self, rules: NameRules, *, folds: bool = False) -> None:
        self._rules, self._folds = rules, folds
        self._taken: set[tuple[str, str]] = set()

    def reserve(self, name: str, space: str = "") -> None:
        """Keep a name from being given out."""
        self._taken.add(self._key(name, space))

    def __call__(self, wanted: str, space: str = "") -> str:
        """The wanted name, shortened; with ``_2``, ``_3`` … where it is taken. The result counts as taken."""
        allowed = self._allowed(wanted)
        name, number = self._shorten(allowed), 1
        while self._key(name, space) in self._taken:
            number += 1
            suffix = f"_{number}"
            name = self._shorten(allowed, len(suffix)) + suffix
        self.reserve(name, space)
        return name

    def _key(self, name: str, space: str) -> tuple[str, str]:
        return space, name.lower() if self._folds else name

    def _allowed(self, name: str) -> str:
        if not self._rules.basic_plane:
            return name
        return _OUTSIDE_BASIC_PLANE.sub("_", name).rstrip(" ") or "_"

    def _shorten(self, name: str, reserved: int = 0) -> str:
        return shorten(name, self._rules.longest - reserved, characters=self._rules.characters)
