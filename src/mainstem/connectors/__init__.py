"""One folder per system; folders cannot import each other."""
