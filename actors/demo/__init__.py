"""The demo: a bundled sample site goes through the real pipeline, and what comes out is checked and shown."""
