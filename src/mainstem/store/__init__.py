"""The control plane's memory: SQLite or PostgreSQL, by SQLAlchemy Core."""
