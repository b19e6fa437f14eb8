"""Runs a worker process: it claims jobs, runs their handlers, writes their ends, and proves that it lives."""
