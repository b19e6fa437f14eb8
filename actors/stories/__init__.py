"""Defines the tasks that change a story's summary, or a story's state for a team."""
