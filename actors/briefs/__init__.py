"""Has tasks that write briefs and digests, and tasks that deliver digests and alerts."""
