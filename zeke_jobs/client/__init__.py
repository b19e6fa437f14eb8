"""The functions for an API: send, status, wait, cancel, retry. They need only ``DATABASE_URL``, no jobs.yaml and no handlers."""
