"""Runs the demo: the real pipeline reads a bundled sample site, and the results are checked and shown."""
