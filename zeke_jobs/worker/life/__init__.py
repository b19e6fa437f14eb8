"""Does what a worker does besides running jobs: it proves life, returns lost jobs to the queue, and cleans up."""
