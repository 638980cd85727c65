"""Benchmarks: the usual tool and Mainstem in turn, in one run."""
