"""Parses untrusted bytes in separate processes (readers). A server forks them, and a pool in a worker uses them."""
