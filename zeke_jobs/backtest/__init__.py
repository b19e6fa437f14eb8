"""Computes the effect that a change of jobs.yaml would have had: simulates recorded jobs by the workers' rules."""
