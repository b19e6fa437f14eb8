"""Tasks that keep stories: their summaries, and their state for each team."""
