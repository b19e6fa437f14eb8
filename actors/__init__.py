"""The news pipeline: sources become stories, stories get an analysis, highlights and a brief."""
