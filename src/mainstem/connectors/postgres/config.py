"""Facts about PostgreSQL that several files need."""

from __future__ import annotations

DEFAULT_PORT = 5432
DEFAULT_SCHEMA = "public"
MAX_NAME_BYTES = 63
BOOTSTRAP_DATABASE = "postgres"
# Templates, and those that hosting providers keep for themselves.
SYSTEM_DATABASES = frozenset({"template0", "template1", "rdsadmin", "azure_maintenance", "azure_sys", "cloudsqladmin"})
# The kind of `NativeObject` that is named by a schema alone.
SCHEMA_COMMENT = "schema_comment"
