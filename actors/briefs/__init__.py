"""Has tasks that write briefs and digests, and deliver digests and alerts."""
