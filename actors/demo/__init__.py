"""The demo: the real pipeline reads a bundled sample site; the results are checked and shown."""
