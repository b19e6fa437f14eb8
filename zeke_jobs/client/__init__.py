"""Has the functions that programs call (send, status, wait …). They need ``DATABASE_URL``, but no jobs.yaml or handlers."""
