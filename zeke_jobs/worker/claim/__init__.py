"""Taking jobs: how many, in which order, and when to look again."""
