"""Runs the news pipeline, which turns feed entries into stories with an analysis, highlights and a brief."""
