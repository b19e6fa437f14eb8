"""Processes that read strangers' bytes for a worker: its pool of them, their server, and what they can be asked."""
