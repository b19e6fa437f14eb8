"""Finds the feeds behind an address."""
