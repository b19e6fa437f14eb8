"""Has the channels by which digests and alerts are delivered."""
