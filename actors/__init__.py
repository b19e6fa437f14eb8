"""Is the news pipeline: it turns entries of feeds into stories, and gives each story an analysis, highlights and a brief."""
