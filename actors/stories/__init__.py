"""Has tasks that change stories: the summary of a story, and the state of a story for a team."""
