"""The control plane: connections, configs, streams, secrets, events."""
