"""Look without changing anything: why a job does not run, what all jobs do, what is wrong with the whole."""
