"""Contains the tasks that analyse a story, and those that find, deduplicate and score its highlights."""
