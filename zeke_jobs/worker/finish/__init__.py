"""Decides how an attempt ended, and writes the outcome to the database. A failed write is repeated."""
