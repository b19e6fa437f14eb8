"""Explains why a job does not run, and reports the state of workers and schedulers, and faults. No check changes anything."""
