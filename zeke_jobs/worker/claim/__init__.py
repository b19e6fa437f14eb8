"""Claiming jobs: number, order, and time of the next look."""
