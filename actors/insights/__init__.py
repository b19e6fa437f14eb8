"""Has tasks that analyse a story, and find, deduplicate and score the story's highlights."""
