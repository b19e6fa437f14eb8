"""Defines the tasks that write briefs and digests, and the tasks that deliver digests and alerts."""
