"""Claims jobs: decides how many jobs to claim, in which order the jobs start, and when to claim again."""
