"""Gives metrics to Prometheus: an exporter reads them from the database, and workers count their own."""
