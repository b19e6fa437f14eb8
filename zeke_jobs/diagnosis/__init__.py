"""Read-only explanations: why a job does not run, the state of all jobs, faults of the system."""
