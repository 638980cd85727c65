"""Dialect-neutral schema work: from a source catalog to a migration plan."""
