"""What periodiq drives: which ticks are due, and one job for each."""
