"""Is the news pipeline: sources become stories, and stories get an analysis, highlights and a brief."""
