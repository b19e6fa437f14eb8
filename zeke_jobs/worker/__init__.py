"""A worker process: from the broker that Dramatiq runs to the end of its last job."""
