"""Explains why a job does not run, the state of the fleet, and faults of the installation. No check changes anything."""
