"""Sends a worker's heartbeats, returns the jobs of lost processes to the queue, and cleans up."""
