"""The ways on which a digest reaches its readers."""
