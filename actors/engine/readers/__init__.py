"""Processes that read strangers' bytes for a worker: the pool in the worker, and their server."""
