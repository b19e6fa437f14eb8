"""Contains the functions that programs call (send, status …). These functions need ``DATABASE_URL``, but no jobs.yaml."""
