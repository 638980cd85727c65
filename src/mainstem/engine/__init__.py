"""The data plane; knows contracts only."""
