"""Numbers as people read them."""

from __future__ import annotations

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def count(value: float) -> str:
    """``1234567`` as ``1,234,567``."""
    return f"{round(value):,}"


def size(value: float) -> str:
    """Bytes with the unit that keeps the number short: ``97.3 MiB``."""
    scaled, unit = float(value), 0
    while scaled >= 1024 and unit < len(_UNITS) - 1:
        scaled, unit = scaled / 1024, unit + 1
    return f"{scaled:.0f} {_UNITS[0]}" if unit == 0 else f"{scaled:.1f} {_UNITS[unit]}"


def duration(seconds: float) -> str:
    """``4.2 s``, ``3:07``, ``2:05:00``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
