"""Hubs: what carries frames from readers to writers."""
