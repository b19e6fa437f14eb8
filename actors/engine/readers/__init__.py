"""Parses untrusted bytes in separate processes, the readers. A server forks readers; a pool in a worker uses them."""
