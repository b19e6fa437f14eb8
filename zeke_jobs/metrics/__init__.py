"""Gives metrics to Prometheus: an exporter reads metrics from the database, and each worker counts its attempts."""
