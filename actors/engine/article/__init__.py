"""Reads the text, the authors and the date of a page. Several extractors look for the text."""
