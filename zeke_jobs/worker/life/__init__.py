"""Sends a worker's heartbeats, puts the jobs of lost processes back into the queue, and cleans up."""
