"""Tasks beside the jobs: proving life, returning lost jobs, cleaning up."""
