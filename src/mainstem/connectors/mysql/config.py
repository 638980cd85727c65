"""Facts about MySQL and MariaDB that several files need."""

from __future__ import annotations

DEFAULT_PORT = 3306
MAX_NAME_CHARACTERS = 64
SYSTEM_DATABASES = frozenset({"information_schema", "performance_schema", "mysql", "sys"})
