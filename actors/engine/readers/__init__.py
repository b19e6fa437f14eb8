"""Parses untrusted bytes in separate processes (readers). A server forks the readers for the pool of a worker."""
