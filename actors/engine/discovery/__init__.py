"""Finds the addresses of feeds."""
