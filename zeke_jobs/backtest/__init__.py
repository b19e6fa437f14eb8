"""Estimates the effect of a change of jobs.yaml by simulating recorded jobs with the rules that workers follow."""
