"""Decides how an attempt ended, and writes the outcome to the database, and again after a failed write."""
