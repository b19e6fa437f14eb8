"""Parses untrusted bytes for a worker in separate processes: it has the pool in the worker, and their server."""
