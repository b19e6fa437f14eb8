"""The effect that a change of jobs.yaml would have had: recorded jobs run again by the workers' rules."""
