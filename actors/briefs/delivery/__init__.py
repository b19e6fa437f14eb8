"""The channels by which digests and alerts are delivered."""
