"""Contains the tasks that analyse a story, and find, deduplicate and score its highlights."""
