"""Runs the demo: the real pipeline reads a bundled sample site, and the demo checks and shows the results."""
