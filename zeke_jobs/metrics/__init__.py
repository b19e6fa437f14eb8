"""Metrics for Prometheus: read from the database by an exporter, and counted by workers."""
