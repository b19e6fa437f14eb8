"""Decides how an attempt ended, and writes that until the database has it."""
