"""A worker process: the broker, claims, handlers, the ends of jobs, and the proof of life."""
