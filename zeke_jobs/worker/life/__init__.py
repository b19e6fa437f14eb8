"""What a worker does besides running jobs: proving life, returning lost jobs, cleaning up."""
