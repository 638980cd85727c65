"""The state store: connections, configs, runs, keys."""
