"""The demo: a bundled sample site goes through the real pipeline; the results are checked and shown."""
