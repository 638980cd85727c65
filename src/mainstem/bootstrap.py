"""The one place that names concrete hub, store and registry; wires and starts."""
