"""Reads the content of a page: its text, by several extractors, its title, authors and date."""
