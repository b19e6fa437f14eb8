"""Keeps the jobs.yaml in force, shows the effects of a change, and puts it in force."""
