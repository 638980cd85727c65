"""The compiled path: per-cell loops only."""
