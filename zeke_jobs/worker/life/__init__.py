"""Does a worker's other work: sends heartbeats, returns the jobs of lost processes to the queue, and cleans up."""
