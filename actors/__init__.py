"""Is the news pipeline: it makes stories of the entries in feeds, and gives each story an analysis, highlights and a brief."""
