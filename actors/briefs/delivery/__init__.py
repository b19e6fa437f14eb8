"""The ways by which a digest reaches its readers."""
