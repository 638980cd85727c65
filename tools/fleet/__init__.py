"""A fleet of processes that is killed, frozen, cut off and restarted while it replicates: `__main__` says how."""
