"""Stores the jobs.yaml in force, shows the effects of a new jobs.yaml, and puts the new jobs.yaml in force."""
