"""Claims jobs: decides how many, in which order they start, and when to look again."""
