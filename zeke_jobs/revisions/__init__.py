"""Keeps the jobs.yaml in force, tells the effects of a change, and puts it in force."""
