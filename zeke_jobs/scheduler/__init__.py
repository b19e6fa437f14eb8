"""Finds the due times (ticks) of schedules and sends a job for each tick. periodiq runs this scheduler."""
