"""Parses untrusted bytes in separate processes, the readers: it has their pool in the worker, and the server that forks them."""
