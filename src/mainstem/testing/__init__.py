"""The kit for connector authors and for our own tests: servers of one's own on free ports."""
