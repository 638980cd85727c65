"""The control plane: connections, stream configs, streams and their supervisor. Blocking; safe to call from any thread.

It knows the store, the engine and the connectors by their contracts only; `mainstem.bootstrap` hands them in.
"""
