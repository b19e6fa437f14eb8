"""Finds due ticks and sends a job for each tick. periodiq runs this scheduler."""
