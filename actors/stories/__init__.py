"""Has tasks that change stories: their summaries, and their state for each team."""
