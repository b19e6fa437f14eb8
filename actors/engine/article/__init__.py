"""Reads the content of a page: the text, which several extractors find, the authors and the date."""
