"""Has the functions that programs call (send, status …). They need ``DATABASE_URL``, but no jobs.yaml or handlers."""
