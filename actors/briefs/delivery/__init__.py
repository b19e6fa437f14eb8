"""Contains the channels that deliver digests and alerts."""
