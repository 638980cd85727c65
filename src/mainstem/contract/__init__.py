"""Protocols only: what a connector, a hub or a store has to implement."""
