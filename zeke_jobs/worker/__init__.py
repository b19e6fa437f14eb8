"""Runs a worker process, which claims jobs, runs their handlers, writes their outcomes, and sends heartbeats."""
