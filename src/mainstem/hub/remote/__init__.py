"""A run whose source is read, or whose target is written, by other processes than the one that leads it."""
