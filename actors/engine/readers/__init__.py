"""Processes that parse untrusted bytes for a worker: the pool in the worker, and their server."""
