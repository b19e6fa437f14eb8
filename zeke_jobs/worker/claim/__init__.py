"""Claims jobs: decides how many to claim, in which order they start, and when to claim again."""
