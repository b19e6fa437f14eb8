"""Explains, and changes nothing: why a job does not run, the state of the fleet, faults of the installation."""
